"""`python -m ssd2_core bench`: speed and memory, each figure a median of interleaved repeats within one run.

The yardstick is a plain decoder as SSD-LM's public one works: the whole context at every step, the head on every position, the
vocabulary sorted in full. It uses the same weights.
"""

import math
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from .batching import Batcher
from .config import EnsembleParams, SamplingParams, Settings
from .context import bind_rows, blocked
from .ensemble import Ensemble
from .model import SSD2Config, SSD2Model
from .sampling import generate
from .simplex import add_noise, alpha_bar

REPEATS = 9
SHAPES = {  # layers, hidden, heads, intermediate, vocabulary
    "small": (6, 288, 6, 768, 2048), "base": (12, 768, 12, 3072, 50_000), "135M": (30, 576, 9, 1536, 49_152)}
CORE, READER = "compact-core", "compact-reader"
QUESTION = "What is the name of the dog?"
DOCUMENT = "Maria lives near the river with her dog, who is called Biscuit."


@dataclass(frozen=True)
class Figure:
    """One measured number. detail: how it came about, in words."""

    name: str
    value: float
    unit: str
    detail: str


def medians(calls: dict[str, Callable[[], object]], repeats: int = REPEATS) -> dict[str, float]:
    """Median seconds of each call. Every repeat makes all in turn, so that a slow moment meets all; the first warms up."""
    seen: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                seen[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seen.items()}


def random_expert(shape: str, dtype: torch.dtype, device: str) -> SSD2Model:
    """An untrained expert of a named shape: speed does not depend on what the weights say."""
    layers, hidden, heads, wide, vocab = SHAPES[shape]
    backbone = {"model_type": "llama", "vocab_size": vocab, "hidden_size": hidden, "intermediate_size": wide,
                "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": heads,
                "max_position_embeddings": 4096, "tie_word_embeddings": True}
    torch.manual_seed(0)
    return SSD2Model(SSD2Config(backbone, context_mode="causal", eos_token_id=None)).to(device, dtype).eval()


class Bare:
    """One step of one expert after C tokens, and the network's own part of it: L positions on the cached context."""

    def __init__(self, model: SSD2Model, C: int, L: int):
        self.model, self.L = model, L
        self.rows = [[5 + i % (model.config.vocab_size - 5) for i in range(C)]]
        self.bound = bind_rows(model, self.rows)
        self.params = SamplingParams(num_steps=5000, block_length=L, max_new_tokens=L)
        self.steps = None
        self.block = torch.randn(1, L, model.get_input_embeddings().embedding_dim, device=model.device, dtype=model.dtype)

    def step(self) -> None:
        """One step of ``generate``, with noise, projection and what a frame needs."""
        if self.steps is None:
            self.steps = generate(self.bound, self.params, torch.Generator(device=self.model.device).manual_seed(0))
        if next(self.steps, None) is None:
            self.steps = None

    @torch.no_grad()
    def forward(self) -> None:
        """The same positions through the network and its head, nothing else."""
        self.bound.context.denoise(self.block)


class Yardstick:
    """A step of a plain decoder on the same weights."""

    def __init__(self, bare: Bare):
        self.model, self.L = bare.model, bare.L
        self.ids = torch.tensor(bare.rows, device=self.model.device)
        self.V, self.K = self.model.lm.config.vocab_size, self.model.config.simplex_value
        self.x_t = self.K * torch.randn(1, self.L, self.V, device=self.model.device)
        n = self.ids.shape[1] + self.L
        self.mask = blocked(torch.ones(1, n, n, dtype=torch.bool, device=self.model.device), self.model.dtype)
        self.positions = torch.arange(n, device=self.model.device).unsqueeze(0)

    @torch.no_grad()
    def step(self, u: float = 0.5, top_p: float = 0.95) -> None:
        """Context again, head everywhere, full sort, multi-hot projection, fresh noise."""
        model = self.model
        context = model.get_input_embeddings()(self.ids)
        block = model.embed_block(self.x_t, torch.full((1, self.L), u, device=self.x_t.device), None)
        logits = model.head(model.trunk(torch.cat([context, block], 1), self.mask, self.positions))[:, -self.L:]
        ordered, index = logits.sort(-1, descending=True)
        probs = ordered.softmax(-1)
        best = probs.cumsum(-1) - probs <= top_p
        keep = best.scatter(-1, index, best)
        x_0 = torch.where(keep, self.K, -self.K)
        self.x_t = add_noise(x_0, alpha_bar(u), self.K * torch.randn_like(self.x_t))


def step_figures(shape: str, dtype: torch.dtype, device: str, context: int) -> list[Figure]:
    """A step against its own forward, against the yardstick, at other contexts and block lengths."""
    model = random_expert(shape, dtype, device)
    about = f"{shape} {'x'.join(map(str, SHAPES[shape][:2]))}, V {SHAPES[shape][4]:,}, {str(dtype).removeprefix('torch.')}"
    sizes = [*((C, 32) for C in (128, 512, 2048)), *((context, L) for L in (16, 25, 32, 64))]
    bare = {size: Bare(model, *size) for size in dict.fromkeys(sizes)}
    yard = Yardstick(bare[context, 25])
    calls = {f"step {C} {L}": b.step for (C, L), b in bare.items()}
    calls |= {f"forward {C} {L}": b.forward for (C, L), b in bare.items()}
    found = medians(calls | {"yardstick": yard.step})
    s = lambda C, L: found[f"step {C} {L}"]  # noqa: E731
    out = [Figure("step_over_forward", s(context, 32) / found[f"forward {context} 32"], "ratio", f"{about}, C {context}, L 32"),
           Figure("yardstick_over_step", found["yardstick"] / s(context, 25), "ratio", f"{about}, C {context}, L 25"),
           Figure("context_2048_over_128", s(2048, 32) / s(128, 32), "ratio", f"{about}, L 32")]
    out += [Figure(f"step_ms_C{C}_L{L}", 1000 * s(C, L), "ms", about) for C, L in bare]
    return [*out, Figure("yardstick_ms", 1000 * found["yardstick"], "ms", f"{about}, C {context}, L 25")]


def visitor_figures() -> list[Figure]:
    """Tokens a second of 1, 2, 4 and 8 visitors of the bundled pair, in one process."""
    from .documents import passages
    from .library import load
    from .prompts import contexts
    core, reader, texts = load(CORE), load(READER), passages(DOCUMENT)
    params = SamplingParams(num_steps=16, block_length=16, max_new_tokens=16)

    def answer(count: int) -> None:
        batcher, runs = Batcher(), []
        for seed in range(count):
            given = {name: (expert, contexts(expert.tokenizer, expert.config, QUESTION, (), texts))
                     for name, expert in (("core", core), ("me", reader))}
            bound = {name: expert.model.bind(c.ids, c.bare_ids) for name, (expert, c) in given.items()}
            ensemble = Ensemble(bound, EnsembleParams({"me": 0.5}))
            runs.append((ensemble, generate(ensemble, params, torch.Generator().manual_seed(seed))))
        for _ in range(params.num_steps):
            if count > 1:
                batcher.prefetch([(e, steps.ask) for e, steps in runs])
            for _, steps in runs:
                next(steps)

    found = medians({str(n): lambda n=n: answer(n) for n in (1, 2, 4, 8)}, 5)
    rate = {n: int(n) * params.block_length / seconds for n, seconds in found.items()}
    out = [Figure("visitors_8_over_1", rate["8"] / rate["1"], "ratio", f"{CORE} + {READER}, 16 steps, tokens a second")]
    return out + [Figure(f"tokens_per_second_{n}", r, "tokens/s", f"{n} visitors together") for n, r in rate.items()]


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


def page_figures() -> list[Figure]:
    """The page in processes of its own: until it opens, until it answers, memory, and its speed against the engine's alone."""
    import socket
    import urllib.request
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, began = f"http://127.0.0.1:{port}/", time.monotonic()
    app = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=Path(__file__).parent.parent,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = Peak(app.pid)
    peak.start()
    try:
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).read()
                break
            except OSError:
                if app.poll() is not None or time.monotonic() - began > 120:
                    raise RuntimeError("the page did not open") from None
                time.sleep(0.05)
        usable = time.monotonic() - began
        from gradio_client import Client
        client = Client(address, verbose=False)
        client.predict(QUESTION, DOCUMENT, api_name="/generate")
        first = time.monotonic() - began
        ratio = attached_over_headless(client)
    finally:
        peak.over.set()
        app.terminate()
        app.wait(20)
    return [Figure("page_usable_s", usable, "s", "app.py started, page served"),
            Figure("first_answer_s", first, "s", "app.py started, first answer complete, the compact pair"),
            Figure("peak_memory_mb", peak.most / 1e6, "MB", "page and worker together, during those answers"), ratio]


def attached_over_headless(client) -> Figure:
    """Steps a second that the worker makes for the page's endpoint, over those of the same engine without a page."""
    from .engine import ProcessEngine
    from .protocol import Document, Done, Request
    steps = {"steps": 64, "max_tokens": 64}

    def attached() -> float:
        *_, done = client.submit(QUESTION, DOCUMENT, **steps, api_name="/generate")
        return done["steps"] / done["seconds"]

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


def machine(device: str) -> dict:
    """What the figures were measured on."""
    import transformers
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.processor() or platform.machine()
    return {"device": name, "threads": torch.get_num_threads(), "cpus": os.cpu_count(), "python": platform.python_version(),
            "torch": torch.__version__, "transformers": transformers.__version__}


def run(shape: str, context: int, dtype: str, parts: list[str]) -> dict:
    """All figures of the chosen parts as {"figures", "machine"}."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = getattr(torch, dtype) if dtype != "auto" else torch.bfloat16 if device == "cuda" else torch.float32
    figures: list[Figure] = []
    if "steps" in parts:
        figures += step_figures(shape, kind, device, context)
    if "visitors" in parts:
        figures += visitor_figures()
    if "page" in parts:
        figures += page_figures()
    return {"figures": [asdict(f) | {"value": rounded(f.value)} for f in figures], "machine": machine(device)}


def rounded(value: float) -> float:
    """Three significant digits."""
    return round(value, 2 - math.floor(math.log10(abs(value)))) if value else 0.0


def table(found: dict) -> str:
    """The figures as lines."""
    lines = [f"{f['name']:26} {f['value']:>10g} {f['unit']:9} {f['detail']}" for f in found["figures"]]
    return "\n".join([*lines, ", ".join(f"{k} {v}" for k, v in found["machine"].items())])
