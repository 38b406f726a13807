"""The engine on Ray with one actor on this machine, beside the one with a process: steps a second, how long a stop takes."""

import statistics
import time
from contextlib import ExitStack

from ..config import EnsembleParams, SamplingParams, Settings
from ..protocol.frames import Frame
from ..protocol.messages import Document, Done, Request
from ..serving.engine import Engine
from ..serving.engines import ProcessEngine, RayEngine
from .measure import Figure
from .serving import CORE, DOCUMENT, QUESTION, READER

TURNS = 7
ASKED = Request("", QUESTION, CORE, (READER,), (Document("d", DOCUMENT),), (), SamplingParams(num_steps=64, max_new_tokens=64),
                EnsembleParams({READER: 0.5}))


def ray_figures() -> list[Figure]:
    """Both engines in turn, in one run; the first answers of each warm up. Raises VisitorError where there is no Ray."""
    rates: dict[str, list[float]] = {"process": [], "ray": []}
    stops: dict[str, list[float]] = {"process": [], "ray": []}
    with ExitStack() as stack:
        engines = {"ray": stack.enter_context(RayEngine(Settings(engine="ray", actors=1), preload=(CORE, READER))),
                   "process": stack.enter_context(ProcessEngine(Settings(), preload=(CORE, READER)))}
        for turn in range(TURNS + 1):
            for name, engine in engines.items():
                rate, stop = steps_a_second(engine), stop_seconds(engine)
                if turn:
                    rates[name].append(rate)
                    stops[name].append(stop)
    ratio = statistics.median(r / p for r, p in zip(rates["ray"], rates["process"], strict=True))
    detail = f"{CORE} + {READER}, {TURNS} runs in turn"
    return [Figure("ray_over_process", ratio, "ratio", f"worker's steps a second, {detail}"),
            *(Figure(f"steps_per_second_{name}", statistics.median(found), "steps/s", detail) for name, found in rates.items()),
            *(Figure(f"stop_ms_{name}", 1000 * statistics.median(found), "ms", f"cancel to end, the longest took "
                     f"{1000 * max(found):.0f}") for name, found in stops.items())]


def steps_a_second(engine: Engine) -> float:
    """Of the worker, for one visitor."""
    done = finished(engine, engine.submit(ASKED))
    return done.steps / done.seconds


def stop_seconds(engine: Engine) -> float:
    """From ``cancel`` to the end of a run, five steps after its start."""
    run = engine.submit(ASKED)
    frames = (event for event in engine.stream(run) if isinstance(event, Frame))
    for _ in range(5):
        next(frames)
    began = time.perf_counter()
    engine.cancel(run)
    finished(engine, run)
    return time.perf_counter() - began


def finished(engine: Engine, run: str) -> Done:
    """The end of a run."""
    *_, done = engine.stream(run)
    if not isinstance(done, Done):
        raise RuntimeError(f"the engine did not answer: {done}")
    return done
