"""Sweep: a strip of answers over the weight of one expert, all with the same seed; a click shows one's run in the viewer.

Only a few answers are under way at a time, so that other visitors are not kept waiting.
"""

import json
from collections.abc import AsyncIterator, Callable

import gradio as gr

from ...config import check_int
from ...errors import BusyError, VisitorError
from ...protocol.messages import Done, Failed, Request
from .. import script_words, strings
from ..components import panels
from ..components.panels import tab_line
from ..events import QUIET, STREAM, lasting, warn
from ..handlers.documents import gather_documents
from ..requests import most_weight, narrowed, own_run, question
from ..run_groups import Group
from ..runs import Run
from ..scripts import on_load
from ..state import Studio

KIND = "sweep"
FEWEST, USUAL, MOST = 5, 6, 11
TEMPLATE = '<div class="sweep"><ul class="legend"></ul><ol class="strip"></ol></div>'


class SweepTab:
    """The components of the tab."""

    def __init__(self) -> None:
        with gr.Tab(strings.SWEEP, elem_id="sweep-tab") as self.tab:
            with gr.Row(elem_classes="tab-bar"):
                self.user = gr.Dropdown([], label=strings.SWEEP_USER, scale=0, min_width=150, elem_id="sweep-user",
                                        allow_custom_value=True)   # the choices change under a value that is on its way
                self.count = gr.Slider(FEWEST, MOST, USUAL, step=1, label=strings.SWEEP_COUNT, scale=0, min_width=170,
                                       buttons=[], elem_id="sweep-count")
                self.go = gr.Button(strings.SWEEP_GO, variant="primary", scale=0, min_width=100, elem_id="sweep")
                self.stop = gr.Button(strings.STOP, interactive=False, scale=0, min_width=64, elem_id="sweep-stop")
                self.line = gr.HTML(tab_line(strings.SWEEP_HINT), apply_default_css=False, elem_id="sweep-line")
            self.view = gr.HTML("", html_template=TEMPLATE, js_on_load=on_load("sweep", "show_run"),
                                apply_default_css=False, elem_id="sweep-answers", words=script_words.STRIP)


def swept(studio: Studio, request: Request, user: str, count: int) -> list[Request]:
    """The same question with ``user`` at each weight of the sweep; the others keep theirs as far as there is room.

    Raises VisitorError for an expert that is not chosen, LimitError for a number outside its limits.
    """
    if user not in request.users:
        raise VisitorError(strings.SWEEP_NOBODY)
    last, lam = check_int("answers", count, FEWEST, MOST) - 1, dict(request.ensemble.lam)
    others = sum(weight for name, weight in lam.items() if name != user)
    found = []
    for i in range(last + 1):
        weight = round(most_weight(studio, user) * i / last, 4)
        room = min(1.0, (1 - weight) / others) if others else 1.0
        found.append(narrowed(studio, request, {name: weight if name == user else w * room for name, w in lam.items()}))
    return found


def shares_so_far(run: Run) -> list[float]:
    """Mean share of each expert over the tokens written so far, each at the step that set it."""
    decided: dict[tuple[int, int], list[float]] = {}
    ends: dict[int, int] = {}
    for step in run.steps:
        ends[step["b"]] = step["e"][0] if step["e"] else len(step["t"])
        for i, shares in enumerate(step["h"]):
            if i in step["x"] or (step["b"], i) not in decided:
                decided[step["b"], i] = shares
    written = [shares for (block, i), shares in decided.items() if i < ends[block]]
    return [round(sum(column) / len(written), 4) for column in zip(*written, strict=True)]


def cell(request: Request, run: Run | None, user: str, stopped: bool) -> dict:
    """One answer of the strip as its script reads it. state: waiting, live, final, failed, or left when it was never asked."""
    shown = {"weight": strings.percent(request.ensemble.lam[user]), "run": "", "text": "", "shares": [],
             "state": "left" if stopped else "waiting"}
    if run is None:
        return shown
    if isinstance(run.end, Failed):
        return {**shown, "text": run.end.message, "state": "failed"}
    if isinstance(run.end, Done):
        shares = [run.end.shares.get(expert["name"], 0.0) for expert in run.head["experts"]]
        return {**shown, "run": run.id, "text": run.end.answer or "·", "shares": shares, "state": "final"}
    return {**shown, "text": run.text or run.note, "shares": shares_so_far(run), "state": "live"}


def strip_text(group: Group, asked: list[Request], user: str, ended: bool) -> str:
    """The whole strip as one JSON text."""
    runs = [*group.members, *[None] * (len(asked) - len(group.members))]
    cells = [cell(request, run, user, ended or group.stopped) for request, run in zip(asked, runs, strict=True)]
    return json.dumps({"experts": group.members[0].head["experts"], "cells": cells}, ensure_ascii=False, separators=(",", ":"))


def at_a_time(studio: Studio) -> int:
    """How many answers of one sweep are under way together: a quarter of the places."""
    return max(1, studio.settings.limits.max_active // 4)


def ask_more(studio: Studio, group: Group, asked: list[Request], user: str) -> None:
    """Submit what there is room for. A full queue is no error while answers of this sweep are still to come."""
    while not group.stopped and len(group.members) < len(asked) and len(group.live) < at_a_time(studio):
        request = asked[len(group.members)]
        weight, (titles, _) = request.ensemble.lam[user], studio.names(request.owner)
        prompt = strings.swept_prompt(request.prompt, titles.get(user, user), weight)
        try:
            group.add(request, {**studio.head(request), "prompt": prompt})
        except BusyError as error:
            if not group.members:
                raise
            if not group.live:
                group.stop()
                warn(str(error))
            return


async def sweeping(studio: Studio, group: Group, asked: list[Request], user: str) -> AsyncIterator[tuple]:
    """A whole sweep as updates of (stop, line, strip). Raises VisitorError when it cannot go on."""
    def shown(ended: bool) -> str:
        return strip_text(group, asked, user, ended)

    def line() -> str:
        return tab_line(strings.sweeping(sum(run.end is not None for run in group.members), len(asked)))
    ask_more(studio, group, asked, user)
    yield gr.Button(interactive=True), line(), shown(False)
    async for _ in group.changes():
        ask_more(studio, group, asked, user)
        yield gr.skip(), line(), shown(False)
    if group.closed:
        return
    ends = [run.end for run in group.members if isinstance(run.end, Done)]
    seconds = max(run.ended_at for run in group.members) - group.began
    yield (gr.Button(interactive=False), tab_line(strings.swept(len(ends), sum(end.forwards for end in ends), seconds)),
           shown(True))


def wire_sweep(studio: Studio, panel: panels.Panel, tab: SweepTab, inputs: list, viewer: gr.HTML):
    """Sweep, stop and show. inputs: prompt, turns, pasted text and files' documents of the page. -> when a run is shown."""
    @lasting
    async def sweep(request: gr.Request, user, count, prompt, history, text, documents, *values):
        session = studio.visitor(request)
        try:
            asked = question(studio, session, panel, list(values), prompt, history, gather_documents(text, documents))
            requests = swept(studio, asked, user, count)
            with studio.groups.open(session, KIND) as group:
                async for update in sweeping(studio, group, requests, user):
                    yield update
        except VisitorError as error:
            warn(str(error))
            yield [gr.skip()] * 3

    def stop(request: gr.Request) -> None:
        studio.groups.stop(studio.visitor(request), KIND)

    outputs = [tab.stop, tab.line, tab.view]
    tab.go.click(sweep, [tab.user, tab.count, *inputs, *panel.inputs], outputs, concurrency_limit=None, **STREAM)
    tab.stop.click(stop, None, None, **QUIET)
    wire_users(studio, panel, tab)
    return tab.view.show_run(shower(studio), None, viewer, **STREAM)  # queued: a sentence only reaches the page from the queue


def shower(studio: Studio) -> Callable:
    """A handler that puts a finished run of the session's sweep in the viewer, as it is stored."""
    def show(request: gr.Request, event: gr.EventData):
        session = studio.visitor(request)
        latest = studio.runs.latest(session)
        try:
            run = own_run(studio, session, dict(event._data or {}).get("run"))
            if run.end is None or (latest and latest.end is None):
                raise VisitorError(strings.SWEEP_BUSY)
            return studio.runs.show(session, run)
        except VisitorError as error:
            warn(str(error))
            return gr.skip()
    return show


def wire_users(studio: Studio, panel: panels.Panel, tab: SweepTab) -> None:
    """The experts that are picked are those that can be swept over."""
    def choices(request: gr.Request, chosen: str | None, *values):
        session = studio.visitor(request)
        titles, _ = studio.names(session)
        own = studio.own_ids(session, panel.named(list(values))["core"])
        names = [name for name, _ in panel.picked(list(values), own)]
        return gr.Dropdown([(titles.get(name, name), name) for name in names],
                           value=chosen if chosen in names else next(iter(names), None))

    moved = [tab.tab.select, *(pick.change for pick in panel.picks), panel.knobs["core"].change]
    gr.on(moved, choices, [tab.user, *panel.inputs], tab.user, trigger_mode="always_last", **QUIET)
