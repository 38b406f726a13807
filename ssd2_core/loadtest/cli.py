"""`python -m ssd2_core soak`: many visitors of a real server, a worker that is killed, stops, faults; what became of each.

The server is a process of its own with the bundled models; visitors speak to it over HTTP as the page's script does.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ..config import check_float, check_int

PARTS = ("crowd", "stops", "faults")


@dataclass(frozen=True)
class Plan:
    """How large the crowd is, for how many seconds it comes, and how often the worker is killed meanwhile.

    think: seconds, on the average, that a visitor takes between an answer and the next question.
    """

    visitors: int = 50
    seconds: float = 600.0
    kills: int = 10
    seed: int = 0
    think: float = 10.0


def add_command(one: argparse.ArgumentParser) -> None:
    """The command and its options."""
    one.add_argument("--visitors", type=int, default=Plan.visitors)
    one.add_argument("--minutes", type=float, default=Plan.seconds / 60)
    one.add_argument("--kills", type=int, default=Plan.kills, help="how often the worker is killed, at random moments")
    one.add_argument("--seed", type=int, default=Plan.seed, help="of the visitors and the moments")
    one.add_argument("--part", action="append", choices=PARTS, help="only this; may be repeated")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=command)


def command(args: argparse.Namespace) -> int:
    """Let it run and print what came of it. -> 1 if anything was lost, mixed or too slow."""
    check_int("visitors", args.visitors, 1, 500)
    check_int("kills", args.kills, 0, 100)
    check_float("minutes", args.minutes, 0.1, 600.0)
    found = run(Plan(args.visitors, 60 * args.minutes, args.kills, args.seed), tuple(args.part or PARTS))
    from .report import table
    print(json.dumps(found) if args.json else table(found))
    return 1 if found["failures"] else 0


def run(plan: Plan, parts: tuple[str, ...] = PARTS) -> dict:
    """All figures of the chosen parts, and under "failures" a sentence for each thing that should not have happened."""
    return asyncio.run(_run(plan, parts))


async def _run(plan: Plan, parts: tuple[str, ...]) -> dict:
    from .faults import faults
    from .stops import stops
    from .visitors import crowd
    began, load = time.monotonic(), os.getloadavg()
    out: dict = {"plan": asdict(plan), "cpus": os.cpu_count(), "failures": []}
    with tempfile.TemporaryDirectory(prefix="ssd2-soak-") as folder:
        for name, part in (("crowd", crowd), ("stops", stops), ("faults", faults)):
            if name in parts:
                (Path(folder) / name).mkdir()
                out[name], failures = await part(plan, Path(folder) / name)
                out["failures"] += [f"{name}: {failure}" for failure in failures]
    return out | {"seconds": round(time.monotonic() - began, 1), "load_before": load[0], "load_after": os.getloadavg()[0]}
