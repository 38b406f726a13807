"""One worker of an engine: started, watched, and started again when it dies. Knows transports and nothing of visitors."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from ..protocol.messages import Loading, Preload, Ready
from .transport import Transport

log = logging.getLogger(__name__)
MAX_EARLY_CRASHES = 3
EARLY_CRASH_SECONDS = 60.0
RESTART_DELAYS = (0.05, 0.5)
STARTING = "The worker is starting."
RESTARTING = "The worker stopped unexpectedly; it is starting again."
GAVE_UP = "The worker stopped several times while starting and stays off; its log on the server says why."
CLOSED = "The service is closed."


@dataclass
class WorkerState:
    """What is known of a worker. up: it has loaded what it was to load first. ready: and it has what it must have.

    fresh: it has not died yet. models: that it has, or was asked for; it may have dropped some since, which costs a load.
    runs: ids of the requests that it was given. fraction: 0..1 of the models being loaded. loaded: as of its last report.
    """

    up: bool = False
    fresh: bool = True
    models: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    ready: bool = False
    message: str = STARTING
    fraction: float = 0.0
    device: str = ""
    loaded: tuple[str, ...] = ()
    restarts: int = 0
    gave_up: bool = False


class WorkerHandle:
    """One life of a worker after the other, each by a transport that ``make`` makes.

    preload: models that it loads first, of which it must have ``required`` to be ready. lock: an RLock, held while anything
    here changes. on_message(handle, message): of what the worker sends, all but how it is. on_up(): after each such report.
    on_loss(handle): the worker is gone, and all that it was doing.
    """

    def __init__(self, make: Callable[[], Transport], lock: AbstractContextManager, preload: tuple[str, ...],
                 required: set[str], on_message: Callable[["WorkerHandle", object], None], on_up: Callable[[], None],
                 on_loss: Callable[["WorkerHandle"], None]):
        self.state = WorkerState(models=set(preload))
        self.transport: Transport | None = None
        self._make, self._lock, self._required = make, lock, required
        self._on_message, self._on_up, self._on_loss = on_message, on_up, on_loss
        self._preloads = [preload]              # the second, if any, is all that was ever asked for
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start the worker, in this thread, and watch it in another. Once."""
        self._begin()
        self._thread.start()

    def send(self, message: object) -> None:
        """Give the worker a message; nothing happens when it is gone."""
        with self._lock:
            if self.transport is not None:
                self.transport.send(message)

    def preload(self, model_ids: tuple[str, ...]) -> None:
        """Let it load these models, and again after each restart."""
        with self._lock:
            self._preloads[1:] = [tuple(dict.fromkeys((*self._preloads[-1], *model_ids)))]
            self.state.models.update(model_ids)
            self.send(Preload(self._preloads[-1]))

    def close(self) -> None:
        """End the worker, within about a second."""
        with self._lock:
            self._closing.set()
            self.state.up, self.state.ready, self.state.message = False, False, CLOSED
            transport = self.transport
        if transport is not None:
            transport.end()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def _begin(self) -> None:
        with self._lock:
            self.transport = self._make()
            for model_ids in self._preloads:
                self.transport.send(Preload(model_ids))

    def _supervise(self) -> None:
        early: list[float] = []
        while True:
            cause = "it could not be started"
            if (transport := self.transport) is not None:
                for message in transport.messages():
                    self._receive(message)
            with self._lock:
                was_up = self._lose()
            if transport is not None:
                cause = transport.end()
            if self._closing.is_set():
                return
            log.error("a worker ended: %s", cause)
            now = time.monotonic()
            early = [] if was_up else [t for t in early if now - t < EARLY_CRASH_SECONDS] + [now]
            if len(early) >= MAX_EARLY_CRASHES:
                with self._lock:
                    self.state.gave_up, self.state.message = True, GAVE_UP
                    self._on_loss(self)
                return
            self._closing.wait(RESTART_DELAYS[min(len(early), len(RESTART_DELAYS) - 1)])
            self._restart()

    def _restart(self) -> None:
        with self._lock:
            if self._closing.is_set():
                return
            self.state.restarts += 1
            try:
                self._begin()
            except OSError:                 # no memory for another process just now
                log.exception("a worker could not be started")

    def _lose(self) -> bool:
        """Note that the worker is gone; True if it was up."""
        state, was_up = self.state, self.state.up
        state.up = state.ready = state.fresh = False
        state.fraction, state.loaded, state.models, self.transport = 0.0, (), set(self._preloads[-1]), None
        if not self._closing.is_set():
            state.message = RESTARTING
        self._on_loss(self)
        return was_up

    def _receive(self, message: object) -> None:
        state = self.state
        if isinstance(message, Ready):
            with self._lock:
                if self._closing.is_set():
                    return
                state.up, state.fraction = True, 1.0
                state.ready = state.ready or not message.message or self._required <= set(message.loaded)
                state.device, state.message, state.loaded = message.device, message.message or "Ready.", message.loaded
                state.models.update(message.loaded)
                self._on_up()
        elif isinstance(message, Loading) and not message.request_id:
            state.message, state.fraction = message.message, message.fraction
        else:
            self._on_message(self, message)
