"""What happened to each run so far, for any number of readers, also later ones. Knows events only, no worker and no page."""

import asyncio
import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator

from ..errors import VisitorError
from ..protocol.messages import Done, Event, Failed, Request, Started

MAX_ENDED_RUNS, MAX_ENDED_EVENTS = 256, 5_000


class RunLog:
    """The events of one run in order. The first Done or Failed is the last event; later ones are dropped."""

    def __init__(self, request: Request):
        self.request = request
        self.started = False
        self.ended_at: float | None = None
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def ended(self) -> bool:
        return self.ended_at is not None

    @property
    def size(self) -> int:
        """Number of events."""
        return len(self._events)

    def append(self, event: Event) -> None:
        """Note an event and wake the readers."""
        with self._changed:
            if self.ended:
                return
            self._events.append(event)
            self.started = self.started or isinstance(event, Started)
            if isinstance(event, Done | Failed):
                self.ended_at = time.monotonic()
            self._changed.notify_all()
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    def since(self, index: int) -> tuple[list[Event], bool]:
        """Events from ``index`` on, and whether the run has ended."""
        with self._changed:
            return self._events[max(0, index):], self.ended

    def stream(self, since: int = 0) -> Iterator[Event]:
        """Events from ``since`` on as they come, to the end of the run."""
        index = max(0, since)
        while True:
            with self._changed:
                while len(self._events) <= index and not self.ended:
                    self._changed.wait()
                events, ended = self._events[index:], self.ended
            yield from events
            index += len(events)
            if ended:
                return

    async def astream(self, since: int = 0) -> AsyncIterator[Event]:
        """The same for asyncio. A reader that goes away changes nothing for the run."""
        loop, changed, index = asyncio.get_running_loop(), asyncio.Event(), max(0, since)

        def wake() -> None:
            with contextlib.suppress(RuntimeError):     # the reader's loop is closed: nobody is left to wake
                loop.call_soon_threadsafe(changed.set)

        with self._changed:
            self._callbacks.append(wake)
        try:
            while True:
                changed.clear()
                events, ended = self.since(index)
                for event in events:
                    yield event
                index += len(events)
                if ended:
                    return
                await changed.wait()
        finally:
            with self._changed:
                self._callbacks.remove(wake)


class RunStore:
    """All runs by id. Ended ones are kept for ``keep_seconds``, at most MAX_ENDED_RUNS of them with MAX_ENDED_EVENTS in all."""

    def __init__(self, keep_seconds: float):
        self.keep_seconds = keep_seconds
        self._logs: OrderedDict[str, RunLog] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, request: Request) -> RunLog:
        """A new run under ``request.request_id``; raises VisitorError for an id that is taken."""
        with self._lock:
            self._purge()
            if request.request_id in self._logs:
                raise VisitorError("There is already a run with this id; use another one.")
            log = self._logs[request.request_id] = RunLog(request)
            return log

    def find(self, request_id: str) -> RunLog | None:
        """The run, or None when it is unknown or was deleted."""
        with self._lock:
            return self._logs.get(request_id)

    def get(self, request_id: str) -> RunLog:
        """The run; raises VisitorError when it is unknown or was deleted."""
        log = self.find(request_id)
        if log is None:
            raise VisitorError("This run is not known here any more; please ask again.")
        return log

    def live(self) -> list[RunLog]:
        """Runs that have not ended, oldest first."""
        with self._lock:
            return [log for log in self._logs.values() if not log.ended]

    def delete(self, request_id: str) -> None:
        """Drop a run and everything it holds."""
        with self._lock:
            self._logs.pop(request_id, None)

    def _purge(self) -> None:
        oldest, runs, events = time.monotonic() - self.keep_seconds, MAX_ENDED_RUNS, MAX_ENDED_EVENTS
        for name, log in reversed(list(self._logs.items())):
            if log.ended:
                runs, events = runs - 1, events - log.size
                if runs < 0 or events < 0 or log.ended_at < oldest:
                    del self._logs[name]
