"""`python -m ssd2_core bench`: speed and memory, each figure a median of interleaved repeats within one run."""

import argparse
import json
import os
import platform
from dataclasses import asdict

from ..config import check_int

USUAL = ("steps", "visitors", "page")
PARTS = ("steps", "visitors", "page", "pair", "browser", "compile", "ray", "large", "public")


def add_command(one: argparse.ArgumentParser) -> None:
    """The command and its options."""
    one.add_argument("--shape", choices=("small", "base", "135M"), default="base", help="of the untrained expert that steps")
    one.add_argument("--context", type=int, default=200, help="tokens before the block")
    one.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    one.add_argument("--part", action="append", choices=PARTS,
                     help=f"only this; may be repeated; {', '.join(USUAL)} when left out; large and public need a large GPU")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=command)


def command(args: argparse.Namespace) -> int:
    """Measure and print."""
    check_int("context", args.context, 1, 4000)
    found = run(args.shape, args.context, args.dtype, args.part or list(USUAL))
    print(json.dumps(found) if args.json else table(found))
    return 0


def run(shape: str, context: int, dtype: str, parts: list[str]) -> dict:
    """All figures of the chosen parts as {"figures", "machine"}, and of "large" also where its time goes as "profile"."""
    import torch

    from .measure import rounded
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = getattr(torch, dtype) if dtype != "auto" else torch.bfloat16 if device == "cuda" else torch.float32
    figures = []
    more = {}
    if "steps" in parts:
        from .steps import step_figures
        figures += step_figures(shape, kind, device, context)
    if "compile" in parts:
        from .steps import compile_figures
        figures += compile_figures(shape, kind, device, context)
    if "visitors" in parts:
        from .serving import visitor_figures
        figures += visitor_figures()
    if "page" in parts:
        from .serving import page_figures
        figures += page_figures()
    if "pair" in parts:
        from .pair import pair_figures
        figures += pair_figures()
    if "browser" in parts:
        from .browser import browser_figures
        figures += browser_figures()
    if "ray" in parts:
        from .ray import ray_figures
        figures += ray_figures()
    if "large" in parts:
        from .large import large_figures
        found, more["profile"] = large_figures(device)
        figures += found
    if "public" in parts:
        from .public import public_figures
        figures += public_figures(device)
    return {"figures": [asdict(f) | {"value": rounded(f.value)} for f in figures], "machine": machine(device), **more}


def machine(device: str) -> dict:
    """What the figures were measured on."""
    import torch
    import transformers
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.processor() or platform.machine()
    return {"device": name, "threads": torch.get_num_threads(), "cpus": os.cpu_count(), "python": platform.python_version(),
            "torch": torch.__version__, "transformers": transformers.__version__}


def table(found: dict) -> str:
    """The figures as lines."""
    lines = [f"{f['name']:26} {f['value']:>10g} {f['unit']:9} {f['detail']}" for f in found["figures"]]
    lines += [f"{row['share']:>6.1%} {row['ms']:>8.3f} ms  {row['name']}" for row in found.get("profile", ())]
    return "\n".join([*lines, ", ".join(f"{k} {v}" for k, v in found["machine"].items())])
