"""The loop that answers: one denoising step per round for every active run. Knows runs and messages, not how a run is made.

``prepare`` makes a Run of a Request and is the only place where models are; the loop itself needs no torch. The same loop runs
behind every transport.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Protocol

from ..config import LIMITS, Settings
from ..errors import VisitorError, is_out_of_memory
from ..protocol.messages import Cancel, Change, Changed, Control, Event, Failed, Loading, Paced, Preload, Ready, Request, Unload
from .active_run import Run
from .tempo import Tempo
from .wait_queue import change_before, stopped_before

log = logging.getLogger(__name__)
BROKEN = "Something went wrong while answering; the cause is in the server's log."
OUT_OF_MEMORY = "The device ran out of memory; ask for a shorter answer, fewer documents or smaller models."
STOP = None


class Prepare(Protocol):
    """Makes runs. ``notify(message, fraction)`` reports what is being loaded."""

    device: str

    def __call__(self, request: Request, notify: Callable[[str, float], None]) -> Run: ...

    def is_loaded(self, request: Request) -> bool: ...

    def preload(self, model_ids: tuple[str, ...], notify: Callable[[str, float], None]) -> str: ...

    def loaded(self) -> tuple[str, ...]: ...

    def prefetch(self, runs: list[Run]) -> None: ...

    def forget(self, model_ids: tuple[str, ...]) -> None: ...

    def free_memory(self) -> None: ...


@dataclass
class Prepared:
    """What became of a request on the loader's thread."""

    request_id: str
    run: Run | Exception


class Worker:
    """Takes messages from ``inbox``, gives events to ``emit``; answers whatever it is given at once.

    Models load on a thread of their own, so that no run waits. max_pause: seconds that a paused run keeps its place.
    """

    def __init__(self, inbox: SimpleQueue, emit: Callable[[Event | Ready], None], prepare: Prepare,
                 max_pause: float = LIMITS.max_pause_seconds):
        self.inbox, self.emit, self.prepare, self.max_pause = inbox, emit, prepare, max_pause
        self.loading: dict[str, Request] = {}
        self.active: dict[str, Run] = {}
        self.stopping = False
        self._now: tuple[str, float] | None = None              # what a preload is at
        self._jobs: SimpleQueue = SimpleQueue()
        self._loader = threading.Thread(target=self._load, name="loader", daemon=True)
        self._loader.start()

    def run(self) -> None:
        """Rounds until STOP comes."""
        while not self.stopping:
            self.round()
        self._jobs.put(STOP)
        self._loader.join(5.0)          # a thread that has used torch must not end while the process does

    def round(self) -> None:
        """One denoising step of every active run, their networks in one pass; commands are read before each step."""
        self._read_commands(min((run.wait() for run in self.active.values()), default=None))
        due = {request_id: run for request_id, run in self.active.items() if not run.wait()}
        for request_id, run in due.items():
            if run.begin():
                self.emit(Paced(request_id, run.tempo.pace))
            for change in run.make_changes():
                self.emit(Changed(request_id, change))
        if len(due) > 1:
            self.prepare.prefetch(list(due.values()))
        for request_id, run in due.items():
            if request_id in self.active:
                self._step(run)
                run.tempo.end()
            self._read_commands(0)

    def _read_commands(self, seconds: float | None) -> None:
        """Obey what has come; wait for the first one ``seconds``, None for as long as it takes."""
        try:
            while not self.stopping:
                self._obey(self.inbox.get(block=seconds != 0, timeout=seconds))
                seconds = 0
        except Empty:
            pass

    def _obey(self, message: object) -> None:
        match message:
            case Request():
                self._begin(message)
            case Control():
                self._control(message)
            case Cancel():
                self._cancel(message.request_id)
            case Unload():
                self.prepare.forget(message.model_ids)
            case Preload():
                self._jobs.put(message)
            case Prepared():
                self._take(message)
            case _:
                self.stopping = True

    def _begin(self, request: Request) -> None:
        """Make a run of a request, on the loader's thread unless its models are in memory."""
        self.loading[request.request_id] = request
        if self.prepare.is_loaded(request):
            self._take(self._prepared(request))
        else:
            self._jobs.put(request)
            if self._now:
                self.emit(Loading(request.request_id, *self._now))

    def _control(self, control: Control) -> None:
        """Change a run under way before its next step is computed, one that has not begun before its first."""
        run = self.active.get(control.request_id)
        if run is not None and control.pace is not None:
            run.tempo.change(control.pace)
            self.emit(Paced(control.request_id, control.pace))
        elif run is not None:
            run.asked.append(Change(0, control.ensemble, control.pin))
        change_before(self.loading, control, self.emit)

    def _cancel(self, request_id: str) -> None:
        run = self.active.pop(request_id, None)
        if run is not None:
            self._finish(run, stopped=True)
        elif self.loading.pop(request_id, None):
            self.emit(stopped_before(request_id, self.prepare.device))

    def _take(self, prepared: Prepared) -> None:
        """A run is ready, unless it was cancelled meanwhile or could not be made."""
        request = self.loading.pop(prepared.request_id, None)
        if request is None:
            return
        if isinstance(prepared.run, Exception):
            self._fail(prepared.request_id, prepared.run)
            return
        run = prepared.run
        run.request = request
        run.began, run.tempo = time.monotonic(), Tempo(request.pace, self.max_pause)
        self.active[prepared.request_id] = run
        self.emit(run.started)

    def _step(self, run: Run) -> None:
        request_id = run.request.request_id
        try:
            frame = run.step()
            if frame is None:
                del self.active[request_id]
                self._finish(run, stopped=False)
                return
            notices = run.new_notices()
            if notices:
                run.started = replace(run.started, notices=run.started.notices + notices)
                self.emit(run.started)
            self.emit(frame)
        except Exception as error:  # whatever breaks one run must leave the others alone
            self.active.pop(request_id, None)
            self._fail(request_id, error)

    def _finish(self, run: Run, stopped: bool) -> None:
        self.emit(run.done(stopped))

    def _fail(self, request_id: str, error: Exception) -> None:
        """One sentence for the visitor; what is not the visitor's mistake goes to the log with its traceback."""
        if isinstance(error, VisitorError):
            self.emit(Failed(request_id, str(error)))
            return
        log.error("request %s failed", request_id, exc_info=error)
        self.emit(Failed(request_id, OUT_OF_MEMORY if is_out_of_memory(error) else BROKEN))
        if is_out_of_memory(error):
            self.prepare.free_memory()

    def _load(self) -> None:
        """The loader's thread: preloads, and requests whose models are not in memory yet."""
        while (job := self._jobs.get()) is not STOP:
            if isinstance(job, Preload):
                ready = preloaded(self.prepare, job, self._tell)
                self._now = None
                self.emit(ready)
            else:
                self.inbox.put(self._prepared(job))

    def _tell(self, text: str, part: float) -> None:
        """How far a preload is, for the service; in words, for the runs that wait behind it."""
        waiting = () if self._now and self._now[0] == text else tuple(self.loading)
        self._now = text, part
        for request_id in ("", *waiting):
            self.emit(Loading(request_id, text, part))

    def _prepared(self, request: Request) -> Prepared:
        def notify(message: str, fraction: float) -> None:
            self.emit(Loading(request.request_id, message, fraction))

        try:
            return Prepared(request.request_id, self.prepare(request, notify))
        except Exception as error:  # reported to its own visitor
            return Prepared(request.request_id, error)


def preloaded(prepare: Prepare, job: Preload, notify: Callable[[str, float], None]) -> Ready:
    """Load models; -> how the worker is then."""
    try:
        message = prepare.preload(job.model_ids, notify)
    except VisitorError as error:
        message = str(error)
    except Exception:
        log.exception("preloading %s failed", ", ".join(job.model_ids))
        message = "A model could not be loaded; the cause is in the server's log."
    if message:
        log.warning("preload: %s", message)
    return Ready(prepare.device, message, prepare.loaded())


def main(inbox: SimpleQueue, send: Callable[[object], None], settings: Settings) -> None:
    """The worker process."""
    from .model_runner import ModelRuns, threads_beside_page  # torch and the networks are loaded here, in the worker only

    settings = replace(settings, threads=threads_beside_page(settings))
    Worker(inbox, send, ModelRuns(settings), settings.limits.max_pause_seconds).run()
