"""Keeps one worker alive: starts it, passes messages, starts it again when it dies. Knows nothing of requests."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from queue import SimpleQueue
from typing import Protocol

from ..protocol.messages import Loading, Preload, Ready

log = logging.getLogger(__name__)
MAX_EARLY_CRASHES = 3
EARLY_CRASH_SECONDS = 60.0
RESTART_DELAYS = (0.05, 0.5)
STARTING = "The worker is starting."
RESTARTING = "The worker stopped unexpectedly; it is starting again."
GAVE_UP = "The worker stopped several times while starting and stays off; its log on the server says why."
CLOSED = "The service is closed."


class WorkerHandle(Protocol):
    """A worker as the supervisor sees it: a process (pipe.Child) or an actor (actor.ActorChild)."""

    def messages(self) -> Iterator[object]: ...

    def end(self) -> object: ...


class Supervisor:
    """One worker at a time.

    start(outbox): makes one that takes its messages from there. lock: an RLock. on_message(message): what the worker sends,
    Ready and preload reports excepted. on_loss(): the worker is gone, all that it was doing is lost; called with ``lock`` held,
    under which messages for the next worker queue up. on_ready(): after each Ready. Start it once.
    """

    def __init__(self, start: Callable[[SimpleQueue], WorkerHandle], lock: AbstractContextManager,
                 on_message: Callable[[object], None], on_loss: Callable[[], None],
                 on_ready: Callable[[], None] = lambda: None):
        self.start_worker, self.lock = start, lock
        self.on_message, self.on_loss, self.on_ready = on_message, on_loss, on_ready
        self.ready, self.message, self.fraction, self.device = False, STARTING, 0.0, ""
        self.loaded: tuple[str, ...] = ()
        self.restarts = 0
        self.gave_up = False
        self.child: WorkerHandle | None = None
        self._wanted: dict[str, None] = {}
        self._outbox: SimpleQueue = SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start the worker and watch it."""
        self._thread.start()

    def send(self, message: object) -> None:
        """Give the worker a message, the next worker if this one is gone. Models asked for with Preload stay wanted."""
        with self.lock:
            if isinstance(message, Preload):
                self._wanted.update(dict.fromkeys(message.model_ids))
                message = Preload(tuple(self._wanted))
            self._outbox.put(message)

    def close(self) -> None:
        """End the worker, within about a second."""
        with self.lock:
            self._closing.set()
            self.ready, self.message = False, CLOSED
            child = self.child
        if child is not None:
            child.end()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def _supervise(self) -> None:
        early: list[float] = []
        while True:
            with self.lock:
                if self._closing.is_set():
                    return
                self.child = child = self.start_worker(self._outbox)
            for message in child.messages():
                self._receive(message)
            with self.lock:
                was_ready = self._lose()
            cause = child.end()
            if self._closing.is_set():
                return
            log.error("a worker ended: %s", cause)
            now = time.monotonic()
            early = [] if was_ready else [t for t in early if now - t < EARLY_CRASH_SECONDS] + [now]
            if len(early) >= MAX_EARLY_CRASHES:
                with self.lock:
                    self.gave_up, self.message = True, GAVE_UP
                    self.on_loss()
                return
            self._closing.wait(RESTART_DELAYS[min(len(early), len(RESTART_DELAYS) - 1)])
            self.restarts += 1

    def _lose(self) -> bool:
        """Note that the worker is gone; the next one gets a fresh outbox with the preload in it. True if it was ready."""
        was_ready, self.ready, self.fraction, self.loaded = self.ready, False, 0.0, ()
        self.child, self._outbox = None, SimpleQueue()
        if not self._closing.is_set():
            self.message = RESTARTING
            self._outbox.put(Preload(tuple(self._wanted)))
        self.on_loss()
        return was_ready

    def _receive(self, message: object) -> None:
        if isinstance(message, Ready):
            self.ready, self.fraction = True, 1.0
            self.device, self.message, self.loaded = message.device, message.message or "Ready.", message.loaded
            self.on_ready()
        elif isinstance(message, Loading) and not message.request_id:
            self.message, self.fraction = message.message, message.fraction
        else:
            self.on_message(message)
