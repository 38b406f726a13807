"""Runs that a session has beside its main one, in groups: a comparison, a sweep. A group is stopped and left as a whole.

Knows runs and the engine's interface; no components.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from ..protocol.messages import Failed, Request
from .runs import Run, Runs

NEWS_PER_SECOND = 20.0


class Group:
    """Runs in the order they were added. stopped: none is to be added. closed: nobody waits for them any more."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.members: list[Run] = []
        self.began = time.monotonic()
        self.stopped = self.closed = False
        self._pumps: list[asyncio.Task] = []

    @property
    def live(self) -> list[Run]:
        """The runs that have not ended."""
        return [run for run in self.members if run.end is None]

    def add(self, request: Request, head: dict) -> Run:
        """Submit one more request and take its events from now on. Raises VisitorError as the engine does."""
        run = self.runs.submit(request, head)
        self.members.append(run)
        self._pumps.append(asyncio.create_task(self.runs.pump(run)))
        return run

    async def changes(self) -> AsyncIterator[list[int]]:
        """Places of the runs that have news, at a bounded rate, until all of them have ended or the group is closed."""
        told: dict[int, tuple] = {}
        while True:
            await asyncio.sleep(1 / NEWS_PER_SECOND)
            if self.closed:
                return
            now = {i: (len(run.steps), run.note, run.end is None) for i, run in enumerate(self.members)}
            news = [i for i, state in now.items() if told.get(i) != state]
            told = now
            if news:
                yield news
            elif not self.live:
                return

    def stop(self) -> None:
        """End the runs; what they wrote stays."""
        self.stopped = True
        for run in self.live:
            self.runs.engine.cancel(run.id)

    def disconnect(self) -> None:
        """End the runs and tell nothing more."""
        self.closed = True
        self.stop()

    def end(self) -> None:
        """The reader goes away: whatever still runs has ended with this."""
        self.disconnect()
        for pump in self._pumps:
            pump.cancel()
        for run in self.live:
            run.take(Failed(run.id, "The visitor left."))


class Groups:
    """The groups under way, at most one of each kind in a session."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self._open: dict[tuple[str, str], Group] = {}

    @contextmanager
    def open(self, session: str, kind: str) -> Iterator[Group]:
        """A new group, which ends with the block; the session's earlier one of this kind ends now."""
        if earlier := self._open.get((session, kind)):
            earlier.disconnect()
        group = self._open[session, kind] = Group(self.runs)
        try:
            yield group
        finally:
            group.end()
            if self._open.get((session, kind)) is group:
                del self._open[session, kind]

    def stop(self, session: str, kind: str) -> None:
        """End the runs of a group, if it is under way; what they wrote stays."""
        if group := self._open.get((session, kind)):
            group.stop()

    def disconnect(self, session: str) -> None:
        """The session is gone: all its groups end."""
        for (owner, _), group in list(self._open.items()):
            if owner == session:
                group.disconnect()
