"""Who the visitor of a browser session is: the same one after a broken connection, when the page comes back as another session.

It shows a ticket then, which is good once, for a visitor who is gone, for some seconds. Knows visitors by name only.
"""

import asyncio
import secrets
from collections.abc import Callable

NOTICE_SECONDS = 3.0            # a broken connection may be noticed only after its page is back
LOOK_SECONDS = 0.05
MAX_TICKETS = 5000              # of pages that are open; the oldest are void when there are more


class SessionTickets:
    """Visitors by session, and their tickets. All within one event loop.

    forget(visitor): called once nobody can come back as this visitor any more.
    """

    def __init__(self, seconds: float, forget: Callable[[str], None]):
        self.seconds, self.forget = seconds, forget
        self._visitors: dict[str, str] = {}                     # by session, for those that came back
        self._owners: dict[str, str] = {}                       # visitors by ticket
        self._tickets: dict[str, str] = {}                      # by visitor
        self._left: dict[str, asyncio.TimerHandle] = {}

    def visitor(self, session: str) -> str:
        """Who a session belongs to: a visitor's first session gives the name, and those that come back keep it."""
        return self._visitors.get(session, session)

    def ticket(self, session: str) -> str:
        """The ticket of a session's visitor, a new one at its first call and after a return."""
        visitor = self.visitor(session)
        if visitor not in self._tickets:
            ticket = self._tickets[visitor] = secrets.token_urlsafe(18)
            self._owners[ticket] = visitor
            while len(self._tickets) > MAX_TICKETS:
                self._drop(next(iter(self._tickets)))
        return self._tickets[visitor]

    def left(self, session: str) -> None:
        """The session's connection is gone. A visitor without a ticket is forgotten at once."""
        visitor = self.visitor(session)
        if visitor in self._tickets and self.seconds > 0:
            self._left[visitor] = asyncio.get_running_loop().call_later(self.seconds, self._over, visitor)
        else:
            self._over(visitor)

    async def redeem(self, ticket: object, session: str) -> bool:
        """Make a session its visitor's whose ticket this is, if that visitor is gone and the ticket was not redeemed before."""
        visitor = self._owners.get(ticket) if isinstance(ticket, str) else None
        for _ in range(int(NOTICE_SECONDS / LOOK_SECONDS)):
            if visitor is None or visitor in self._left or self._owners.get(ticket) != visitor:
                break
            await asyncio.sleep(LOOK_SECONDS)
        if visitor not in self._left or self._owners.get(ticket) != visitor:
            return False
        self._left.pop(visitor).cancel()
        self._drop(visitor)
        self._drop(self.visitor(session))
        self._visitors[session] = visitor
        return True

    def _over(self, visitor: str) -> None:
        self._left.pop(visitor, None)
        self._drop(visitor)
        for session in [session for session, name in self._visitors.items() if name == visitor]:
            del self._visitors[session]
            self.forget(session)                                # what it brought before it was known again
        self.forget(visitor)

    def _drop(self, visitor: str) -> None:
        self._owners.pop(self._tickets.pop(visitor, ""), None)
