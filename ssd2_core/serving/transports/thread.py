"""A worker on a thread of this process."""

import logging
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from ...config import Settings
from ..worker import STOP, Worker

log = logging.getLogger(__name__)
END_SECONDS = 5.0               # a step that is being computed cannot be broken off


class ThreadTransport:
    """prepare: makes a worker.Prepare, on the worker's thread; None: the real models', which loads torch."""

    def __init__(self, prepare: Callable[[Settings], object] | None, settings: Settings):
        self._inbox: SimpleQueue = SimpleQueue()
        self._outbox: SimpleQueue = SimpleQueue()
        self._cause = "it was asked to"
        self._thread = threading.Thread(target=self._work, args=(prepare, settings), name="worker", daemon=True)
        self._thread.start()

    def send(self, message: object) -> None:
        """See Transport."""
        self._inbox.put(message)

    def messages(self) -> Iterator[object]:
        """See Transport."""
        return iter(self._outbox.get, None)

    def end(self) -> str:
        """See Transport."""
        self._inbox.put(STOP)
        self._thread.join(END_SECONDS)
        return self._cause

    def _work(self, prepare: Callable[[Settings], object] | None, settings: Settings) -> None:
        try:
            if prepare is None:
                from ..model_runner import ModelRuns as prepare
            Worker(self._inbox, self._outbox.put, prepare(settings), settings.limits.max_pause_seconds).run()
        except BaseException as error:
            log.exception("the worker thread ended")
            self._cause = f"{type(error).__name__}: {error}"
        finally:
            self._outbox.put(None)
