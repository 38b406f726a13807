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
            assert not await found.redeem(wrong, "back")
        found.left("ann")
        both = await asyncio.gather(found.redeem(ticket, "back"), found.redeem(ticket, "thief"))
        assert both == [True, False] and not await found.redeem(ticket, "thief") and gone == []
        assert [found.visitor(session) for session in ("ann", "back", "thief")] == ["ann", "ann", "thief"]
        assert found.ticket("back") != ticket

    asyncio.run(go())


def test_who_is_still_here_keeps_the_ticket(monkeypatch):
    monkeypatch.setattr("ssd2_core.ui.session_tickets.NOTICE_SECONDS", 0.2)

    async def go():
        found, gone = returns()
        ticket = found.ticket("ann")
        assert not await found.redeem(ticket, "copy")               # a second tab with a copy of it
        asyncio.get_running_loop().call_later(0.1, found.left, "ann")
        assert await found.redeem(ticket, "back")                   # noticed a little later

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
        assert gone == ["program", "ann"] and not await found.redeem(ticket, "back")

    asyncio.run(go())


def test_tickets_are_bounded(monkeypatch):
    monkeypatch.setattr("ssd2_core.ui.session_tickets.MAX_TICKETS", 3)

    async def go():
        found, gone = returns()
        tickets = [found.ticket(name) for name in "abcde"]
        found.left("e")
        assert await found.redeem(tickets[4], "back")
        found.left("a")                                             # its ticket is void, so nobody waits for it
        assert gone == ["a"] and not await found.redeem(tickets[0], "back")

    asyncio.run(go())


def test_who_comes_back_twice_stays_the_same_and_leaves_nothing():
    async def go():
        found, gone = returns(0.1)
        found.left("nobody's")
        first = found.ticket("ann")
        found.left("ann")
        assert await found.redeem(first, "second")
        again = found.ticket("second")
        found.left("second")
        assert await found.redeem(again, "third") and found.visitor("third") == "ann"
        found.left("third")                                         # without a new ticket nobody can come back
        assert sorted(gone) == ["ann", "nobody's", "second", "third"] and found.visitor("third") == "third"

    asyncio.run(go())
