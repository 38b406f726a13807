"""Visitors whose connection broke: the page comes back as another session, shows its ticket, and is who it was.

A ticket is good once, for a session that is gone, for some seconds. Knows sessions by name only, nothing of what is theirs.
"""

import asyncio
import secrets
from collections.abc import Callable

NOTICE_SECONDS = 3.0            # a broken connection may be noticed only after its page is back
LOOK_SECONDS = 0.05
MAX_TICKETS = 5000              # of pages that are open; the oldest are void when there are more


class SessionTickets:
    """Tickets by session. forget(session): called once nobody can come back to it any more. All within one event loop."""

    def __init__(self, seconds: float, forget: Callable[[str], None]):
        self.seconds, self.forget = seconds, forget
        self._sessions: dict[str, str] = {}                     # by ticket
        self._tickets: dict[str, str] = {}                      # by session
        self._left: dict[str, asyncio.TimerHandle] = {}

    def ticket(self, session: str) -> str:
        """The ticket of a session, a new one at its first call."""
        if session not in self._tickets:
            ticket = self._tickets[session] = secrets.token_urlsafe(18)
            self._sessions[ticket] = session
            while len(self._tickets) > MAX_TICKETS:
                self._drop(next(iter(self._tickets)))
        return self._tickets[session]

    def left(self, session: str) -> None:
        """The session's connection is gone. One without a ticket is forgotten at once."""
        if session in self._tickets and self.seconds > 0:
            self._left[session] = asyncio.get_running_loop().call_later(self.seconds, self._over, session)
        else:
            self._over(session)

    async def redeem(self, ticket: object) -> str | None:
        """The session whose ticket this is, if that is gone and was not redeemed before; it is somebody else's from now on."""
        session = self._sessions.get(ticket) if isinstance(ticket, str) else None
        for _ in range(int(NOTICE_SECONDS / LOOK_SECONDS)):
            if session is None or session in self._left or self._sessions.get(ticket) != session:
                break
            await asyncio.sleep(LOOK_SECONDS)
        if session not in self._left or self._sessions.get(ticket) != session:
            return None
        self._left.pop(session).cancel()
        self._drop(session)
        return session

    def _over(self, session: str) -> None:
        self._left.pop(session, None)
        self._drop(session)
        self.forget(session)

    def _drop(self, session: str) -> None:
        self._sessions.pop(self._tickets.pop(session, ""), None)
