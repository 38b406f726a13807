"""The line of those who wait for a place: in the order they came, each told where it stands. Knows no worker and no device."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from ..protocol.messages import Change, Changed, Control, Done, Event, Queued, Request


class WaitQueue:
    """emit: takes the events of those who wait. places: how many requests can be answered at once, just now."""

    def __init__(self, emit: Callable[[Event], None], places: Callable[[], int]):
        self.emit, self.places = emit, places
        self.requests: dict[str, Request] = {}
        self._told: dict[str, int] = {}
        self._lasted: deque[float] = deque(maxlen=20)           # seconds of the last answers

    def add(self, request: Request) -> None:
        """Stand at the end; ``tell`` says where that is."""
        self.requests[request.request_id] = request

    def first(self) -> Request | None:
        """Who is next."""
        return next(iter(self.requests.values()), None)

    def disconnect(self, request_id: str) -> Request | None:
        """Leave the line, for a place or for good. None: it does not stand here."""
        self._told.pop(request_id, None)
        return self.requests.pop(request_id, None)

    def clear(self) -> None:
        """Nobody waits any more."""
        self.requests.clear()
        self._told.clear()

    def note(self, done: Done) -> None:
        """An answer is complete: what it took tells how long the next ones wait."""
        if done.finish_reason != "stopped":
            self._lasted.append(done.seconds)

    def tell(self) -> None:
        """Tell everybody whose position is another than before."""
        for position, request_id in enumerate(self.requests, 1):
            if self._told.get(request_id) != position:
                self._told[request_id] = position
                self.emit(Queued(request_id, position, self._wait(position)))

    def _wait(self, position: int) -> float:
        """Seconds that who stands at ``position`` waits: as many rounds of answers as it takes until a place is theirs."""
        usual = sum(self._lasted) / len(self._lasted) if self._lasted else 0.0
        return round(usual * -(-position // max(self.places(), 1)), 1)


def change_before(requests: dict[str, Request], control: Control, emit: Callable[[Event], None]) -> None:
    """A change of a request among ``requests``, which have not begun, acts before its first step."""
    request = requests.get(control.request_id)
    if request is not None:
        change = Change(0, control.ensemble, control.pin)
        requests[control.request_id] = replace(request, plan=(change, *request.plan))
        emit(Changed(control.request_id, change))


def stopped_before(request_id: str, device: str) -> Done:
    """The end of a request that was stopped before it began."""
    return Done(request_id, "", "stopped", 0, 0, 0, 0.0, 0.0, {}, device, "")
