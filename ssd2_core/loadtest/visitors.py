"""The crowd: visitors with different habits who come, ask, stop, leave and come back, while the worker is killed."""

import asyncio
import json
import os
import random
import time
from contextlib import suppress
from pathlib import Path

import httpx

from ..registry.cards import BUNDLED, tokenizer_hash
from ..registry.manifests import write_manifest
from .client import Heard, Site, Tab
from .questions import GENERAL, KINDS, SHORT, Question, Tally, Words, make, repackaged
from .report import ANSWER_GOAL, crowd_figures, goals_missed
from .server import Server

READER = BUNDLED / "compact-reader"
THINK = (0.4, 1.6)                      # times the plan's, between an answer and the next question
CLOSES, SLOW, CLEARS = 0.08, 0.1, 0.5   # shares of questions whose tab is closed, of slow readers, of talks begun anew
MOMENT = 2.0                            # seconds within which a tab is closed or a long answer is stopped
SLOW_SECONDS = 0.2
MAX_TRIES, AGAIN_SECONDS = 40, (1.0, 4.0)
LAST_SECONDS = 150.0                    # that the last questions may take


class Visitor:
    """One visitor: opens a tab, asks some questions, closes it, and so on until ``over``."""

    def __init__(self, number: int, site: Site, words: Words, tally: Tally, over: asyncio.Event, think: float, seed: int):
        self.number, self.site, self.words, self.tally, self.over, self.think = number, site, words, tally, over, think
        self.rng = random.Random(f"{seed}/{number}")
        self.owns = False

    async def live(self) -> None:
        """Visit after visit."""
        await self._pause()
        while not self.over.is_set():
            try:
                self.owns = False
                pause = SLOW_SECONDS if self.rng.random() < SLOW else 0.0
                async with Tab(self.site, pause) as tab:
                    await self._visit(tab)
            except (httpx.HTTPError, TimeoutError) as error:
                self.tally.failures.append(f"visitor {self.number}: the server did not answer: {type(error).__name__} {error}")
                await self._pause()

    async def _visit(self, tab: Tab) -> None:
        for number in range(self.rng.randint(2, 6)):
            if self.over.is_set():
                return
            kind, = self.rng.choices(list(KINDS), list(KINDS.values()))
            question = make(kind, number, self.words, self.number)
            if self.rng.random() < CLEARS:
                await tab.quick("clear")
            if not await self._prepare(tab, question):
                continue
            if not await self._question(tab, question):
                return
            await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), self.think * self.rng.uniform(*THINK))

    async def _prepare(self, tab: Tab, question: Question) -> bool:
        """Send what the question needs. False when it could not be sent now, for which there must be a sentence."""
        if question.kind == "file":
            sent = ("note.txt", question.document.encode())
            heard = await tab.bring("take_files", [None, None], sent)
        elif question.kind == "own" and not self.owns:
            heard = await tab.bring("take", ["compact-core"], *own_model(f"{self.number}-{tab.session}"))
            self.owns = heard.success and not heard.said
        else:
            return True
        if heard.success and not heard.said:
            self.tally.ends["taken"] += 1
            return True
        self.tally.note(Question(f"sending {question.kind}", ""), heard, self.number, self.words)
        return False

    async def _question(self, tab: Tab, question: Question) -> bool:
        """Ask until there is an answer. False when the tab was closed meanwhile."""
        closes = self.rng.random() < CLOSES
        for tried in range(MAX_TRIES):
            if tried:
                await asyncio.sleep(self.rng.uniform(*AGAIN_SECONDS))
                if self.over.is_set():
                    return True
                self.tally.asked_again += tried == 1
            heard = Heard()
            asking = asyncio.create_task(tab.ask(heard, prompt=question.prompt, **question.settings))
            if closes or question.kind == "long":
                await asyncio.wait({asking}, timeout=self.rng.uniform(0, MOMENT))
            left = closes and not asking.done()
            if left:
                asking.cancel()
            elif question.kind == "long" and not asking.done():
                await tab.quick("stop")
            await asyncio.wait({asking})
            if not left:
                asking.result()
            end = self.tally.note(question, heard, self.number, self.words, left)
            if end != "sentence":
                self.tally.answered_again += tried > 0 and end in ("answered", "stopped")
                return not left
        self.tally.failures.append(f"visitor {self.number}, {question.kind}: had no answer in {MAX_TRIES} tries")
        return True


def own_model(mark: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    """The bundled reader as the two files that a visitor brings, unlike those of every other visitor."""
    config = json.loads((READER / "config.json").read_text(encoding="utf-8"))
    sheet = write_manifest(config, tokenizer_hash(READER / "tokenizer.json"), f"Mine {mark}")
    return ("mine.safetensors", repackaged((READER / "model.safetensors").read_bytes(), mark)), ("mine.json", sheet)


async def killed(server: Server, site: Site, moment: float) -> dict:
    """Kill the worker ``moment`` seconds after the crowd came. -> seconds until it is ready, and until somebody is answered."""
    await asyncio.sleep(max(0.0, server.began + moment - time.monotonic()))
    before = (await server.health()).get("restarts", 0)
    while not server.kill_worker():
        await asyncio.sleep(0.02)
    at = time.monotonic()

    async def answered() -> tuple[float, int]:
        async with Tab(site) as tab:
            for tried in range(1, MAX_TRIES + 1):
                heard = await tab.ask(prompt=GENERAL, pick_compact_reader=False, **SHORT)
                if heard.viewer.get("line"):
                    return time.monotonic() - at, tried
                await asyncio.sleep(0.5)
        return LAST_SECONDS, MAX_TRIES

    async def ready() -> float:
        await server.until(lambda health: health.get("ready") and health["restarts"] > before, LAST_SECONDS, every=0.05)
        return time.monotonic() - at

    ready_s, (answer_s, tries) = await asyncio.gather(ready(), answered())
    return {"at_s": round(moment, 1), "ready_s": round(ready_s, 2), "answer_s": round(answer_s, 2), "tries": tries}


async def watched(server: Server, loads: list[float]) -> None:
    """Note memory and load, once a second."""
    while True:
        await asyncio.to_thread(server.sample)
        loads.append(os.getloadavg()[0])
        await asyncio.sleep(1.0)


async def crowd(plan, folder: Path) -> tuple[dict, list[str]]:
    """The whole soak. -> its figures, and what went wrong."""
    rng, tally, words, over, loads = random.Random(plan.seed), Tally(), Words(plan.seed), asyncio.Event(), []
    async with Server(folder) as server:
        site = await Site.of(server)
        watch = asyncio.create_task(watched(server, loads))
        visitors = [asyncio.create_task(Visitor(n, site, words, tally, over, plan.think, plan.seed).live())
                    for n in range(plan.visitors)]
        moments = sorted(rng.uniform(0.05, 0.95) * plan.seconds for _ in range(plan.kills))
        killing = asyncio.gather(*(killed(server, site, moment) for moment in moments), return_exceptions=True)
        await asyncio.sleep(plan.seconds)
        ended = await killing
        kills = [kill for kill in ended if isinstance(kill, dict)]
        over.set()
        _, hanging = await asyncio.wait(visitors, timeout=LAST_SECONDS)
        for task in hanging:
            task.cancel()
        watch.cancel()
        failures = [f"a visitor hangs since {LAST_SECONDS:g} s" for _ in hanging]
        failures += [f"a visitor's script failed: {task.exception()!r}" for task in visitors
                     if task.done() and not task.cancelled() and task.exception()]
        failures += [f"the server did not come back after a kill: {kill!r}" for kill in ended if not isinstance(kill, dict)]
        failures += [f"the log has a traceback: {line[:200]}" for line in server.tracebacks()]
        failures += await left_behind(server)
        figures = crowd_figures(tally, kills, server.samples, loads, await server.health())
    return figures, tally.failures + failures + goals_missed(figures, plan.seconds)


async def left_behind(server: Server) -> list[str]:
    """What is still there after the last visitor left: places that are taken, files that they sent.

    Gradio leaves an empty file for each that it was sent; the doors sweep these away.
    """
    out = []
    try:
        await server.until_idle(ANSWER_GOAL)
    except TimeoutError:
        out.append(f"places were not given back: {await server.health()}")
    for _ in range(50):
        files = [path for path in server.folder.rglob("*") if path.is_file() and path.name != "app.log" and path.stat().st_size]
        if not files:
            return out
        await asyncio.sleep(0.1)
    return [*out, f"{len(files)} files of visitors lie on the disk, {files[0].relative_to(server.folder)} first"]
