"""What every measurement shares: a figure, and medians of calls that take turns."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

REPEATS = 9


@dataclass(frozen=True)
class Figure:
    """One measured number. detail: how it came about, in words."""

    name: str
    value: float
    unit: str
    detail: str


def medians(calls: dict[str, Callable[[], object]], repeats: int | None = None) -> dict[str, float]:
    """Median seconds of each call. Every repeat makes all in turn, so that a slow moment meets all; the first warms up."""
    seen: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range((repeats or REPEATS) + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                seen[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seen.items()}


def rounded(value: float) -> float:
    """Three significant digits."""
    return round(value, 2 - math.floor(math.log10(abs(value)))) if value else 0.0
