"""The ticket of a page that may come back: who gets in with it, how often, and for how long."""

import asyncio

from ssd2_core.ui.session_tickets import SessionTickets


def returns(seconds: float = 5.0) -> tuple[SessionTickets, list[str]]:
    gone: list[str] = []
    return SessionTickets(seconds, gone.append), gone


def test_a_ticket_is_good_once_and_only_for_who_is_gone():
    async def go():
        found, gone = returns()
        ticket = found.ticket("ann")
        assert found.ticket("ann") == ticket and len(ticket) >= 20
        for wrong in ("", "x", None, 7, ["a"], "ann"):
            assert await found.redeem(wrong) is None
        found.left("ann")
        both = await asyncio.gather(found.redeem(ticket), found.redeem(ticket))
        assert sorted(map(str, both)) == ["None", "ann"]
        assert await found.redeem(ticket) is None and gone == []

    asyncio.run(go())


def test_who_is_still_here_keeps_the_ticket(monkeypatch):
    monkeypatch.setattr("ssd2_core.ui.session_tickets.NOTICE_SECONDS", 0.2)

    async def go():
        found, gone = returns()
        ticket = found.ticket("ann")
        assert await found.redeem(ticket) is None                   # a second tab with a copy of it
        asyncio.get_running_loop().call_later(0.1, found.left, "ann")
        assert await found.redeem(ticket) == "ann"                  # noticed a little later

    asyncio.run(go())


def test_who_does_not_come_back_is_forgotten_in_time_and_who_never_had_a_page_at_once():
    async def go():
        found, gone = returns(0.1)
        found.left("program")
        assert gone == ["program"]
        ticket = found.ticket("ann")
        found.left("ann")
        assert gone == ["program"]
        await asyncio.sleep(0.3)
        assert gone == ["program", "ann"] and await found.redeem(ticket) is None

    asyncio.run(go())


def test_tickets_are_bounded(monkeypatch):
    monkeypatch.setattr("ssd2_core.ui.session_tickets.MAX_TICKETS", 3)

    async def go():
        found, gone = returns()
        tickets = [found.ticket(name) for name in "abcde"]
        found.left("e")
        assert await found.redeem(tickets[4]) == "e"
        found.left("a")                                             # its ticket is void, so nobody waits for it
        assert gone == ["a"] and await found.redeem(tickets[0]) is None

    asyncio.run(go())
