"""Runs of all visitors on the page's side: their steps so far, who owns them, and paced messages for the viewer.

Knows the engine's interface and the protocol; no components and no torch.
"""

import asyncio
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from ..config import TOGETHER, EnsembleParams
from ..protocol.frames import Frame
from ..protocol.messages import Change, Changed, Done, Failed, Loading, Pace, Paced, Queued, Request, Started
from . import strings

MESSAGES_PER_SECOND = 30.0


def new_run_id() -> str:
    """An id that cannot be guessed: whoever has it may read the run."""
    return secrets.token_urlsafe(18)


def compact_step(frame: Frame, experts: list[str]) -> dict:
    """A Frame as the viewer's script reads it: short keys, shares per cell in the order of ``experts``.

    b block, s step, T steps, a alpha_bar, t texts, c confidence, h shares, x changed cells, e end cells, r second candidates,
    ms elapsed, n entropy, w weights per cell, k candidates (together first, then by expert), j disagreement, p pinned cells,
    v revision, i what the networks saw, m its probability there, z settled cells.
    """
    empty = [0.0] * len(frame.texts)
    shares, weights = ([found.get(name, empty) for name in experts] for found in (frame.share, frame.weight))
    return {"b": frame.block, "s": frame.step, "T": frame.num_steps, "a": frame.alpha_bar, "t": frame.texts,
            "c": frame.confidence, "h": [list(cell) for cell in zip(*shares, strict=True)],
            "x": [i for i, changed in enumerate(frame.changed) if changed],
            "e": [i for i, is_eos in enumerate(frame.is_eos) if is_eos], "r": frame.rival_texts, "ms": frame.elapsed_ms,
            "n": frame.entropy, "w": [list(cell) for cell in zip(*weights, strict=True)],
            "k": [frame.candidates.get(name, []) for name in (TOGETHER, *experts)], "j": frame.disagreement,
            "p": [i for i, pinned in enumerate(frame.pinned) if pinned], "v": frame.revision,
            "i": frame.input_texts, "m": frame.input_mass, "z": [i for i, settled in enumerate(frame.settled) if settled]}


def written(frame: Frame) -> int:
    """Cells of a block that are its text by now: up to its end, and what settles from left to right as far as it stands."""
    stop = frame.is_eos.index(True) if True in frame.is_eos else len(frame.texts)
    stands = frame.settled.index(False) if False in frame.settled else 0
    return min(stop, stands) if stands and not any(frame.settled[stands:]) else stop


@dataclass
class Run:
    """One question on its way. ``head`` is what the viewer must know before the first step."""

    request: Request
    head: dict
    steps: list[dict] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    note: str = ""
    read: dict | None = None
    end: Done | Failed | None = None
    began_at: float = 0.0
    ended_at: float = 0.0
    changes: list[Change] = field(default_factory=list)     # made by the visitor on the way, in order
    pace: Pace = Pace()
    cut: bool = False                                       # ended by the visitor's leaving, or by a broken connection
    new: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def id(self) -> str:
        return self.request.request_id

    @property
    def plan(self) -> tuple[Change, ...]:
        """Every change on its way, planned or made by the visitor, by step: with it the same request is the same run."""
        return tuple(sorted((*self.request.plan, *self.changes), key=lambda change: change.step))

    @property
    def text(self) -> str:
        """The answer as far as it is written: every block up to its first end cell."""
        return "".join(self.texts[block] for block in sorted(self.texts)).strip()

    def take(self, event) -> None:
        """Note one event of the engine."""
        if isinstance(event, Frame):
            self.note = ""
            self.frames.append(event)
            self.steps.append(compact_step(event, [expert["name"] for expert in self.head["experts"]]))
            self.texts[event.block] = "".join(event.texts[:written(event)])
        elif isinstance(event, Loading):
            self.note = event.message
        elif isinstance(event, Queued):
            self.note = strings.queued(event.position, event.seconds)
        elif isinstance(event, Started):
            self.began_at = self.began_at or time.monotonic()
            self.note = " ".join(event.notices)
            self.read = {"tokens": [event.context_tokens.get(expert["name"], 0) for expert in self.head["experts"]],
                         "used": event.passages_used, "left": event.passages_left_out}
        elif isinstance(event, Changed):
            self.changes.append(event.change)
        elif isinstance(event, Paced):
            self.pace = event.pace
        elif isinstance(event, (Done, Failed)):
            self.end, self.ended_at = event, time.monotonic()
        self.new.set()

    def message(self, since: int, last: bool) -> str:
        """The steps from ``since`` on as one JSON text for the viewer."""
        data = {"run": self.id, "head": self.head, "from": since, "steps": self.steps[since:], "note": self.note,
                "read": self.read, "done": last, "pace": self.pace.per_second,
                "ended": self.end.finish_reason if isinstance(self.end, Done) else "stopped" if self.end else "",
                "line": (strings.figures(self.end, self.request.sampling.seed)
                                         if isinstance(self.end, Done) else "")}
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


class Runs:
    """All runs this page knows, by id, and the current one of each browser session.

    machine: (device, dtype) of the last finished run; None before the first.
    """

    def __init__(self, engine) -> None:
        self.engine = engine
        self.by_id: OrderedDict[str, Run] = OrderedDict()
        self.current: dict[str, str] = {}
        self.machine: tuple[str, str] | None = None

    def start(self, session: str, request: Request, head: dict) -> Run:
        """Submit a request for a session; its earlier run is cancelled. Raises VisitorError as the engine does."""
        run = self.submit(request, head)
        self.cancel(session)
        self.current[session] = run.id
        return run

    def submit(self, request: Request, head: dict) -> Run:
        """Submit a request that is nobody's current run. Raises VisitorError as the engine does."""
        self.forget_old()
        run = Run(replace(request, request_id=new_run_id()), head, pace=request.pace)
        self.engine.submit(run.request)
        self.by_id[run.id] = run
        return run

    def latest(self, session: str) -> Run | None:
        """The session's current run, under way or finished; None before the first, and when it is not kept any more."""
        return self.by_id.get(self.current.get(session, ""))

    def show(self, session: str, run: Run) -> str:
        """A finished run of the session's own becomes its current one. -> the viewer's message."""
        self.current[session] = run.id
        return run.message(0, True)

    def is_current(self, session: str, run: Run) -> bool:
        """False once the session has started another run, or left."""
        return self.current.get(session) == run.id

    def is_cleared(self, session: str) -> bool:
        """Whether the session has no current run, not even a finished one."""
        return session not in self.current

    def cancel(self, session: str) -> None:
        """Stop the session's run, if one is under way; what it wrote stays."""
        run = self.latest(session)
        if run is not None and run.end is None:
            self.engine.cancel(run.id)

    def cut(self, session: str) -> None:
        """The connection is gone: the session's run ends and nothing more is sent; it stays the current one."""
        run = self.latest(session)
        if run is not None:
            run.cut = run.cut or run.end is None
            self.cancel(session)
            run.new.set()

    def disconnect(self, session: str) -> None:
        """The session has no current run any more; one that is under way ends and nothing more is sent."""
        self.cut(session)
        self.current.pop(session, None)

    def control(self, session: str, retuned: Callable[[Run], EnsembleParams]) -> None:
        """Give the session's running request new ensemble settings; nothing happens when none runs."""
        run = self.latest(session)
        if run is not None and run.end is None:
            self.engine.control(run.id, retuned(run))

    def steps_since(self, run_id: str, since: int) -> list[dict]:
        """For a viewer that missed steps; empty for an unknown run."""
        run = self.by_id.get(run_id)
        return run.steps[max(0, since):] if run else []

    def forget_old(self) -> None:
        """Drop finished runs that the engine does not keep any more: it knows what is old or too much."""
        for run_id, run in list(self.by_id.items()):
            if run.end and not self.engine.keeps(run_id):
                del self.by_id[run_id]

    async def messages(self, session: str, run: Run) -> AsyncIterator[str]:
        """Messages for the viewer at a bounded rate, each with all steps since the last; ends with the run.

        Cancels the run when the reader goes away, or stops silently when the session has moved on to another run.
        """
        pump = asyncio.create_task(self.pump(run))
        sent, told, last = 0, None, 0.0
        try:
            while True:
                await run.new.wait()
                run.new.clear()
                wait = last + 1 / MESSAGES_PER_SECOND - time.monotonic()
                if wait > 0 and run.end is None:
                    await asyncio.sleep(wait)
                if run.cut or not self.is_current(session, run):
                    return
                finished = run.end is not None
                if isinstance(run.end, Done):
                    self.machine = (run.end.device, run.end.dtype)
                if len(run.steps) > sent or (run.note, run.pace) != told or finished:
                    message = run.message(sent, finished)
                    sent, told, last = len(run.steps), (run.note, run.pace), time.monotonic()
                    yield message
                if finished:
                    return
        finally:
            pump.cancel()
            if run.end is None:
                run.cut = True
                self.engine.cancel(run.id)
                run.take(Failed(run.id, "The visitor left."))

    async def pump(self, run: Run) -> None:
        """Take the engine's events as they come. A stream that breaks off ends the run with one sentence."""
        try:
            async for event in self.engine.astream(run.id):
                run.take(event)
        finally:
            if run.end is None:
                run.take(Failed(run.id, "The answer broke off; please ask again."))
