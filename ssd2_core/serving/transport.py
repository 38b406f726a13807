"""What carries messages to a worker and back. Knows no queue and no limits: those are the engine's."""

from collections.abc import Iterator
from typing import Protocol


class Transport(Protocol):
    """One life of a worker, from when it is made to ``end``, or to the worker's own end.

    Each is made of Settings, in the thread that starts the engine or in the one that restarts a worker. It sends a Done or a
    Failed for every Request that it was given, unless its worker is gone before.
    """

    def send(self, message: object) -> None:
        """A message for the worker; never waits. Raises BusyError when too many wait; lost when the worker is gone.

        A Request is sent in the context (of contextvars) of the visitor who asks.
        """

    def messages(self) -> Iterator[object]:
        """What the worker sends, until it is gone. For one reader."""

    def end(self) -> str:
        """Make sure that the worker is gone, in about a second at most; -> what ended it."""
