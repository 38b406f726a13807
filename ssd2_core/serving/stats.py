"""What a service does, in numbers: for its health address, and one line in the log for each request. No text of visitors."""

import hashlib
import json
import logging
import threading
import time
from collections import Counter, deque

from ..protocol.frames import Frame
from ..protocol.messages import Done, Event, Failed, Request, Started, is_private

log = logging.getLogger(__name__)
WINDOW_SECONDS = 10.0


class Counters:
    """Counts the events of all runs. Every method may be called from any thread."""

    def __init__(self):
        self.born = time.monotonic()
        self.ends: Counter[str] = Counter()
        self.steps = 0
        self._recent: deque[float] = deque()
        self._asked: dict[str, tuple[float, float]] = {}        # by run: when it was asked and when it began
        self._lock = threading.Lock()

    def asked(self, request: Request) -> None:
        """A request was accepted."""
        with self._lock:
            self._asked[request.request_id] = (time.monotonic(), 0.0)

    def deleted(self, request_id: str) -> None:
        """A run was deleted, so that its end will not be told."""
        with self._lock:
            self._asked.pop(request_id, None)

    def noted(self, request: Request, event: Event) -> None:
        """An event of a run; its end is one line in the log."""
        now = time.monotonic()
        with self._lock:
            if isinstance(event, Frame):
                self.steps += 1
                self._recent.append(now)
                self._drop_old(now)
                return
            asked, began = self._asked.get(request.request_id, (now, 0.0))
            if isinstance(event, Started) and not began:
                self._asked[request.request_id] = (asked, now)
            if not isinstance(event, Done | Failed):
                return
            self._asked.pop(request.request_id, None)
            end = event.finish_reason if isinstance(event, Done) else "failed"
            self.ends[end] += 1
        log.info("%s", json.dumps(summary(request, event, end, (began or now) - asked)))

    def steps_per_second(self) -> float:
        """Denoising steps a second of all runs together, over the last seconds."""
        with self._lock:
            self._drop_old(time.monotonic())
            return round(len(self._recent) / WINDOW_SECONDS, 2)

    def _drop_old(self, now: float) -> None:
        while self._recent and self._recent[0] < now - WINDOW_SECONDS:
            self._recent.popleft()


def summary(request: Request, event: Done | Failed, end: str, waited: float) -> dict:
    """One request in the log. The run's id opens the run, so that only a part of its hash is written."""
    done = event if isinstance(event, Done) else None
    return {"request": hashlib.sha256(request.request_id.encode()).hexdigest()[:8], "end": end, "core": request.core,
            "users": ["own" if is_private(user) else user for user in request.users], "documents": len(request.documents),
            "waited_s": round(waited, 3), "seconds": done.seconds if done else None, "steps": done.steps if done else None,
            "forwards": done.forwards if done else None, "tokens": done.tokens if done else None}
