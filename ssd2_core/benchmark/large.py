"""A core of 13B parameters and a user of 125M with random weights, through the real way of loading: for one large GPU."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from ..models import loading
from ..models.ssd2 import SSD2Config, SSD2Model
from ..registry import cards
from .measure import Figure, medians
from .steps import Bare, Yardstick

SHAPES = {  # OPT: layers, hidden, heads, ffn
    "core": (40, 5120, 40, 20_480), "user": (12, 768, 12, 3072)}
VOCAB, POSITIONS, L = 50_272, 4096, 32
CASES = ((128, 1), (2048, 1), (128, 16), (2048, 16))           # tokens of context, rows
TOP = 15


def config_of(name: str) -> SSD2Config:
    """An OPT backbone of a named shape as an expert."""
    layers, hidden, heads, wide = SHAPES[name]
    backbone = {"model_type": "opt", "vocab_size": VOCAB, "hidden_size": hidden, "ffn_dim": wide, "num_hidden_layers": layers,
                "num_attention_heads": heads, "word_embed_proj_dim": hidden, "max_position_embeddings": POSITIONS,
                "tie_word_embeddings": True}
    return SSD2Config(backbone, context_mode="causal", eos_token_id=None, role="core" if name == "core" else "reader")


def write_random(name: str, folder: Path, device: str) -> None:
    """A model folder with random bfloat16 weights in shards, and any tokenizer: what it says does not matter here."""
    random_network(lambda: SSD2Model(config_of(name)), device).save_pretrained(folder, max_shard_size="4GB")
    add_tokenizer(folder)


def random_network(make: Callable[[], nn.Module], device: str) -> nn.Module:
    """The network that ``make`` makes, with random bfloat16 weights on a device."""
    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            return make()
    finally:
        torch.set_default_dtype(kept)


def add_tokenizer(folder: Path) -> None:
    """Any tokenizer."""
    (folder / "tokenizer.json").write_bytes((cards.BUNDLED / "compact-core" / "tokenizer.json").read_bytes())


def large_figures(device: str) -> tuple[list[Figure], list[dict]]:
    """Loading, memory, steps a second of both experts together, and where the time of a step goes."""
    device_map = "auto" if device == "cuda" else None
    with tempfile.TemporaryDirectory() as home:
        loading.make_plan("the large core", config_of("core"), torch.bfloat16, device_map).check()
        models, out = [], []
        for name in SHAPES:
            write_random(name, Path(home) / name, device)
            if device == "cuda":
                torch.cuda.empty_cache()
            start = time.perf_counter()
            models.append(loading.load(str(Path(home) / name), device_map, "bfloat16").model)
            out.append(Figure(f"load_{name}_s", time.perf_counter() - start, "s",
                              f"{sum(p.numel() for p in models[-1].parameters()):,} parameters, bfloat16, device map auto"))
    for C, rows in CASES:
        out += case_figures(models, C, rows)
    if device == "cuda":
        out.append(Figure("peak_gpu_gb", torch.cuda.max_memory_allocated() / 1e9, "GB", "all of the above"))
    (C, rows), per_second = CASES[0], {f.name: f.value for f in out}
    rows_of, busy = profile(Bare(models, C, L, rows))
    out.append(Figure(f"busy_share_C{C}_B{rows}", busy * per_second[f"steps_per_second_C{C}_B{rows}"], "ratio",
                      "of a step's time the device computes; on a GPU the rest waits for launches"))
    return out, rows_of


def case_figures(models: list[SSD2Model], C: int, rows: int) -> list[Figure]:
    """Both experts after C tokens in each row: steps a second, against the bare networks and the plain decoder."""
    bare, what = Bare(models, C, L, rows), f"core and user, L {L}, C {C}, {rows} row{'s' if rows > 1 else ''}"
    calls = {"step": bare.step, "forward": bare.forward, "layers": bare.layers}
    if rows == 1:
        calls["yardstick"] = Yardstick(bare).step
    found = medians(calls)
    ratios = [Figure(f"{name}_C{C}_B{rows}", value, "ratio", what) for name, value in (
        ("step_over_forward", found["step"] / found["forward"]), ("step_over_layers", found["step"] / found["layers"]))]
    if rows == 1:
        ratios.append(Figure(f"yardstick_over_step_C{C}", found["yardstick"] / found["step"], "ratio",
                             f"{what}; the yardstick runs the core alone"))
    return [Figure(f"steps_per_second_C{C}_B{rows}", 1 / found["step"], "steps/s", what),
            Figure(f"tokens_per_second_C{C}_B{rows}", rows * L / 16 / found["step"], "tokens/s", f"{what}, 16 steps a block"),
            *ratios]


def profile(bare: Bare, steps: int = 5) -> tuple[list[dict], float]:
    """The costliest operations of a step: name, milliseconds a step on the device, share of all. -> (these, seconds of all)."""
    from torch.profiler import ProfilerActivity
    on_gpu = torch.cuda.is_available()
    bare.step()
    with torch.profiler.profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as seen:
        for _ in range(steps):
            bare.step()
    spent = {e.key: (e.self_device_time_total if on_gpu else e.self_cpu_time_total) for e in seen.key_averages()
             if e.key.startswith("aten::")}         # kernels are listed again beside them, with the same time
    total = sum(spent.values()) or 1.0
    best = sorted(spent, key=spent.get, reverse=True)[:TOP]
    return ([{"name": key, "ms": round(spent[key] / 1000 / steps, 4), "share": round(spent[key] / total, 4)} for key in best],
            total / 1e6 / steps)
