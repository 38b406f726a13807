"""Steering from the viewer: a word is pinned, a span denoised again, a run branches with the weights as they are now."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import gradio as gr

from ...config import LIMITS, EnsembleParams, check_int, knobs
from ...errors import VisitorError
from ...protocol.frames import Frame
from ...protocol.messages import Change, Pace, Pin, Request
from ...protocol.validation import check_pace, check_pin
from .. import strings
from ..components import panels
from ..components.conversation import ConversationPanel
from ..events import QUIET, STREAM, lasting, warn
from ..requests import own_run
from ..runs import Run
from ..state import Studio
from .chat import SAME, converse

Cell = tuple[int, int]          # block, position
HIDDEN = gr.update(visible="hidden")


def last_frames(run: Run) -> dict[int, Frame]:
    """The last frame of each block of a run."""
    return {frame.block: frame for frame in run.frames}


def again(run: Run, free: set[Cell]) -> Request:
    """The request that keeps a finished answer but for some cells, which are denoised again from other noise."""
    frames = last_frames(run)
    cells = [(b, i) for b, frame in frames.items() for i in range(len(frame.token_ids))]
    if not free & set(cells):
        raise VisitorError(strings.STEER_NOTHING)
    kept = [Pin(b, i, token_ids=(frames[b].token_ids[i],)) for b, i in cells if (b, i) not in free]
    sampling = replace(run.request.sampling, seed=run.request.sampling.seed + 1)
    return replace(run.request, sampling=sampling, ensemble=latest(run), pins=tuple(kept), plan=(), request_id="")


def with_word(run: Run, pin: Pin) -> Request:
    """The request that keeps what stands before a word, puts the word, and writes what follows anew from the same noise.

    Other words that were pinned stay.
    """
    kept = [Pin(b, i, token_ids=(token,)) for b, frame in last_frames(run).items() for i, token in enumerate(frame.token_ids)
            if (b, i) < (pin.block, pin.position)]
    later = [old for old in run.request.pins if old.text and (old.block, old.position) > (pin.block, pin.position)]
    return replace(run.request, ensemble=latest(run), pins=(*kept, pin, *later), plan=(), request_id="")


def branch(run: Run, step: int, ensemble: EnsembleParams) -> Request:
    """The same run up to ``step`` (from 0), with what was changed on its way there, and then with other weights."""
    known = [change for change in run.plan if change.step < step]
    return replace(run.request, plan=(*known, Change(step, ensemble)), request_id="")


def differences(before: EnsembleParams, after: EnsembleParams, titles: dict[str, str]) -> str:
    """What is different between two settings, in words."""
    lam = {i: (before.lam.get(i, 0.0), after.lam.get(i, 0.0)) for i in {**before.lam, **after.lam}}
    moved = [f"{titles.get(i, i)} {strings.percent(old)} → {strings.percent(new)}"
             for i, (old, new) in lam.items() if old != new]
    for name, knob in knobs(EnsembleParams).items():
        old, new = getattr(before, name), getattr(after, name)
        if old != new and name != "lam":
            moved.append(f"{(knob.label or name).lower()} {old} → {new}")
    return ", ".join(moved) or strings.NOTHING_MOVED


def latest(run: Run) -> EnsembleParams:
    """The settings that a run ended with."""
    later = [c.ensemble for c in sorted((*run.request.plan, *run.changes), key=lambda change: change.step) if c.ensemble]
    return later[-1] if later else run.request.ensemble


@dataclass(frozen=True)
class SteeredRun:
    """What a visitor wants. request: the run to make of it, None where the run under way takes it.

    line: stands for it in the chat.
    """

    request: Request | None
    line: str = ""


def steered(studio: Studio, session: str, wish: dict, ensemble: Callable[[], EnsembleParams]) -> SteeredRun:
    """Read what the viewer's script sends: {"action", "run", ...}. ensemble: the panel's settings now. Raises VisitorError."""
    run, action = own_run(studio, session, wish.get("run")), wish.get("action")
    if action == "pin":
        pin = check_pin(Pin(wish.get("block"), wish.get("position"), wish.get("text")), studio.settings.limits)
        if run.end is None:
            studio.engine.pin(run.id, pin)
            return SteeredRun(None)
        return SteeredRun(with_word(run, pin), strings.STEER_LINES["pin"].format(word=pin.text.strip()))
    if run.end is None:
        raise VisitorError(strings.STEER_WAIT)
    if action == "again":
        return SteeredRun(studio.varied(again(run, _cells(wish.get("cells")))), strings.STEER_LINES["again"])
    if action == "branch":
        step = check_int("the step of a branch", wish.get("step"), 0, max(0, len(run.steps) - 1))
        now = ensemble()
        changes = differences(latest(run), now, studio.names(session)[0])
        return SteeredRun(branch(run, step, now), strings.STEER_LINES["branch"].format(step=step + 1, changes=changes))
    raise VisitorError(strings.STEER_UNKNOWN)


def keep_pace(studio: Studio, session: str, wish: dict) -> None:
    """Pause, go on, make steps, or another pace: of the session's run if it is under way, and of those to come."""
    pace = check_pace(Pace(wish.get("per_second"), wish.get("steps", 0)), studio.settings.limits)
    if pace.per_second != 0:
        studio.paces[session] = pace
    run = studio.runs.latest(session)
    if run is not None and run.end is None and run.id == wish.get("run"):
        studio.engine.pace(run.id, pace)


def _cells(value: object) -> set[Cell]:
    """Cells as the script sends them, [[block, position], ...]."""
    rows = value if isinstance(value, list) and len(value) <= LIMITS.max_new_tokens else []
    return {tuple(row) for row in rows if isinstance(row, list) and len(row) == 2 and all(type(n) is int for n in row)}


def beside(studio: Studio, session: str, wish: dict) -> dict:
    """What stands beside the stage: the run that a branch starts from, or nothing."""
    run = own_run(studio, session, wish.get("run"))
    if run.end is None:
        return gr.skip()
    return gr.update(value=run.message(0, True), visible=True) if wish.get("action") == "branch" else HIDDEN


def wire_steer(studio: Studio, panel: panels.Panel, viewer: gr.HTML, branch: gr.HTML, talk: ConversationPanel,
               chat: gr.State, turns: gr.State) -> None:
    """What the viewer's script asks for, as runs of the conversation."""
    @lasting
    async def steer(event: gr.EventData, request: gr.Request, kept, history, *values):
        session = studio.visitor(request)

        def settings() -> EnsembleParams:
            return panel.ensemble(list(values), studio.own_ids(session, panel.named(list(values))["core"]))
        try:
            found = steered(studio, session, dict(event._data or {}), settings)
            if found.request is None:
                yield SAME
                return
            async for update in converse(studio, session, found.request, kept, history, found.line):
                yield update
        except VisitorError as error:
            warn(str(error))
            yield SAME

    def base(event: gr.EventData, request: gr.Request):
        try:
            return beside(studio, studio.visitor(request), dict(event._data or {}))
        except VisitorError:                    # said by the run that was asked for
            return gr.skip()

    def pace(event: gr.EventData, request: gr.Request) -> None:
        try:
            keep_pace(studio, studio.visitor(request), dict(event._data or {}))
        except VisitorError as error:
            warn(str(error))

    viewer.pace(pace, None, None, trigger_mode="multiple", **QUIET)
    gr.on([talk.send.click, talk.prompt.submit, talk.clear.click], lambda: HIDDEN, None, branch, **QUIET)
    viewer.steer(base, None, branch, trigger_mode="multiple", **QUIET)
    viewer.steer(steer, [chat, turns, *panel.inputs], [viewer, talk.chat, chat, talk.prompt, turns, talk.stop],
                 concurrency_limit=None, **STREAM)
