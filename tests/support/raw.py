"""A visitor without a browser: speaks gradio's own addresses, sends what no page would, and reads what the server answers."""

import contextlib
import functools
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

FILE = {"_type": "gradio.FileData"}


def file_data(path: str, **more) -> dict:
    """A file as the page names it."""
    return {"path": path, "meta": FILE, **more}


@dataclass
class Outcome:
    """What came of one event. data: the outputs' last values. said: sentences that a visitor would see. steps: of its run."""

    done: bool = False
    data: list = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    steps: list[dict] = field(default_factory=list)

    @property
    def refusal(self) -> str:
        """The one sentence of a refusal; fails when there is none, more than one, or one that no visitor should read."""
        assert len(self.said) == 1, self
        return sentence(self.said[0])

    @property
    def viewer(self) -> dict:
        """The last message to the viewer."""
        return json.loads(self.data[0])

    @property
    def answer(self) -> str:
        """The last message of the chat."""
        return json.loads(self.data[1])[-1]["text"]


def sentence(text: str) -> str:
    """The text, if it is one clear line without anything of the server's inside."""
    inside = [word for word in ("Traceback", "site-packages", "line ", "Errno", ".py\"", "object at 0x") if word in text]
    assert text.strip() and "\n" not in text.strip() and len(text) <= 400 and not inside, text
    return text


def client(url: str) -> httpx.Client:
    """A client that takes a new connection for each request."""
    return httpx.Client(base_url=url, timeout=60, headers={"connection": "close"}, transport=httpx.HTTPTransport(verify=False))


@functools.cache
def page(url: str) -> tuple[httpx.Client, dict, dict]:
    """A client, the page's events by name and its components by number."""
    http = client(url)
    config = http.get("/config").json()
    return (http, {fn["api_name"]: fn for fn in reversed(config["dependencies"])},
            {part["id"]: part["props"] for part in config["components"]})


class Raw:
    """One session of a visitor who reads the page's settings and then sends what it likes."""

    def __init__(self, url: str, session: str = ""):
        self.url, self.session = url, session or secrets.token_hex(6)
        self.http, self.fns, self.parts = page(url)

    def places(self, name: str) -> list[str]:
        """Names of an event's inputs: their elem_id, or "" for what the page keeps."""
        return [self.parts[i].get("elem_id") or "" for i in self.fns[name]["inputs"]]

    def values(self, name: str, **changed) -> list:
        """An event's inputs as the page first sends them, with changes by elem_id (with _ for -)."""
        places, start = self.places(name), [self.parts[i].get("value") for i in self.fns[name]["inputs"]]
        unknown = set(changed) - {place.replace("-", "_") for place in places}
        assert not unknown, unknown
        return [changed.get(place.replace("-", "_"), value) if place else None
                for place, value in zip(places, start, strict=True)]

    def messages(self, name: str, data: list) -> Iterator[dict]:
        """Start an event and give its messages as they come."""
        body = {"data": data, "fn_index": self.fns[name]["id"], "session_hash": self.session}
        joined = self.http.post("/gradio_api/queue/join", content=json.dumps(body),    # with NaN, which httpx refuses
                                headers={"content-type": "application/json"})
        assert joined.status_code == 200, joined.text
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])

    def quick(self, name: str, data: list = ()) -> httpx.Response:
        """An event that does not queue, as the page sends it while another one is under way."""
        body = {"data": list(data), "fn_index": self.fns[name]["id"], "session_hash": self.session}
        return self.http.post("/gradio_api/run/predict", json=body)

    def event(self, name: str, data: list) -> Outcome:
        """An event to its end."""
        out = Outcome()
        for message in self.messages(name, data):
            follow(out, message)
        return out

    def ask(self, prompt: str = "What is the dog called?", **changed) -> Outcome:
        """A question, with the page's settings changed; a seed of its own, for the page would take another one each time."""
        return self.event("send", self.values("send", prompt=prompt, **{"seed": 0} | changed))

    def api(self, *data) -> tuple[list, list[str]]:
        """The endpoint for programs -> (all values, refusals). What is left out has its default."""
        start = [parameter["parameter_default"] for parameter in self.parameters()[1:]]
        body = [*data, *start[max(0, len(data) - 1):]] if data else []
        joined = self.http.post("/gradio_api/call/generate", content=json.dumps({"data": body}),
                                headers={"content-type": "application/json"})
        assert joined.status_code == 200, joined.text
        told = self.http.get(f"/gradio_api/call/generate/{joined.json()['event_id']}").text
        events = [part.split("\ndata: ") for part in told.strip().split("\n\n")]
        return ([json.loads(data)[0] for kind, data in events if kind == "event: generating"],
                [json.loads(data)["error"] for kind, data in events if kind == "event: error"])

    def parameters(self) -> list[dict]:
        """What the endpoint for programs takes."""
        return self.http.get("/gradio_api/info").json()["named_endpoints"]["/generate"]["parameters"]

    def upload(self, *files: tuple[str, bytes]) -> list[str]:
        """Send files. -> their paths on the server."""
        sent = self.http.post("/gradio_api/upload", files=[("files", file) for file in files])
        assert sent.status_code == 200, sent.text
        return sent.json()

    def bring(self, weights: bytes, sheet: dict, name: str = "mine") -> Outcome:
        """Bring an own model."""
        paths = self.upload((f"{name}.safetensors", weights), (f"{name}.json", json.dumps(sheet).encode()))
        return self.event("take", [[file_data(path) for path in paths], "compact-core"])

    @contextlib.contextmanager
    def open_tab(self) -> Iterator[None]:
        """A tab that is open within; the server hears of its end as from a browser."""
        with client(self.url).stream("GET", f"/gradio_api/heartbeat/{self.session}") as stream:
            lines = stream.iter_lines()             # kept, for the connection ends with it
            assert "ALIVE" in next(lines)
            yield


def follow(out: Outcome, message: dict) -> None:
    """Note a message in ``out``."""
    out.steps += (told(message) or {"steps": []})["steps"]
    if message["msg"] == "log":
        out.said.append(message["log"])
    elif message["msg"] == "process_completed":
        out.done = message["success"]
        if message["success"]:
            out.data = message["output"]["data"]
            out.steps += last_steps(out.data)
        else:
            out.said.append(message["output"]["error"] or "")


def last_steps(data: list) -> list[dict]:
    """The steps that came with the end of a question; what other events give has none."""
    try:
        return json.loads(data[0])["steps"]
    except (IndexError, KeyError, TypeError, ValueError):
        return []


def told(message: dict) -> dict | None:
    """The viewer's part of a message of a question under way."""
    if message["msg"] != "process_generating":
        return None
    value = message["output"]["data"][0]
    value = value[-1][2] if isinstance(value, list) and value else value
    return json.loads(value) if isinstance(value, str) and value else None
