"""The queue of requests that no worker has yet, oldest first, each told its position. Knows no worker and no device."""

from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import replace

from ..protocol.messages import Change, Changed, Control, Done, Event, Paced, Queued, Request


class WaitQueue:
    """emit: takes the events of those who wait. capacity: how many requests can be answered at once, just now."""

    def __init__(self, emit: Callable[[Event], None], capacity: Callable[[], int]):
        self.emit, self.capacity = emit, capacity
        self.requests: dict[str, Request] = {}
        self._contexts: dict[str, Context] = {}
        self._told: dict[str, int] = {}
        self._durations: deque[float] = deque(maxlen=20)        # seconds of the last answers

    def add(self, request: Request) -> None:
        """Append a request, with the context of its visitor; ``tell_positions`` says where it stands."""
        self.requests[request.request_id] = request
        self._contexts[request.request_id] = copy_context()

    def first(self) -> Request | None:
        """The one that waits longest."""
        return next(iter(self.requests.values()), None)

    def remove(self, request_id: str) -> Context | None:
        """Take a request out; -> the context of its visitor. None: it is not here."""
        self._told.pop(request_id, None)
        self.requests.pop(request_id, None)
        return self._contexts.pop(request_id, None)

    def note(self, done: Done) -> None:
        """An answer is complete: what it took tells how long the next ones wait."""
        if done.finish_reason != "stopped":
            self._durations.append(done.seconds)

    def tell_positions(self) -> None:
        """Tell everybody whose position is another than before."""
        for position, request_id in enumerate(self.requests, 1):
            if self._told.get(request_id) != position:
                self._told[request_id] = position
                self.emit(Queued(request_id, position, self._wait(position)))

    def _wait(self, position: int) -> float:
        """Seconds until whoever stands at ``position`` is answered: as many rounds of answers as it takes."""
        usual = sum(self._durations) / len(self._durations) if self._durations else 0.0
        return round(usual * -(-position // max(self.capacity(), 1)), 1)


def change_before(requests: dict[str, Request], control: Control, emit: Callable[[Event], None]) -> None:
    """A change of a request among ``requests``, which have not begun, acts before its first step."""
    request = requests.get(control.request_id)
    if request is None:
        return
    if control.pace is not None:
        requests[control.request_id] = replace(request, pace=control.pace)
        emit(Paced(control.request_id, control.pace))
    else:
        change = Change(0, control.ensemble, control.pin)
        requests[control.request_id] = replace(request, plan=(change, *request.plan))
        emit(Changed(control.request_id, change))


def stopped_before(request_id: str, device: str) -> Done:
    """The end of a request that was stopped before it began."""
    return Done(request_id, "", "stopped", 0, 0, 0, 0.0, 0.0, {}, device, "")
