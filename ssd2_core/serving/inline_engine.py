"""An engine in this very process: the worker's rounds run on a thread. For scripts, tests and the command line."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from ..config import Settings
from ..protocol.messages import Event, Loading, Ready
from .engine import Engine
from .supervisor import GAVE_UP, STARTING

log = logging.getLogger(__name__)


class InlineEngine(Engine):
    """The same in this process: the worker's rounds run on a thread. Loads torch at the first request.

    prepare: makes a worker.Prepare, called once on that thread; by default the real models'.
    """

    def __init__(self, settings: Settings | None = None, *, only_known: bool = False,
                 prepare: Callable[[Settings], object] | None = None):
        super().__init__(settings or Settings(), only_known)
        self._make_prepare = prepare
        self._inbox: SimpleQueue = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._message, self._fraction, self._device = STARTING, 0.0, ""
        self._loaded: tuple[str, ...] = ()

    def _start(self) -> None:
        self._thread.start()

    def _close(self) -> None:
        self._inbox.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join(5.0)

    def _send(self, message: object) -> None:
        self._inbox.put(message)

    def _work(self) -> None:
        from .worker import Worker
        try:
            make = self._make_prepare
            if make is None:
                from .model_runner import ModelRuns as make
            prepare = make(self.settings)
            self._device, self._message, self._fraction = prepare.device, "Ready.", 1.0
            Worker(self._inbox, self._receive, prepare, self.settings.limits).run()
        except BaseException:
            log.exception("the worker thread ended")
            with self._lock:
                self._state, self._message = "closed", GAVE_UP
                self._fail_all("The worker stopped unexpectedly; start again.")

    def _receive(self, event: Event | Ready) -> None:
        if isinstance(event, Ready):
            self._device, self._message, self._loaded = event.device, event.message or "Ready.", event.loaded
            self._fraction = 1.0
        elif isinstance(event, Loading) and not event.request_id:
            self._message, self._fraction = event.message, event.fraction
        else:
            super()._receive(event)

    def _health(self) -> tuple[bool, str, float, int, str, tuple[str, ...]]:
        ready = self._fraction >= 1.0 and self._state == "open"
        return ready, self._message, self._fraction, 0, self._device, self._loaded
