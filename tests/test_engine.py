"""The engine with a worker whose answers are known: all engines, real processes, no models."""

import asyncio
import dataclasses
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ssd2_core.config import EnsembleParams, Limits, SamplingParams, Settings
from ssd2_core.errors import BusyError, DocumentError, LimitError, ModelError, VisitorError
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Document, Done, Failed, Loading, Pace, Paced, Preload, Queued, Request, Started, Turn
from ssd2_core.serving.dispatcher import WORKER_LOST
from ssd2_core.serving.engines import InlineEngine, ProcessEngine, RayEngine, ZeroEngine
from ssd2_core.serving.transports.process import ProcessTransport
from ssd2_core.serving.worker_handle import GAVE_UP
from tests.support import fake_worker
from tests.support.browser import ROOT
from tests.support.fake_zero import zero_gpu

pytestmark = pytest.mark.timeout(90)
SMALL = Settings(users=("reader", "other"), limits=Limits(max_active=2, max_waiting=2))


def ask(answer="abc", users=(), steps=4, block=4, tokens=16, lam=None, **plan):
    return Request("", json.dumps({"answer": answer, **plan}), users=users,
                   sampling=SamplingParams(num_steps=steps, block_length=block, max_new_tokens=tokens),
                   ensemble=EnsembleParams(lam=lam or {}))


def until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.01)


def wait_for(engine, run, kind, count=1):
    until(lambda: sum(isinstance(e, kind) for e in engine.events(run)) >= count)


def frames(events):
    return [e for e in events if isinstance(e, Frame)]


def with_limits(settings=SMALL, **limits):
    return dataclasses.replace(settings, limits=dataclasses.replace(settings.limits, **limits))


def pid_of(engine, number=0):
    return engine.dispatcher.workers[number].transport.pid


def make(kind, settings=SMALL, target="main", **options):
    """An engine of a kind, whose worker does what ``target`` of fake_worker does."""
    if kind in ("process", "ray"):
        made = ProcessEngine if kind == "process" else RayEngine
        return made(dataclasses.replace(settings, engine=kind, actors=settings.actors or (1 if kind == "ray" else None)),
                    worker_target=f"tests.support.fake_worker:{target}", **options)
    prepare = {"main": fake_worker.FakeRuns, "dies": fake_worker.never}[target]
    return (InlineEngine if kind == "thread" else ZeroEngine)(settings, prepare=prepare, only_known=True, **options)


@pytest.fixture(scope="module")
def zero():
    """GPU calls of ZeroGPU, with real forks and no GPU."""
    with zero_gpu() as api:
        yield api


@pytest.fixture(scope="module")
def ray():
    """A Ray for all engines of these tests: each starts its actors on it."""
    from ssd2_core.serving.transports.ray import Connection
    connection = Connection("ray", 4)
    yield
    connection.close()


def of_kind(kind, request):
    """A kind as soon as what it needs is there."""
    if kind in ("zero", "ray"):
        request.getfixturevalue(kind)
    return kind


NEEDS_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
ALL_KINDS = ["thread", "process", "zero", pytest.param("ray", marks=NEEDS_RAY)]
RESTARTED = ["thread", "process", pytest.param("ray", marks=NEEDS_RAY)]        # their worker has more than one run


@pytest.fixture(scope="module", params=ALL_KINDS)
def shared(request):
    """One engine of each kind for the tests that leave it alive. The one on Ray has two actors of half the size."""
    kind = of_kind(request.param, request)
    settings = with_limits(dataclasses.replace(SMALL, actors=2), max_active=1) if kind == "ray" else SMALL
    with make(kind, settings) as engine:
        until(lambda: all(state.ready for state in engine.dispatcher.states))
        for run in [engine.submit(ask(delay=0.05)) for _ in range(2)]:          # the first GPU call of a fork is slow
            list(engine.stream(run))
        yield engine


@pytest.fixture
def engine(shared):
    yield shared
    for run in shared.runs.live():
        shared.cancel(run.request.request_id)
    until(lambda: not any(state.runs for state in shared.dispatcher.states))


@pytest.fixture(params=ALL_KINDS)
def kind(request):
    """The name of a kind whose engines can be made."""
    return of_kind(request.param, request)


def test_an_answer_with_its_frames_and_figures(engine):
    run = engine.submit(ask("hello", users=("reader",), lam={"reader": 0.25}))
    events = list(engine.stream(run))
    assert isinstance(events[0], Started) and events[0].experts == ("core", "reader")
    assert len(run) >= 20 and all(e.request_id == run for e in events)
    shown = frames(events)
    assert [(f.block, f.step) for f in shown] == [(b, s) for b in (0, 1) for s in (1, 2, 3, 4)]
    assert shown[-1].texts == ["o", "<eos>", "<eos>", "<eos>"] and shown[-1].is_eos == [False, True, True, True]
    done = events[-1]
    assert isinstance(done, Done)
    assert (done.answer, done.finish_reason, done.steps, done.forwards, done.tokens) == ("hello", "eos", 8, 8, 5)
    assert done.shares == {"core": 0.75, "reader": 0.25} and (done.device, done.dtype) == ("fake", "float32")
    assert done.tokens_per_second > 0 and done.seconds >= 0


def test_answers_are_cut_at_eos_and_at_max_tokens(engine):
    assert list(engine.stream(engine.submit(ask("ab\0cd"))))[-1].answer == "ab"
    done = list(engine.stream(engine.submit(ask("abcdefgh", tokens=6, eos=False))))[-1]
    assert (done.answer, done.finish_reason, done.tokens) == ("abcdef", "length", 6)


def test_events_are_kept_for_later_readers(engine):
    run = engine.submit(ask())
    events = list(engine.stream(run))
    assert list(engine.stream(run)) == events == engine.events(run)
    assert list(engine.stream(run, since=3)) == events[3:] == engine.events(run, 3)
    assert list(engine.stream(run, since=999)) == []
    engine.delete(run)
    with pytest.raises(VisitorError, match="not known"):
        engine.stream(run)


def test_two_runs_take_turns(engine):
    order = []
    runs = [engine.submit(ask(answer, delay=0.02, steps=24)) for answer in ("abc", "xyz")]
    threads = [threading.Thread(target=lambda r=r: [order.append(r) for e in engine.stream(r) if isinstance(e, Frame)])
               for r in runs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(order) == 48
    first_end = max(order.index(r) for r in runs), min(len(order) - 1 - order[::-1].index(r) for r in runs)
    assert first_end[0] < first_end[1], "the second began only after the first had ended"
    assert [engine.events(r)[-1].answer for r in runs] == ["abc", "xyz"]


def test_control_acts_at_the_next_step(engine):
    run = engine.submit(ask(users=("reader",), lam={"reader": 0.1}, delay=0.02, steps=20))
    wait_for(engine, run, Frame, 3)
    assert engine.control(run, EnsembleParams(lam={"reader": 0.9}))
    at = len(frames(engine.events(run)))
    weights = [f.weight["reader"][0] for f in frames(engine.stream(run))]
    assert weights[0] == 0.1 and weights[-1] == 0.9 and weights.index(0.9) <= at + 4
    assert not engine.control(run, EnsembleParams()) and not engine.control("nobody", EnsembleParams())


@pytest.mark.attack(14)
def test_a_run_is_paused_stepped_slowed_and_goes_on(engine):
    run = engine.submit(dataclasses.replace(ask(users=("reader",), lam={"reader": 0.5}, steps=30, tokens=4), pace=Pace(0.0, 3)))
    wait_for(engine, run, Frame, 3)
    other = engine.submit(ask())                                    # nobody else is held up
    assert isinstance(list(engine.stream(other))[-1], Done)
    assert len(frames(engine.events(run))) == 3 and engine.control(run, EnsembleParams(lam={"reader": 0.25}))
    engine.pace(run, Pace(0.0, 1))
    wait_for(engine, run, Frame, 4)
    engine.pace(run, Pace(20.0))
    wait_for(engine, run, Frame, 8)
    engine.pace(run, Pace(0.0))
    until(lambda: engine.events(run)[-1] == Paced(run, Pace(0.0)))
    stood = len(frames(engine.events(run)))
    engine.pace(run, Pace())
    events = list(engine.stream(run))
    assert [frame.weight["reader"][0] for frame in frames(events)] == [0.5] * 3 + [0.25] * 27
    at = [frame.elapsed_ms for frame in frames(events)]
    assert stood < 30 and events[-1].seconds < at[-1] / 1000 + 1    # what it stood still counts nowhere
    assert [e.pace for e in events if isinstance(e, Paced)] == [Pace(0.0, 1), Pace(20.0), Pace(0.0), Pace()]


@pytest.mark.attack(16)
def test_a_paused_run_is_stopped_at_once_and_a_wrong_pace_is_refused(engine):
    run = engine.submit(dataclasses.replace(ask(steps=30), pace=Pace(0.0, 2)))
    wait_for(engine, run, Frame, 2)
    for wrong, words in ((Pace(-1.0), "the pace must be 0, or from 0.017 to 1000"), (Pace(float("nan")), "not nan"),
                         (Pace(0.0, 999), "the steps to make now"), ("slow", "A pace was expected"), (Pace(0.001), "0.001")):
        with pytest.raises(LimitError, match=words):
            engine.pace(run, wrong)
    begun = time.monotonic()
    engine.cancel(run)
    end = list(engine.stream(run))[-1]
    assert (end.finish_reason, end.steps) == ("stopped", 2) and time.monotonic() - begun < 20
    assert not engine.pace(run, Pace()) and not engine.pace("nobody", Pace())


def test_a_paused_run_goes_on_after_a_while():
    with make("thread", with_limits(max_pause_seconds=1.0)) as engine:
        run = engine.submit(dataclasses.replace(ask(steps=4, tokens=4), pace=Pace(0.0)))
        events = list(engine.stream(run))
    assert [type(e).__name__ for e in events] == ["Started", "Paced", *["Frame"] * 4, "Done"]
    assert events[1].pace == Pace() and events[-1].seconds < 1


def test_control_is_checked(engine):
    run = engine.submit(ask(users=("reader",), delay=0.02, steps=20))
    with pytest.raises(ModelError, match="'stranger'"):
        engine.control(run, EnsembleParams(lam={"stranger": 0.5}))
    with pytest.raises(LimitError):
        engine.control(run, {"lam": {}})


@pytest.mark.attack(16)
def test_cancel_keeps_what_was_written(engine):
    run, other = engine.submit(ask("abcdefgh", delay=0.02, steps=40)), engine.submit(ask("xyz", delay=0.02))
    wait_for(engine, run, Frame, 41)
    began = time.monotonic()
    assert engine.cancel(run)
    engine.cancel(run)
    done = list(engine.stream(run))[-1]
    assert time.monotonic() - began < 0.5
    assert (done.finish_reason, done.answer) == ("stopped", "abcdefgh") and done.steps < 80
    assert list(engine.stream(other))[-1].finish_reason == "eos"
    assert not engine.cancel(run) and not engine.cancel("nobody")


def test_who_waits_is_told_how_long_by_the_last_answers(engine):
    list(engine.stream(engine.submit(ask(delay=0.05, steps=10))))
    for _ in range(3):
        run = engine.submit(ask(delay=0.02, steps=15))
    wait_for(engine, run, Queued)
    queued = next(e for e in engine.events(run) if isinstance(e, Queued))
    assert queued.position == 1 and 0 < queued.seconds < 5
    list(engine.stream(run))


@pytest.mark.attack(17)
def test_the_queue_tells_positions_and_refuses_when_full(engine):
    runs = [engine.submit(ask(delay=0.02, steps=15)) for _ in range(4)]
    with pytest.raises(BusyError, match="try again"):
        engine.submit(ask())
    until(lambda: engine.status().active == 2)
    assert engine.status().waiting == 2
    wait_for(engine, runs[3], Queued)
    assert engine.cancel(runs[2])
    stopped = list(engine.stream(runs[2]))[-1]
    assert (stopped.finish_reason, stopped.answer, stopped.steps) == ("stopped", "", 0)
    events = list(engine.stream(runs[3]))
    assert [e.position for e in events if isinstance(e, Queued)] == [2, 1]
    assert events[-1].finish_reason == "eos" and engine.status().active == 0


@pytest.mark.attack(16)
def test_control_and_cancel_reach_a_run_that_still_loads(engine):
    run = engine.submit(ask(users=("reader",), load=0.15))
    engine.control(run, EnsembleParams(lam={"reader": 0.7}))
    gone = engine.submit(ask(load=0.15))
    wait_for(engine, gone, Loading)
    engine.cancel(gone)
    assert frames(engine.stream(run))[0].weight["reader"][0] == 0.7
    assert [type(e) for e in engine.stream(gone)] == [Loading, Done]


def test_loading_does_not_hold_up_others(engine):
    slow = engine.submit(ask(load=0.6))
    wait_for(engine, slow, Loading)
    assert list(engine.stream(engine.submit(ask())))[-1].answer == "abc"
    assert [type(e) for e in engine.events(slow)] == [Loading]


@pytest.mark.attack(17)
def test_a_run_that_breaks_leaves_the_others_alone(engine, caplog):
    other = engine.submit(ask("xyz", delay=0.01))
    failed = list(engine.stream(engine.submit(ask(raise_at=2))))[-1]
    assert isinstance(failed, Failed) and "secret" not in failed.message and failed.message.endswith(".")
    assert "memory" in list(engine.stream(engine.submit(ask(raise_at=1, memory=True))))[-1].message
    refused = list(engine.stream(engine.submit(ask(load_error="The vocabulary does not fit."))))[-1]
    assert refused.message == "The vocabulary does not fit."
    assert list(engine.stream(other))[-1].answer == "xyz"


@pytest.mark.attack(8)
def test_a_dropped_expert_is_told(engine):
    events = list(engine.stream(engine.submit(ask(users=("reader",), lam={"reader": 0.5}, drop_at=2))))
    notices = [e.notices for e in events if isinstance(e, Started)]
    assert notices == [(), ("reader gave values that are not finite and was left out.",)]
    assert frames(events)[-1].weight["reader"] == [0.0] * 4


def test_astream_and_readers_that_leave(engine):
    async def go():
        run = engine.submit(ask(delay=0.01))
        leaving = asyncio.create_task(anext(engine.astream(run, since=999)))
        reader = [e async for e in engine.astream(run)]
        leaving.cancel()
        return run, reader

    run, events = asyncio.run(go())
    assert isinstance(events[-1], Done) and events == engine.events(run)

    async def disconnect():
        run = engine.submit(ask(delay=0.01))
        task = asyncio.create_task(collect(engine.astream(run)))
        await asyncio.sleep(0.03)
        task.cancel()
        return run

    async def collect(events):
        return [e async for e in events]

    left = asyncio.run(disconnect())
    assert list(engine.stream(left))[-1].finish_reason == "eos"


@pytest.mark.attack(14)
@pytest.mark.parametrize(("change", "error", "words"), [
    ({"prompt": "  \n"}, LimitError, "empty"),
    ({"prompt": "x" * 10_000_000}, LimitError, "2000"),
    ({"prompt": ["a"]}, LimitError, "list"),
    ({"prompt": "a\0b"}, LimitError, r"U\+0000 at position 2"),
    ({"prompt": "\ud800"}, LimitError, r"U\+D800"),
    ({"core": 3}, ModelError, "id"),
    ({"core": "../../etc"}, ModelError, "not known"),
    ({"users": ("reader", "reader")}, ModelError, "once"),
    ({"users": ("core",)}, ModelError, "core"),
    ({"users": "reader"}, LimitError, "list"),
    ({"users": ("a", "b", "c", "d", "e")}, LimitError, "4"),
    ({"users": (True,)}, LimitError, "list"),
    ({"documents": (Document("a", "x" * 20_001),)}, DocumentError, "20000"),
    ({"documents": (Document("a", "x"),) * 9}, LimitError, "8"),
    ({"documents": (Document("a", "\x1b"),)}, DocumentError, "001B"),
    ({"documents": (Document(None, "a"),)}, DocumentError, "name"),
    ({"documents": ("a",)}, LimitError, "document"),
    ({"history": (Turn("system", "a"),)}, LimitError, "system"),
    ({"history": (Turn("user", "a"),) * 41}, LimitError, "40"),
    ({"sampling": SamplingParams(num_steps=65)}, LimitError, "64"),
    ({"sampling": SamplingParams(block_length=33)}, LimitError, "32"),
    ({"sampling": SamplingParams(max_new_tokens=129)}, LimitError, "128"),
    ({"sampling": None}, LimitError, "sampling"),
    ({"ensemble": EnsembleParams(lam={"reader": 0.5})}, ModelError, "'reader'"),
    ({"ensemble": {}}, LimitError, "ensemble"),
    ({"request_id": "../x"}, LimitError, "id"),
    ({"request_id": 7}, LimitError, "id"),
])
def test_requests_outside_the_limits_are_refused(engine, change, error, words):
    with pytest.raises(error, match=words) as caught:
        engine.submit(dataclasses.replace(ask(), **change))
    assert str(caught.value).count("\n") == 0 and len(str(caught.value)) < 400


def test_an_id_can_be_chosen_once(engine):
    request = dataclasses.replace(ask(), request_id=f"mine-{time.monotonic_ns()}")
    assert engine.submit(request) == request.request_id
    with pytest.raises(VisitorError, match="already"):
        engine.submit(request)


def test_old_runs_are_deleted(kind):
    with make(kind, with_limits(keep_runs_seconds=0.0)) as engine:
        run = engine.submit(ask())
        list(engine.stream(run))
        until(lambda: time.monotonic() > engine.runs.find(run).ended_at)
        engine.submit(ask())
        with pytest.raises(VisitorError, match="not known"):
            engine.stream(run)


@pytest.mark.attack(16)
def test_who_waits_can_change_and_stop_the_request(engine):
    busy = [engine.submit(ask(delay=0.02, steps=30)) for _ in range(2)]
    waits, gone = engine.submit(ask(users=("reader",), steps=2)), engine.submit(ask())
    wait_for(engine, gone, Queued)
    assert engine.control(waits, EnsembleParams(lam={"reader": 0.5})) and engine.cancel(gone)
    stopped = list(engine.stream(gone))[-1]
    assert (stopped.finish_reason, stopped.steps, stopped.device) == ("stopped", 0, "fake")
    engine.cancel(busy[0])
    events = list(engine.stream(waits))
    assert [type(e).__name__ for e in events[:2]] == ["Queued", "Changed"] and frames(events)[0].weight["reader"][0] == 0.5


@pytest.mark.attack(16)
def test_a_run_that_has_not_begun_ends_at_once_though_the_worker_is_busy(kind):
    with make(kind, with_limits(max_active=1)) as engine:
        busy = engine.submit(ask(delay=0.5, steps=4))
        waits = engine.submit(ask())
        assert engine.cancel(waits) and not engine.cancel(waits)
        events = engine.events(waits)
        assert isinstance(events[-1], Done) and events[-1].finish_reason == "stopped" and engine.counters.ends == {"stopped": 1}
        assert [run.request.request_id for run in engine.runs.live()] == [busy]
        engine.cancel(busy)
        list(engine.stream(busy))
        assert list(engine.stream(waits)) == events and engine.counters.ends == {"stopped": 2}


@pytest.mark.attack(17)
def test_one_visitor_cannot_take_every_place(kind):
    def asked(owner):
        return dataclasses.replace(ask(delay=0.02), owner=owner)

    with make(kind, with_limits(max_each=2, max_active=8)) as engine:
        runs = [engine.submit(asked("heavy")) for _ in range(2)]
        with pytest.raises(BusyError, match="You have 2 questions here already"):
            engine.submit(asked("heavy"))
        runs += [engine.submit(asked(owner)) for owner in ("light", "", "")]
        for run in runs:
            engine.cancel(run)
            assert list(engine.stream(run))
        assert engine.submit(asked("heavy"))


@pytest.mark.attack(16)
def test_close_ends_everything_quickly(kind):
    engine = make(kind)
    stuck = {"delay": 0.02} if kind == "thread" else {"sleep_at": 2}       # no thread can be killed
    run = engine.submit(ask(steps=60, **stuck))
    wait_for(engine, run, Frame)
    pid, began = pid_of(engine) if kind in ("process", "ray") else None, time.monotonic()
    engine.close()
    assert time.monotonic() - began < 2 and isinstance(engine.events(run)[-1], Failed)
    until(lambda: pid is None or not is_running(pid))
    with pytest.raises(BusyError, match="closed"):
        engine.submit(ask())
    engine.close()


def test_a_preload_that_fails_is_told(kind):
    with make(kind, preload=("broken",)) as engine:
        until(lambda: engine.status().message == "The model 'broken' is broken.")
        assert list(engine.stream(engine.submit(ask())))[-1].answer == "abc"


@pytest.mark.attack(17)
def test_without_its_core_a_service_is_not_ready(kind):
    with make(kind, dataclasses.replace(SMALL, core="broken"), preload=("broken", "reader")) as engine:
        until(lambda: engine.status().message == "The model 'broken' is broken.")
        assert not engine.status().ready and engine.health()["ready"] is False
        assert list(engine.stream(engine.submit(ask())))[-1].answer == "abc", "other cores are still answered with"


@pytest.mark.attack(17)
@pytest.mark.parametrize("kind", RESTARTED)
def test_a_crash_ends_its_runs_and_the_worker_comes_back(kind, request):
    death = "quit_at" if of_kind(kind, request) == "thread" else "exit_at"
    with make(kind, with_limits(max_active=3), preload=("compact-core",)) as engine:
        runs = [engine.submit(ask(delay=0.05, steps=50, **plan)) for plan in ({}, {death: 8}, {})]
        wait_for(engine, runs[1], Frame, 2 if kind == "ray" else 7)         # an actor's last frames are lost with it
        began = time.monotonic()
        ends = [list(engine.stream(r))[-1] for r in runs]
        assert time.monotonic() - began < (5 if kind == "ray" else 1)
        assert ends == [Failed(r, WORKER_LOST) for r in runs]
        again = engine.submit(ask("back"))
        assert list(engine.stream(again))[-1].answer == "back"
        until(lambda: engine.status().ready)
        assert engine.status().restarts == 1 and engine.status().device == "fake"
        if kind != "thread":
            os.kill(pid_of(engine), signal.SIGKILL)
            until(lambda: engine.status().restarts == 2 and engine.status().ready)
            assert list(engine.stream(engine.submit(ask("ok"))))[-1].answer == "ok"


@pytest.mark.attack(17)
@pytest.mark.parametrize("kind", RESTARTED)
def test_a_crash_loop_is_given_up(kind, request):
    with make(of_kind(kind, request), target="dies") as engine:
        run = engine.submit(ask())
        assert isinstance(list(engine.stream(run))[-1], Failed)
        until(lambda: engine.status().message == GAVE_UP)
        assert engine.status().restarts == 2 and not engine.status().ready
        with pytest.raises(BusyError, match="stays off"):
            engine.submit(ask())


PAGE = """
import os, sys, time
sys.path.insert(0, {root!r})
from ssd2_core.config import Settings
from ssd2_core.serving.engines import ProcessEngine
engine = ProcessEngine(Settings(), worker_target="tests.support.fake_worker:main")
engine.start()
while not engine.status().ready:
    time.sleep(0.01)
if {forks} and os.fork() == 0:
    os.closerange(1, 3)
    time.sleep(4)
    os._exit(0)
print(engine.dispatcher.workers[0].transport.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.attack(17)
@pytest.mark.parametrize("forks", [False, True], ids=["pipe ends", "pipe kept open by a fork"])
def test_the_worker_ends_with_its_page(forks):
    script = PAGE.format(root=str(ROOT), forks=forks)
    page = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    worker = int(page.stdout.readline())
    os.kill(worker, 0)
    page.kill()
    page.wait()
    page.stdout.close()
    until(lambda: not is_running(worker))


def is_running(pid):
    """False for a process that is gone, or dead and not yet collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(importlib.util.find_spec("ssd2_core.models.loading") is None, reason="there is no library yet")
def test_networks_answer_and_a_broken_one_changes_nothing(monkeypatch):
    from ssd2_core.serving import model_runner
    from ssd2_core.training.tokenizer import train_tokenizer
    from tests.support.tiny import tiny

    networks = {"compact-core": tiny(0), "mine": tiny(1), "bad": tiny(2), "foreign": tiny(3, tokenizer_hash="other")}
    networks["bad"].get_output_embeddings().weight.data.fill_(float("nan"))
    tokenizer = train_tokenizer(["hello"], 300)
    def fake_load(name, *_, **__):
        config = networks[name].config
        card = SimpleNamespace(id=name, kind="simplex", tokenizer_hash=config.tokenizer_hash,
                               simplex_value=config.simplex_value, vocabulary="", tokens="", title=name)
        return model_runner.loading.Expert(networks[name], tokenizer, card)

    monkeypatch.setattr(model_runner.loading, "load", fake_load)
    monkeypatch.setattr(model_runner, "contexts",
                        lambda *_: SimpleNamespace(ids=[3, 10, 4], bare_ids=None, used=(), left_out=(), forgotten=0))

    def run(*users):
        sampling = SamplingParams(num_steps=4, block_length=8, max_new_tokens=16)
        lam = dict.fromkeys(users, 0.3)
        request = Request("", "hello", users=users, sampling=sampling, ensemble=EnsembleParams(lam=lam))
        return list(engine.stream(engine.submit(request)))

    with InlineEngine() as engine:
        first, again, with_bad, refused = run("mine"), run("mine"), run("mine", "bad"), run("foreign")
        assert engine.status().device == "cpu"
    tokens = [[f.token_ids for f in frames(events)] for events in (first, again, with_bad)]
    assert tokens[0] == tokens[1] == tokens[2] and first[-1].answer == with_bad[-1].answer
    assert first[-1].forwards == 2 * first[-1].steps and 0 < first[-1].shares["mine"] < 1
    assert with_bad[-1].shares["bad"] == 0.0 and [e for e in with_bad if isinstance(e, Started)][-1].notices
    assert isinstance(refused[-1], Failed) and "vocabulary" in refused[-1].message


def bundled_models():
    """Ids of the compact pair when it is here with its weights."""
    folder = ROOT / "assets" / "models"
    return [n for n in ("compact-core", "compact-reader") if (folder / n / "model.safetensors").exists()]


@pytest.mark.skipif(len(bundled_models()) < 2, reason="the compact models are not here")
@pytest.mark.timeout(120)
def test_the_real_pair_answers_in_a_worker_process():
    request = Request("", "Who keeps the key?", users=("compact-reader",),
                      documents=(Document("note", "The key of the tower is kept by Mara."),),
                      sampling=SamplingParams(num_steps=4, max_new_tokens=16),
                      ensemble=EnsembleParams(lam={"compact-reader": 0.5}))
    with ProcessEngine(Settings(threads=1)) as engine:
        ends = [list(engine.stream(engine.submit(request))) for _ in range(2)]
    for events in ends:
        begin = next(e for e in events if isinstance(e, Started))
        assert begin.experts == ("core", "compact-reader") and begin.passages_used
        assert isinstance(events[-1], Done) and events[-1].forwards == 2 * events[-1].steps
        assert abs(sum(events[-1].shares.values()) - 1) < 0.01 or not events[-1].tokens
    assert [f.token_ids for f in frames(ends[0])] == [f.token_ids for f in frames(ends[1])]


@pytest.fixture(scope="module")
def causal_pair(tmp_path_factory):
    """A tiny causal LM and a reader that is an adapter on it, as folders."""
    from tests.test_next_token_loading import lm_folder, reader_folder
    base = lm_folder(tmp_path_factory.mktemp("base"))
    return str(base), str(reader_folder(tmp_path_factory.mktemp("reader"), base))


@pytest.mark.timeout(300)
def test_causal_lms_answer_and_their_trace_is_made_again(kind, causal_pair, tmp_path):
    from ssd2_core.protocol.traces import about_run, fitting_trace, load_trace, request_from
    core, reader = causal_pair
    settings = Settings(core=core, users=(reader,), threads=1, engine=kind, actors=1 if kind == "ray" else None)
    made = {"thread": InlineEngine, "process": ProcessEngine, "zero": ZeroEngine, "ray": RayEngine}[kind]
    request = Request("", "my dog", core, (reader,), (Document("note", "my dog is called Biscuit"),), (),
                      SamplingParams(block_length=6, max_new_tokens=12), EnsembleParams({reader: 0.5}))
    with made(settings, preload=causal_pair, only_known=True) as engine:
        first = list(engine.stream(engine.submit(request)))
        done = first[-1]
        assert isinstance(done, Done) and 0 < done.shares[reader] < 1 and done.steps == len(frames(first))
        about = about_run(request, done, {}, request.documents, texts=False)
        (tmp_path / "trace.json").write_text(fitting_trace(frames(first), about, 2_000_000), encoding="utf-8")
        stored, about = load_trace(tmp_path / "trace.json")
        again = list(engine.stream(engine.submit(request_from(about, request.documents))))
    assert [f.token_ids for f in stored] == [f.token_ids for f in frames(first)] == [f.token_ids for f in frames(again)]
    assert again[-1].answer == done.answer and again[-1].shares == done.shares


def test_a_small_network_leaves_a_cpu_to_the_page(monkeypatch):
    from ssd2_core.serving import model_runner
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    sizes = {"small": 7_000_000, "large": 135_000_000}
    monkeypatch.setattr(model_runner, "local_card", lambda i: SimpleNamespace(parameters=sizes[i]) if i in sizes else None)
    assert model_runner.threads_beside_page(Settings(core="small")) == 3
    assert model_runner.threads_beside_page(Settings(core="unknown")) is None
    assert model_runner.threads_beside_page(Settings(core="small", threads=2)) == 2
    assert model_runner.threads_beside_page(Settings(core="large")) is None
    assert model_runner.threads_beside_page(Settings(core="small", preferred=("large",))) is None
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert model_runner.threads_beside_page(Settings(core="small")) is None


def test_no_message_is_read_while_the_worker_still_imports(tmp_path, monkeypatch):
    """Two threads that import at once may meet a module half made, and the process would end before it began."""
    (tmp_path / "slow_target.py").write_text(
        "import threading, time\ntime.sleep(0.3)\nNAMES = [t.name for t in threading.enumerate()]\n"
        "def main(inbox, send, argument):\n    send((NAMES, inbox.get(timeout=5), argument))\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    worker = ProcessTransport("slow_target:main", 7)
    worker.send(Preload(("one",)))
    try:
        names, message, argument = next(worker.messages())
    finally:
        worker.end()
    assert "from-page" not in names and (message, argument) == (Preload(("one",)), 7)
