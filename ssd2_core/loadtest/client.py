"""A tab of the page without a browser: gradio's own addresses, as the page's script uses them, and all that it is told."""

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

TICK_SECONDS, SILENT_SECONDS = 2.0, 60.0
WORD = re.compile(r"[A-Za-z]{3,}")
INSIDE = ("Traceback", "site-packages", "Errno", '.py"', "object at 0x")
MAX_SENTENCE = 400


@dataclass(frozen=True)
class Site:
    """A server as the page's script knows it: events by name, components by number."""

    http: httpx.AsyncClient
    address: str
    events: dict[str, dict]
    parts: dict[int, dict]

    @classmethod
    async def of(cls, server) -> "Site":
        """Read the page's configuration."""
        config = (await server.http.get(f"{server.address}/config")).json()
        return cls(server.http, server.address, {event["api_name"]: event for event in reversed(config["dependencies"])},
                   {part["id"]: part["props"] for part in config["components"]})

    def values(self, event: str, **changed) -> list:
        """An event's inputs as the page first sends them, with changes by elem_id (with _ for -)."""
        out = []
        for number in self.events[event]["inputs"]:
            name = (self.parts[number].get("elem_id") or "").replace("-", "_")
            out.append(changed.pop(name, self.parts[number].get("value")) if name else None)
        if changed:
            raise ValueError(f"{event} has no input {', '.join(changed)}")
        return out


@dataclass
class Heard:
    """All that a tab was told of one event. viewer: the last message to it. chat: the conversation at the end.

    said: sentences beside the answer. runs: ids of runs. words: all that was shown, cells of a step joined. steps: told so far.
    data: the outputs' last values. broke: why the event did not come to its end. event: its id; of others only words are noted.
    """

    asked: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    done: bool = False
    success: bool = False
    viewer: dict = field(default_factory=dict)
    chat: list = field(default_factory=list)
    data: list = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    steps: int = 0
    broke: str = ""
    event: str = ""

    @property
    def answer(self) -> str:
        """The last message of the chat."""
        return self.chat[-1]["text"] if self.chat else ""

    def take(self, message: dict) -> None:
        """Note one message of gradio's."""
        kind, output = message["msg"], message.get("output") or {}
        own = message.get("event_id", self.event) == self.event
        for text in texts_of(output.get("data")):
            self.words.update(WORD.findall(text))
            if text.startswith('{"run":'):
                self._show(json.loads(text), own)
        if not own:
            return
        if kind == "log":
            self.said.append(message["log"])
        elif kind == "process_completed":
            self.done, self.success, self.ended = True, message["success"], time.monotonic()
            self.data = output.get("data") or []
            if not message["success"]:
                self.said.append(output.get("error") or "")
            elif len(self.data) > 1 and isinstance(self.data[1], str):
                self.chat = json.loads(self.data[1] or "[]")

    def _show(self, shown: dict, own: bool) -> None:
        """Note a message to the viewer; the words of a step stand in its cells piece by piece."""
        self.words.update(word for step in shown["steps"] for word in WORD.findall("".join(step["t"])))
        for text in texts_of([shown["read"], shown["head"], shown["note"]]):
            self.words.update(WORD.findall(text))
        if own:
            self.viewer, self.steps = shown, shown["from"] + len(shown["steps"])
            self.runs.add(shown["run"])


def texts_of(value: object) -> Iterator[str]:
    """Every string inside ``value``."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts_of(inner)


def is_sentence(text: str) -> bool:
    """Whether a visitor should read this: one clear line without anything of the server's inside."""
    text = text.strip()
    return bool(text) and "\n" not in text and len(text) <= MAX_SENTENCE and not any(word in text for word in INSIDE)


class Tab:
    """One session of a visitor. pause: seconds that a slow reader takes over each message."""

    def __init__(self, site: Site, pause: float = 0.0):
        self.site, self.pause, self.session = site, pause, secrets.token_hex(6)
        self._open = asyncio.Event()
        self._tasks: list[asyncio.Task] = []

    async def __aenter__(self) -> "Tab":
        self._tasks = [asyncio.create_task(self._heart()), asyncio.create_task(self._tick())]
        await asyncio.wait_for(self._open.wait(), SILENT_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _heart(self) -> None:
        """The connection by whose end the server knows that the tab was closed."""
        heart = f"{self.site.address}/gradio_api/heartbeat/{self.session}"
        with contextlib.suppress(httpx.HTTPError):              # one that never opened is told by who waits for it
            async with self.site.http.stream("GET", heart, timeout=None) as answer:
                async for _ in answer.aiter_lines():
                    self._open.set()

    async def _tick(self) -> None:
        """Ask how things are, as an open page does."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            with contextlib.suppress(httpx.HTTPError):
                await self.quick("tick", ["compact-core"])

    def _body(self, event: str, data: list) -> dict:
        return {"data": data, "fn_index": self.site.events[event]["id"], "session_hash": self.session}

    async def quick(self, event: str, data: list | None = None) -> httpx.Response:
        """An event that does not queue."""
        return await self.site.http.post(f"{self.site.address}/gradio_api/run/predict", json=self._body(event, data or []))

    async def event(self, name: str, data: list, heard: Heard | None = None) -> Heard:
        """An event to its end; ``heard`` grows meanwhile. What broke it off stands in ``broke``."""
        heard = heard or Heard()
        try:
            async with asyncio.timeout(2 * SILENT_SECONDS):
                joined = await self.site.http.post(f"{self.site.address}/gradio_api/queue/join", json=self._body(name, data))
                if joined.status_code != 200:
                    heard.done, heard.ended = True, time.monotonic()
                    heard.said.append(str(joined.json().get("detail", "")) if joined.text.startswith("{") else joined.text)
                    return heard
                heard.event = joined.json()["event_id"]
                await self._listen(heard)
        except (httpx.HTTPError, TimeoutError) as error:
            heard.broke = f"{type(error).__name__} {error}".strip()
        return heard

    async def _listen(self, heard: Heard) -> None:
        where = f"{self.site.address}/gradio_api/queue/data"
        async with self.site.http.stream("GET", where, params={"session_hash": self.session}) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    heard.take(json.loads(line[5:]))
                    if heard.done:
                        return
                    await asyncio.sleep(self.pause)
        heard.broke = heard.broke or "the stream ended before the answer did"

    async def ask(self, heard: Heard | None = None, **changed) -> Heard:
        """A question, with the page's settings changed."""
        return await self.event("send", self.site.values("send", **changed), heard)

    async def upload(self, *files: tuple[str, bytes]) -> httpx.Response:
        """Send files. Its JSON has their paths on the server."""
        sent = [("files", file) for file in files]
        return await self.site.http.post(f"{self.site.address}/gradio_api/upload", files=sent)

    async def bring(self, event: str, data: list, *files: tuple[str, bytes]) -> Heard:
        """Send files and then the event that takes them; ``data`` follows their list."""
        sent = await self.upload(*files)
        if sent.status_code != 200:
            return Heard(done=True, ended=time.monotonic(), said=[sent.text])
        paths = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in sent.json()]
        return await self.event(event, [paths, *data])
