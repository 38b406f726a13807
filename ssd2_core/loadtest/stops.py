"""How long a stop takes, at every point where a run can be: until its visitor is told and the server has let go of it."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from .client import Heard, Site, Tab
from .questions import LONG, end_of
from .report import STOP_GOAL
from .server import Server

TIMES = 5
# A text with ninety tokens to fill in: some thousand steps, whatever the experts say.
ENDLESS = {"prompt": "What is my dog called? It is [blank:30], [blank:30], [blank:30].",
           "pasted": "My dog is called Biscuit.", **LONG, "max_new_tokens": 128}
PLACES = 8                              # that are answered at once by default
START_SECONDS = 60.0


async def asked(tab: Tab, wanted: Callable[[Heard], object]) -> tuple[Heard, asyncio.Task]:
    """Ask a long question and wait until what was heard of it is as ``wanted``."""
    heard = Heard()
    task = asyncio.create_task(tab.ask(heard, **ENDLESS))
    while not wanted(heard):
        if task.done():
            raise RuntimeError(f"a long question ended before it was stopped: {heard.said or heard.broke or heard.answer}")
        await asyncio.sleep(0.002)
    return heard, task


async def pressed(server: Server, tab: Tab, heard: Heard, task: asyncio.Task, gone: Callable[[dict], object]) -> float:
    """Press Stop. -> seconds until the visitor is told and ``gone(health)`` is true."""
    at = time.monotonic()
    await tab.quick("stop")
    await task
    await server.until(gone, START_SECONDS)
    if end_of(heard) != "stopped":
        raise RuntimeError(f"a stopped question ended otherwise: {end_of(heard)} {heard.said or heard.broke or heard.answer}")
    return time.monotonic() - at


def idle(health: dict) -> bool:
    """Nobody is answered and nobody waits."""
    return bool(health) and not health["active"] and not health["queued"]


def at_step(least: int) -> Callable[[Server, Site], Awaitable[float]]:
    """Stop when so many steps were told."""
    async def measure(server: Server, site: Site) -> float:
        async with Tab(site) as tab:
            heard, task = await asked(tab, lambda heard: heard.viewer and heard.steps >= least)
            return await pressed(server, tab, heard, task, idle)
    return measure


async def others(server: Server, site: Site, stack: AsyncExitStack) -> list[asyncio.Task]:
    """Take every place with long questions of other visitors."""
    tasks = [(await asked(await stack.enter_async_context(Tab(site)), lambda heard: heard.viewer))[1] for _ in range(PLACES)]
    await server.until(lambda health: health.get("active") == PLACES, START_SECONDS)
    return tasks


async def waiting(server: Server, site: Site, closes: bool = False) -> float:
    """Stop, or close the tab, while all places are taken by others."""
    async with AsyncExitStack() as stack:
        tasks = await others(server, site, stack)
        async with Tab(site) as tab:
            heard, task = await asked(tab, lambda heard: heard.viewer)
            await server.until(lambda health: health.get("queued") == 1, START_SECONDS)
            if not closes:
                seconds = await pressed(server, tab, heard, task, lambda health: health.get("queued") == 0)
            else:
                task.cancel()
                at = time.monotonic()
        if closes:
            await server.until(lambda health: health.get("queued") == 0, START_SECONDS)
            seconds = time.monotonic() - at
        for other in tasks:
            other.cancel()
    await server.until_idle()
    return seconds


async def closed(server: Server, site: Site) -> float:
    """Close the tab in the midst of a block."""
    async with Tab(site) as tab:
        _, task = await asked(tab, lambda heard: heard.steps >= 20)
        task.cancel()
        at = time.monotonic()
    await server.until(idle, START_SECONDS)
    return time.monotonic() - at


async def starting(server: Server, site: Site) -> float:
    """Stop while there is no worker: it was killed and is starting again."""
    server.kill_worker()
    await server.until(lambda health: health and not health["ready"], START_SECONDS)
    async with Tab(site) as tab:
        heard, task = await asked(tab, lambda heard: heard.viewer)
        seconds = await pressed(server, tab, heard, task, idle)
    await server.until_ready(START_SECONDS)
    return seconds


POINTS = {"step 0": at_step(0), "mid-block": at_step(20), "between blocks": at_step(64), "queued": waiting,
          "closed tab": closed, "closed tab, queued": lambda server, site: waiting(server, site, closes=True),
          "worker starting": starting}


async def stops(plan, folder: Path) -> tuple[list[dict], list[str]]:
    """Every point some times on an otherwise idle server. -> a row for each, and what took too long."""
    rows = []
    async with Server(folder) as server:
        site = await Site.of(server)
        await at_step(1)(server, site)                      # the first question after a start is not like the others
        for point, measure in POINTS.items():
            seconds = [await measure(server, site) for _ in range(TIMES)]
            rows.append({"point": point, "median_ms": round(1000 * statistics.median(seconds)),
                         "worst_ms": round(1000 * max(seconds)), "times": TIMES})
    return rows, [f"a stop at {row['point']} took {row['worst_ms']} ms" for row in rows if row["worst_ms"] > 1000 * STOP_GOAL]
