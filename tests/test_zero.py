"""The engine on ZeroGPU: real forks, a device API of our own, no GPU. Scenarios of all engines are in test_engine.py."""

import contextvars
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from ssd2_core.config import EnsembleParams, Limits, SamplingParams, Settings
from ssd2_core.errors import BusyError, VisitorError
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Cancel, Control, Done, Failed, Loading, Pin, Request, Started
from ssd2_core.serving.engines import ZeroEngine
from tests.support.browser import ROOT, until
from tests.support.fake_worker import FakeRuns
from tests.support.fake_zero import zero_gpu

pytest.importorskip("spaces", reason="the package spaces is not installed")
pytestmark = pytest.mark.timeout(60)
SMALL = Settings(users=("reader",), limits=Limits(max_active=2, max_waiting=2))


@pytest.fixture(scope="module")
def api():
    with zero_gpu() as api:
        yield api


@pytest.fixture
def engine(api):
    api.asked.clear(), api.calls.clear(), api.allowed.clear(), api.may_go.clear()
    api.refuse = None
    with ZeroEngine(SMALL, preload=("one",), prepare=FakeRuns) as engine:
        yield engine


def ask(answer="abc", users=(), steps=4, lam=None, **plan):
    return Request("", json.dumps({"answer": answer, **plan}), users=users,
                   sampling=SamplingParams(num_steps=steps, block_length=4, max_new_tokens=16),
                   ensemble=EnsembleParams(lam=lam or {}))


def end(engine, run):
    return list(engine.stream(run))[-1]


def count(engine, run, kind):
    return sum(isinstance(event, kind) for event in engine.events(run))


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_a_request_asks_for_as_long_as_its_passes_take(api, monkeypatch):
    from ssd2_core.serving.transports import zerogpu_call
    monkeypatch.setattr(zerogpu_call, "local_card", {"large": SimpleNamespace(parameters=8e9)}.get)
    asked = Request("", "hello", sampling=SamplingParams(num_steps=16, block_length=16, max_new_tokens=48))      # 48 steps
    assert zerogpu_call.gpu_seconds(asked) == round(10 + 48 * 0.01)
    with_users = replace(asked, core="large", users=("reader", "other"))
    assert zerogpu_call.gpu_seconds(with_users) == round(10 + 48 * (0.01 + 8 * 0.005 + 2 * 0.01))
    contrasted = replace(with_users, ensemble=EnsembleParams(alpha=1.0))
    assert zerogpu_call.gpu_seconds(contrasted) == round(10 + 48 * (0.05 + 4 * 0.01))
    assert zerogpu_call.gpu_seconds(replace(asked, sampling=SamplingParams(num_steps=5000, max_new_tokens=4096))) == 120


def test_a_fork_answers_with_what_the_page_has_and_is_used_again(engine, api):
    until(lambda: engine.status().ready)
    assert engine.status().loaded == ("one",)
    for calls, answer in enumerate(("abc", "xyz"), 1):
        assert end(engine, engine.submit(ask(answer))).answer == answer
        until(lambda calls=calls: api.calls["/release"] == calls)
    assert len(set(api.allowed)) == 1 and api.allowed[0] != os.getpid(), "the second call did not use the first one's fork"
    assert [int(asked["durationSeconds"]) for asked in api.asked] == [10, 10]


def test_the_quota_is_that_of_the_visitor_who_asks(engine, api):
    from gradio.context import LocalContext
    token = ".".join(("", "e30", ""))

    def visit():
        LocalContext.request.set(SimpleNamespace(headers=Headers({"x-ip-token": token})))
        return engine.submit(ask())
    run = contextvars.copy_context().run(visit)
    assert isinstance(end(engine, run), Done) and isinstance(end(engine, engine.submit(ask())), Done)
    assert [asked.get("token") for asked in api.asked] == [token, None]


class Headers(dict):
    """What gradio gives: it has a __dict__, as ``spaces`` expects."""


@pytest.mark.attack(17)
@pytest.mark.parametrize("refuse,sentence", [
    ("quota", "is used up; log in there for more, or try again"), ("length", "ask for fewer steps or tokens"),
    ("none", "No GPU could be had")])
def test_no_gpu_is_one_sentence_and_the_next_one_is_answered(engine, api, refuse, sentence):
    api.refuse = refuse
    failed = end(engine, engine.submit(ask()))
    assert isinstance(failed, Failed) and sentence in failed.message and failed.message.count(".") == 1
    api.refuse = None
    assert end(engine, engine.submit(ask())).answer == "abc"


def test_errors_of_the_package_are_sentences(api):
    from spaces.zero.gradio import error

    from ssd2_core.serving.transports.zerogpu_call import NO_GPU, SENTENCES, sentence
    words = "You have exceeded your free ZeroGPU quota (14s requested vs. 3s left). Try again in 2:00:00. "
    assert sentence(error("ZeroGPU quota exceeded", words)).endswith("or try again in 2:00:00.")
    for title, found in SENTENCES.items():
        assert sentence(error(title, "x")) == found.format("later")
    assert sentence(RuntimeError("secret")) == NO_GPU


@pytest.mark.attack(17)
def test_a_fork_that_dies_ends_its_own_run_only(engine, api):
    other = engine.submit(ask("xyz", delay=0.05, steps=20))
    until(lambda: count(engine, other, Frame))
    failed = end(engine, engine.submit(ask(exit_at=2, delay=0.02)))
    assert isinstance(failed, Failed) and failed.message.startswith("The GPU was taken away")
    assert end(engine, engine.submit(ask("again"))).answer == "again"
    assert end(engine, other).answer == "xyz"


@pytest.mark.attack(17)
def test_many_at_once_get_a_fork_each(api):
    api.refuse = None
    for _ in range(3):
        with ZeroEngine(Settings(limits=Limits(max_active=4)), preload=(), prepare=FakeRuns) as engine:
            api.allowed.clear()
            runs = [engine.submit(ask(delay=0.01)) for _ in range(4)]
            assert [end(engine, run).answer for run in runs] == ["abc"] * 4
            assert len(set(api.allowed)) == 4


def test_who_waits_for_a_gpu_is_told_and_what_changes_meanwhile_counts(engine, api):
    api.refuse = "queue"
    run = engine.submit(ask(users=("reader",), lam={"reader": 0.1}, load=0.2))
    assert engine.pin(run, Pin(0, 0, "x"))
    for weight in (0.3, 0.5, 0.7):
        assert engine.control(run, EnsembleParams(lam={"reader": weight}))
    until(lambda: count(engine, run, Loading))
    assert engine.events(run)[0] == Loading(run, "Waiting for a GPU.", 0.0) and engine.status().waiting == 1
    api.may_go.set()
    events = list(engine.stream(run))
    assert next(e for e in events if isinstance(e, Frame)).weight["reader"][0] == 0.7 and isinstance(events[-1], Done)
    assert len([e for e in events if type(e).__name__ == "Changed"]) == 2, "the pin, and only the newest weights"


def test_who_gives_up_waiting_gets_no_gpu_and_frees_the_place(engine, api):
    api.refuse = "queue"
    runs = [engine.submit(ask(delay=0.05, steps=30)) for _ in range(2)]
    for run in runs:
        assert engine.cancel(run) and end(engine, run).finish_reason == "stopped"
    api.refuse = None
    later = engine.submit(ask())
    api.may_go.set()
    assert end(engine, later).answer == "abc"
    until(lambda: api.calls["/release"] == 3)
    assert all(count(engine, run, Started) == 0 for run in runs)


def test_too_many_changes_while_waiting_are_refused(engine, api):
    api.refuse = "queue"
    run = engine.submit(ask())
    with pytest.raises(BusyError, match="Too many changes"):
        for position in range(100):
            engine.pin(run, Pin(0, position % 4, "x"))
    assert position == 64
    engine.cancel(run)
    api.may_go.set()


def test_a_channel_is_bounded_and_stale_messages_do_nothing(api):
    from ssd2_core.serving.transports.zerogpu_call import Channel
    channel, inbox, over = Channel(), SimpleQueue(), threading.Event()
    assert channel.send(Cancel("old")) and channel.send(Control("new", pin=Pin(0, 1, "x"))) and channel.send(Cancel("new"))
    reader = threading.Thread(target=channel.feed, args=("new", inbox, over))
    reader.start()
    assert inbox.get(timeout=5) == Control("new", pin=Pin(0, 1, "x")) and inbox.get(timeout=5) == Cancel("new")
    over.set()
    reader.join(5)
    assert inbox.empty() and not reader.is_alive()
    sent = 0
    while channel.send(Cancel("x" * 60)):
        sent += 1
        assert sent < 100_000
    channel.clear()
    assert channel.send(Cancel("again"))


def test_no_fork_outlives_the_engine(api):
    api.refuse = None
    api.allowed.clear()
    engine = ZeroEngine(SMALL, preload=(), prepare=FakeRuns)
    assert isinstance(end(engine, engine.submit(ask())), Done)
    stuck = engine.submit(ask(sleep_at=2))
    until(lambda: count(engine, stuck, Frame))
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 2 and isinstance(engine.events(stuck)[-1], Failed)
    until(lambda: all(map(gone, api.allowed)))
    with pytest.raises(BusyError, match="closed"):
        engine.submit(ask())


PLAIN = """
from tests.support.fake_worker import FakeRuns
from tests.test_zero import SMALL, ask, end
from ssd2_core.serving.engines import ZeroEngine
with ZeroEngine(SMALL, preload=(), prepare=FakeRuns) as engine:
    runs = [engine.submit(ask(answer)) for answer in ("abc", "xyz")]
    print(*(end(engine, run).answer for run in runs))
"""


def test_off_a_space_the_same_engine_answers_without_forks():
    done = subprocess.run([sys.executable, "-c", PLAIN], cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert done.stdout.split() == ["abc", "xyz"], done.stderr


def test_an_engine_that_cannot_be_made_is_one_sentence(api, monkeypatch):
    import app
    with pytest.raises(VisitorError, match="--engine must be process, zero, ray.*not 'warp'"):
        app.make_engine(app.read_settings(["--engine", "warp"]))
    with pytest.raises(VisitorError, match="leave --device-map out"):
        app.make_engine(app.read_settings(["--engine", "zero", "--device-map", "auto"]))
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    with pytest.raises(VisitorError, match="pip install -r requirements-zero.txt"):
        app.make_engine(app.read_settings([]))


PAGE = """
from tests.support.fake_worker import FakeRuns
from tests.support.fake_zero import zero_gpu
from tests.test_zero import SMALL, ask, end
with zero_gpu() as api:
    from ssd2_core.serving.engines import ZeroEngine
    engine = ZeroEngine(SMALL, preload=(), prepare=FakeRuns)
    end(engine, engine.submit(ask()))
    print(api.allowed[0], flush=True)
    end(engine, engine.submit(ask(sleep_at=2)))
"""


@pytest.mark.attack(17)
def test_a_fork_ends_with_a_page_that_is_killed(api):
    page = subprocess.Popen([sys.executable, "-c", PAGE], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        lines = (line for line in page.stdout if line.strip().isdigit())       # ``spaces`` prints, too
        fork = int(next(lines))
        assert not gone(fork)
    finally:
        page.send_signal(signal.SIGKILL)
        page.wait()
        page.stdout.close()
    until(lambda: gone(fork), 5)
