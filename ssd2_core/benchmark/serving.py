"""Speed and memory of the whole product: several visitors in one process, and the page in processes of its own."""

import json
import re
import secrets
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..config import ROOT, EnsembleParams, SamplingParams, Settings
from ..diffusion.describe import SUPPORT, describe, disagreement
from ..diffusion.ensemble import Ensemble
from ..diffusion.sampling import generate
from ..diffusion.simplex import entropy, log_probs
from ..diffusion.step import Step
from ..serving.batching import Batcher
from .measure import Figure, medians

FIGURES = re.compile(r"(\d+) steps \S+ \d+ forwards \S+ ([\d.]+) s")
STEPS = re.compile(r'\\"steps\\": ?\[[^\]]')        # a message to the viewer with at least one
CORE, READER = "compact-core", "compact-reader"
QUESTION = "What is the name of the dog?"
DOCUMENT = "Maria lives near the river with her dog, who is called Biscuit."


def visitor_figures() -> list[Figure]:
    """The bundled pair in one process: tokens a second of 1, 2, 4 and 8 visitors, and answers of 8, 16 and 32 steps a block."""
    from ..models.loading import load
    from ..text.documents import passages
    from ..text.prompts import contexts
    core, reader, texts = load(CORE), load(READER), passages(DOCUMENT)
    L, seen = 16, []

    def answer(count: int, num_steps: int = 16) -> None:
        params = SamplingParams(num_steps=num_steps, block_length=L, max_new_tokens=L)
        batcher, runs = Batcher(), []
        for seed in range(count):
            given = {name: (expert, contexts(expert.tokenizer, expert.config, QUESTION, (), texts))
                     for name, expert in (("core", core), ("me", reader))}
            bound = {name: expert.model.bind(c.ids, c.bare_ids) for name, (expert, c) in given.items()}
            ensemble = Ensemble(bound, EnsembleParams({"me": 0.5}))
            runs.append((ensemble, generate(ensemble, params, torch.Generator(device=core.model.device).manual_seed(seed))))
        for _ in range(num_steps):
            known = batcher.logits(runs) if count > 1 else {}
            for _, steps in runs:
                seen[:] = [steps.make_step(known=known)]
                describe(seen[0])

    def charts(step: Step) -> None:
        """What a step computes for the charts alone."""
        log_p = log_probs(step.prediction.logits)
        entropy(log_p).tolist()
        disagreement(step.prediction, [part.topk(SUPPORT).indices for part in step.prediction.parts.values()]).tolist()

    calls = {f"{n} visitors": lambda n=n: answer(n) for n in (1, 2, 4, 8)}
    found = medians(calls | {f"{T} steps": lambda T=T: answer(1, T) for T in (8, 32)} | {"charts": lambda: charts(seen[-1])}, 5)
    found["16 steps"] = found["1 visitors"]
    rate = {n: n * L / found[f"{n} visitors"] for n in (1, 2, 4, 8)}
    out = [Figure("visitors_8_over_1", rate[8] / rate[1], "ratio", f"{CORE} + {READER}, 16 steps, tokens a second")]
    out += [Figure(f"tokens_per_second_{n}", r, "tokens/s", f"{n} visitors together") for n, r in rate.items()]
    charts_over_step = found["charts"] / (found["16 steps"] / 16)
    out += [Figure("charts_over_step", charts_over_step, "ratio", "what only the charts need, of a step")]
    return out + [Figure(f"block_ms_T{T}", 1000 * found[f"{T} steps"], "ms", f"one visitor, a block of {L} with its contexts")
                  for T in (8, 16, 32)]


class Peak(threading.Thread):
    """The most memory that a process and its children held at once, looked at ten times a second."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.pid, self.most, self.over = pid, 0, threading.Event()

    def run(self) -> None:
        """Look until ``over`` is set."""
        import psutil
        while not self.over.wait(0.1):
            try:
                root = psutil.Process(self.pid)
                self.most = max(self.most, sum(p.memory_info().rss for p in (root, *root.children(recursive=True))))
            except psutil.Error:
                continue


@contextmanager
def opened_app(*options: str) -> Iterator[tuple[str, subprocess.Popen, float]]:
    """app.py in a process of its own: its address, the process, and the seconds until it served its page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, began = f"http://127.0.0.1:{port}/", time.monotonic()
    app = subprocess.Popen([sys.executable, "app.py", "--port", str(port), *options], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).read()
                break
            except OSError:
                if app.poll() is not None or time.monotonic() - began > 120:
                    raise RuntimeError("the page did not open") from None
                time.sleep(0.05)
        yield address, app, time.monotonic() - began
    finally:
        app.terminate()
        app.wait(20)


def page_figures() -> list[Figure]:
    """The page in processes of its own: until it opens, until it answers, memory, and its speed against the engine's alone."""
    began = time.monotonic()
    with opened_app() as (address, app, usable):
        peak = Peak(app.pid)
        peak.start()
        from gradio_client import Client
        client = Client(address, verbose=False)
        client.predict(QUESTION, DOCUMENT, api_name="/generate")
        first = time.monotonic() - began
        ratio = attached_over_headless(address)
        peak.over.set()
    return [Figure("page_usable_s", usable, "s", "app.py started, page served"),
            Figure("first_answer_s", first, "s", "app.py started, first answer complete, the compact pair"),
            Figure("peak_memory_mb", peak.most / 1e6, "MB", "page and worker together, during those answers"), ratio]


class Visitor:
    """Asks as the page's own Send button does, over HTTP, and reads all that the page would be sent.

    first_step: when the first step of the last answer came, by time.perf_counter.
    """

    def __init__(self, address: str, **values: object):
        import httpx
        self.address, self.http = address, httpx.Client(timeout=120)
        config = self.http.get(f"{address}config").json()
        ids = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
        self.send = next(d for d in config["dependencies"] if [ids["send"], "click"] in [list(t) for t in d["targets"]])
        given = {c["id"]: c["props"].get("value") for c in config["components"]} | {ids[k]: v for k, v in values.items()}
        self.data = [given[i] for i in self.send["inputs"]]

    def ask(self) -> float:
        """Steps a second that the worker made, as the page's line of figures says."""
        session = secrets.token_hex(5)
        job = {"data": self.data, "fn_index": self.send["id"], "session_hash": session, "event_data": None, "trigger_id": None}
        self.http.post(f"{self.address}gradio_api/queue/join", json=job).raise_for_status()
        found, self.first_step = [], None
        with self.http.stream("GET", f"{self.address}gradio_api/queue/data", params={"session_hash": session}) as answer:
            for line in answer.iter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                text = json.dumps(message, ensure_ascii=False)
                if self.first_step is None and STEPS.search(text):
                    self.first_step = time.perf_counter()
                found += FIGURES.findall(text)
                if message.get("msg") == "process_completed":
                    break
        if not found:
            raise RuntimeError("the page did not answer")
        return int(found[-1][0]) / float(found[-1][1])


def attached_over_headless(address: str) -> Figure:
    """Steps a second that the worker makes for the page, over those of the same engine without a page."""
    from ..protocol.messages import Document, Done, Request
    from ..serving.engines import ProcessEngine
    visitor = Visitor(address, prompt=QUESTION, pasted=DOCUMENT, **{"num-steps": 64, "max-new-tokens": 64, "early-exit": "off"})
    attached = visitor.ask
    request = Request("", QUESTION, CORE, (READER,), (Document("d", DOCUMENT),), (),
                      SamplingParams(num_steps=64, max_new_tokens=64), EnsembleParams({READER: 0.5}))
    with ProcessEngine(Settings(), preload=(CORE, READER)) as engine:
        def headless() -> float:
            *_, done = engine.stream(engine.submit(request))
            if not isinstance(done, Done):
                raise RuntimeError(f"the engine did not answer: {done}")
            return done.steps / done.seconds

        attached(), headless()
        rates = [(attached(), headless()) for _ in range(5)]
    value = statistics.median(a / h for a, h in rates)
    return Figure("page_over_headless", value, "ratio", "worker's steps a second, five runs in turn")
