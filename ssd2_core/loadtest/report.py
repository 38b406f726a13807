"""The figures of a soak: from what was counted and measured to numbers, goals, and lines to read. Pure."""

import statistics
from collections import defaultdict

from .questions import Tally
from .server import Sample

READY_GOAL, ANSWER_GOAL, GROWTH_GOAL, STOP_GOAL = 10.0, 10.0, 0.05, 1.0
LONG_ENOUGH = 300.0         # seconds of a soak that says something of memory
SHOWN = 20


def growth(values: list[float]) -> float | None:
    """How much more the last fifth is than the second one, by their medians, as a share; the first fifth warms up."""
    fifth = len(values) // 5
    if not fifth:
        return None
    return statistics.median(values[-fifth:]) / statistics.median(values[fifth:2 * fifth]) - 1


def at_age(samples: list[Sample], age: float) -> list[float]:
    """Memory of each worker that lived so long, at that age in seconds, in the order of their lives."""
    born: dict[int, float] = {}
    found: dict[int, list[float]] = defaultdict(list)
    for sample in samples:
        if sample.worker and age - 5 <= sample.at - born.setdefault(sample.worker, sample.at) <= age:
            found[sample.worker].append(sample.worker_mb)
    last = {sample.worker: sample.at for sample in samples}
    return [statistics.median(values) for worker, values in found.items() if last[worker] - born[worker] >= age]


def longest_life(samples: list[Sample]) -> list[Sample]:
    """The samples of the worker that lived longest."""
    lives = defaultdict(list)
    for sample in samples:
        if sample.worker:
            lives[sample.worker].append(sample)
    return max(lives.values(), key=len, default=[])


def memory(samples: list[Sample], age: float = 30.0) -> dict:
    """Memory of page and worker over a soak."""
    page, workers, life = [sample.page_mb for sample in samples], at_age(samples, age), longest_life(samples)
    half = len(workers) // 2
    later = statistics.median(workers[-half:]) / statistics.median(workers[:half]) - 1 if half else None
    return {"page_mb": [round(value) for value in page[::max(1, len(page) // SHOWN)]], "page_growth": _rounded(growth(page)),
            "workers_mb_at_30_s": [round(value) for value in workers],
            "workers_growth": _rounded(later),
            "longest_life_s": round(life[-1].at - life[0].at) if life else 0,
            "longest_life_growth": _rounded(growth([sample.worker_mb for sample in life]))}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def crowd_figures(tally: Tally, kills: list[dict], samples: list[Sample], loads: list[float], health: dict) -> dict:
    """What a crowd came to."""
    seconds = sorted(tally.seconds)
    return {"ends": dict(tally.ends), "by_kind": dict(tally.by_kind), "sentences": dict(tally.sentences),
            "right": round(tally.right / tally.with_word, 3) if tally.with_word else None,
            "asked_again": tally.asked_again, "answered_again": tally.answered_again,
            "answer_s": {"median": round(statistics.median(seconds), 2), "worst": round(seconds[-1], 2)} if seconds else None,
            "kills": kills, "memory": memory(samples), "load_mean": round(statistics.mean(loads), 2) if loads else None,
            "health": health}


def goals_missed(figures: dict, seconds: float) -> list[str]:
    """A sentence for each goal that was not met. Memory is judged only where the soak was long enough."""
    out = []
    for kill in figures["kills"]:
        for name, goal in (("ready_s", READY_GOAL), ("answer_s", ANSWER_GOAL)):
            if kill[name] > goal:
                out.append(f"the kill at {kill['at_s']} s has {name} {kill[name]}, the goal is {goal:g}")
    for name in ("page_growth", "workers_growth"):
        found = figures["memory"][name]
        if seconds >= LONG_ENOUGH and found is not None and found > GROWTH_GOAL:
            out.append(f"{name} is {found:.1%}, the goal is {GROWTH_GOAL:.0%}")
    if not figures["ends"].get("answered"):
        out.append("nobody was answered")
    return out


def table(found: dict) -> str:
    """The report as lines."""
    out = [f"{found['plan']}, load {found['load_before']:.2f} before and {found['load_after']:.2f} after, {found['cpus']} CPUs"]
    if "crowd" in found:
        out += _crowd_lines(found["crowd"])
    for row in found.get("stops", ()):
        out.append(f"stop, {row['point']:16} {row['median_ms']:>6} ms median, {row['worst_ms']:>6} ms worst of {row['times']}")
    for row in found.get("faults", ()):
        out.append(f"{row['name']}: {row['what']}")
    failures = found["failures"]
    out += [f"FAILED {failure}" for failure in failures[:SHOWN]]
    return "\n".join([*out, f"{len(failures)} failures in {found['seconds']:g} s"])


def _crowd_lines(crowd: dict) -> list[str]:
    ends = ", ".join(f"{count} {end}" for end, count in sorted(crowd["ends"].items()))
    out = [f"questions: {ends}; answers that hold the visitor's own word: {crowd['right']}",
           f"asked again after a sentence: {crowd['asked_again']}, then answered or stopped: {crowd['answered_again']}",
           f"seconds to an answer: {crowd['answer_s']}; mean load {crowd['load_mean']}"]
    out += [f"  {count:5} x {text}" for text, count in sorted(crowd["sentences"].items(), key=lambda item: -item[1])[:SHOWN]]
    out += [f"worker killed at {kill['at_s']:6} s: ready after {kill['ready_s']} s, an answer after {kill['answer_s']} s in "
            f"{kill['tries']} tries" for kill in crowd["kills"]]
    return [*out, *(f"{name}: {value}" for name, value in crowd["memory"].items())]
