"""The engine on Ray: who answers, what the end of an actor costs, a cluster that is reached from outside, wrong addresses."""

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from app import make_engine, read_settings
from ssd2_core.config import Settings
from ssd2_core.errors import BusyError, VisitorError
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Done, Failed, Unload
from ssd2_core.registry.manifests import read_manifest
from ssd2_core.serving.dispatcher import WORKER_LOST, choose
from ssd2_core.serving.engines import RayEngine
from ssd2_core.serving.transports.ray_actor import Actor, Files, own_folder, threads
from ssd2_core.serving.worker_handle import GAVE_UP, WorkerState
from tests.support.attacks import NEEDS_MODELS
from tests.support.browser import ROOT
from tests.test_engine import NEEDS_RAY, SMALL, ask, is_running, make, pid_of, until, wait_for, with_limits
from tests.test_layout import loaded
from tests.test_visitors import SHEET, add, request, run

pytestmark = pytest.mark.timeout(90)


def worker(runs=0, models=(), up=True, fresh=False):
    return WorkerState(up, fresh, set(models), set(map(str, range(runs))))


@pytest.mark.parametrize(("workers", "chosen"), [
    ([worker(1), worker(0)], 1),                                                  # the least busy
    ([worker(1, "ab"), worker(0)], 0),                                            # the one that has the models
    ([worker(0, "a"), worker(1, "ab")], 1),                                       # the one that lacks fewest
    ([worker(1, "ab"), worker(0, "abc")], 1),                                     # among those the least busy
    ([worker(2, "ab"), worker(1)], 1),                                            # when it is full, another loads them
    ([worker(2, "ab"), worker(2)], None),                                         # all are full: it waits
    ([worker(2, "ab"), worker(0, fresh=True, up=False)], None),                # one that starts is not waited for
    ([worker(0, up=False, fresh=True), worker(1, up=False, fresh=True)], 0),        # none is ready for the first time
    ([worker(0, up=False), worker(2)], None),                                  # one that died is not given more
    ([worker(0, up=False), worker(0, up=False)], None),
    ([worker(0, up=False), worker(1, up=False, fresh=True)], 1),
])
def test_who_answers(workers, chosen):
    assert choose(workers, {"a", "b"}, 2) == chosen


@pytest.mark.parametrize(("engine", "words"), [
    ("ray:/x", "must be process, zero, ray, ray://auto or ray://HOST:PORT, not 'ray:/x'"), ("ray://", "must be"),
    ("http://localhost:1", "must be"), ("ray://host", "must be"), ("ray://a b:1", "must be")])
def test_an_address_that_is_none(engine, words):
    with pytest.raises(VisitorError, match=re.escape(words)):
        make_engine(read_settings(["--engine", engine]))


def test_actors_are_ray_s(monkeypatch):
    with pytest.raises(VisitorError, match="--actors goes with --engine ray"):
        make_engine(read_settings(["--actors", "2"]))
    with pytest.raises(VisitorError, match="--actors must lie between 1 and 1000, not 0"):
        make_engine(read_settings(["--engine", "ray", "--actors", "0"]))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VisitorError, match="pip install -r requirements-ray.txt"):
        make_engine(read_settings(["--engine", "ray"]))


def test_actors_share_the_cores_but_one():
    assert [threads(*of) for of in ((1, 1), (2, 1), (4, 1), (16, 2), (2, 4))] == [1, 1, 3, 7, 1]


def test_ray_is_imported_only_when_asked_for():
    assert loaded("import ssd2_core.serving.transports.ray, ssd2_core.serving.transports.ray_actor, app", "ray", "torch") == []


@NEEDS_RAY
def test_nobody_at_the_address():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))                    # bound, and nobody listens
        address, began = f"ray://127.0.0.1:{taken.getsockname()[1]}", time.monotonic()
        with pytest.raises(VisitorError, match=f"The Ray of --engine {address} cannot be used: .*refused") as caught:
            make_engine(read_settings(["--engine", address]))
    assert "\n" not in str(caught.value) and time.monotonic() - began < 10


def test_a_model_s_files_go_to_an_actor_and_leave_with_their_owner(tmp_path, monkeypatch):
    import pickle
    import tempfile
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = tmp_path / "ssd2-actor-999999999-x"
    gone.mkdir()
    actor = Actor("tests.test_ray:listens", Settings(), [], 0)
    folder = Path(pickle.loads(actor.take())[0].visitors_folder)
    assert not gone.exists() and folder.parent == tmp_path and folder.name.startswith(f"ssd2-actor-{os.getpid()}-")
    actor.put(pickle.dumps([Files("mine-1", {"config.json": b"{}", "model.safetensors": b"secret"})]))
    assert (folder / "mine-1" / "model.safetensors").read_bytes() == b"secret"
    actor.put(pickle.dumps([Unload(("mine-1",)), "next"]))
    assert not (folder / "mine-1").exists() and (folder := own_folder()).exists()
    heard = []
    while len(heard) < 2:
        heard += pickle.loads(actor.take())
    assert heard == [Unload(("mine-1",)), "next"]


def listens(inbox, send, settings):
    """A worker that sends back what it gets."""
    send(settings)
    while True:
        send(inbox.get())


@pytest.fixture(scope="module")
def ray_here():
    """A Ray for all engines of these tests: each starts its actors on it."""
    from ssd2_core.serving.transports.ray import Connection
    connection = Connection("ray", 4)
    yield
    connection.close()
    import ray
    with pytest.raises(ray.exceptions.RaySystemError):              # left alone, it would start another one in silence
        ray.put(None)


def two_actors(target="main", **limits):
    return make("ray", with_limits(replace(SMALL, actors=2), **{"max_active": 2, "max_waiting": 4} | limits), target)


def all_ready(engine, count=2):
    until(lambda: engine.health()["actors_ready"] == count)


@pytest.mark.attack(17)
@NEEDS_RAY
def test_a_killed_actor_loses_no_other_s_request(ray_here):
    with two_actors() as engine:
        all_ready(engine)
        runs = [engine.submit(ask(f"run {n}", delay=0.02, steps=30)) for n in range(6)]
        for run in runs[:4]:
            wait_for(engine, run, Frame, 2)
        assert [len(p.runs) for p in engine.dispatcher.states] == [2, 2] and engine.status().waiting == 2
        assert engine.health() | {"active": 4, "queued": 2, "actors": 2, "actors_ready": 2, "restarts": 0} == engine.health()
        lost = set(engine.dispatcher.states[0].runs)
        began = time.monotonic()
        os.kill(pid_of(engine), signal.SIGKILL)
        for run in lost:
            assert list(engine.stream(run))[-1] == Failed(run, WORKER_LOST)
        assert time.monotonic() - began < 5
        ends = {run: list(engine.stream(run)) for run in runs}
        for number, run in enumerate(runs):
            assert sum(isinstance(e, Failed) for e in ends[run]) == (run in lost)
            assert run in lost or ends[run][-1].answer == f"run {number}"
        all_ready(engine)
        now = engine.status()
        assert (now.restarts, now.device, now.loaded) == (1, "fake", ("compact-core",))
        assert list(engine.stream(engine.submit(ask("back"))))[-1].answer == "back"


@NEEDS_RAY
def test_requests_go_where_their_models_are(ray_here):
    with two_actors(max_active=1) as engine:
        all_ready(engine)
        list(engine.stream(engine.submit(ask(users=("reader",)))))
        has = next(n for n, p in enumerate(engine.dispatcher.states) if "reader" in p.models)
        for users, at in ((("reader",), has), ((), 1 - has)):
            run = engine.submit(ask(users=users, delay=0.02, steps=20))
            wait_for(engine, run, Frame)
            assert engine.dispatcher.states[at].runs == {run}
        engine.dispatcher.unload(("reader",))
        assert not any("reader" in state.models for state in engine.dispatcher.states)


@pytest.mark.attack(16)
@NEEDS_RAY
def test_stop_and_close_are_quick(ray_here):
    engine = two_actors()
    with engine:
        run, other = engine.submit(ask(delay=0.02, steps=50)), engine.submit(ask(sleep_at=2))
        wait_for(engine, run, Frame, 3)
        began = time.monotonic()
        engine.cancel(run)
        done = list(engine.stream(run))[-1]
        assert isinstance(done, Done) and done.finish_reason == "stopped" and time.monotonic() - began < 0.5
        wait_for(engine, other, Frame)
        pids, began = [pid_of(engine, 0), pid_of(engine, 1)], time.monotonic()
    assert time.monotonic() - began < 2 and isinstance(engine.events(other)[-1], Failed)
    until(lambda: not any(map(is_running, pids)), 2)
    with pytest.raises(BusyError, match="closed"):
        engine.submit(ask())


@pytest.mark.attack(17)
@NEEDS_RAY
def test_actors_that_die_early_are_given_up(ray_here):
    with two_actors("dies") as engine:
        runs = [engine.submit(ask()) for _ in range(6)]
        assert {list(engine.stream(run))[-1].message for run in runs} <= {WORKER_LOST, GAVE_UP}
        until(lambda: engine.status().message == GAVE_UP, 40)
        until(lambda: engine.status().restarts == 4, 40)
        assert not engine.status().ready
        with pytest.raises(BusyError, match="stays off"):
            engine.submit(ask())


@NEEDS_RAY
def test_more_actors_than_devices(ray_here):
    with pytest.raises(VisitorError, match="--actors asks for 999, and the Ray of --engine ray has 4 CPUs"):
        RayEngine(Settings(engine="ray", actors=999))


PAGE = """
import os, sys, time
sys.path.insert(0, {root!r})
from ssd2_core.config import Settings
from ssd2_core.serving.engines import RayEngine
engine = RayEngine(Settings(engine="ray", actors=1), worker_target="tests.support.fake_worker:main")
engine.start()
while not engine.status().ready:
    time.sleep(0.05)
print(engine.dispatcher.workers[0].transport.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.attack(17)
@NEEDS_RAY
def test_a_ray_that_was_started_here_ends_with_its_page():
    import psutil
    script = PAGE.format(root=str(ROOT))
    page = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    actor = int(page.stdout.readline())
    children = psutil.Process(page.pid).children(recursive=True)
    [raylet, store] = [next(p.pid for p in children if p.name() == name) for name in ("raylet", "gcs_server")]
    page.kill()
    page.wait()
    page.stdout.close()
    until(lambda: not any(map(is_running, (actor, raylet, store))), 20)     # Ray's agents follow within a minute


def on_a_cluster(test):
    """A test of a Ray that runs already, with the bundled models."""
    return NEEDS_RAY(NEEDS_MODELS(pytest.mark.timeout(180)(test)))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Ray as ``ray start`` makes it. -> its ports for machines of its own and for those outside."""
    folder, inside, outside = tmp_path_factory.mktemp("cluster"), free_port(), free_port()
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2",
               "--disable-usage-stats",
               f"--port={inside}", f"--ray-client-server-port={outside}", "--include-dashboard=false",
               "--object-store-memory=100000000"]
    with open(folder / "ray.log", "wb") as log:
        head = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, "RAY_worker_niceness": "0"})

    def answers() -> bool:
        assert head.poll() is None, (folder / "ray.log").read_text()
        with socket.socket() as door:
            return door.connect_ex(("127.0.0.1", outside)) == 0

    until(answers, 60)
    yield inside, outside
    head.terminate()
    head.wait(30)


def adapter(folder: Path) -> tuple[Path, dict]:
    """Weights of an adapter of the reader, and what its description says."""
    about = {"base": "compact-reader", "lora_r": 2, "lora_alpha": 2, "target_modules": ["q_proj", "up_proj"]}
    rng = torch.Generator().manual_seed(0)
    shapes = read_manifest("x", json.dumps(SHEET | about).encode()).shapes
    save_file({name: torch.randn(shape, generator=rng) for name, shape in shapes.items()}, folder / "a.safetensors")
    return folder / "a.safetensors", about


@on_a_cluster
@pytest.mark.attack(15)
def test_from_outside_with_models_of_a_visitor(cluster, tmp_path):
    with RayEngine(Settings(engine=f"ray://127.0.0.1:{cluster[1]}", actors=1)) as engine:
        whole, part = add(engine.user_models), add(engine.user_models, "ann", adapter(tmp_path)[0], **adapter(tmp_path)[1])
        (steps, done), (same, _) = run(engine, request(whole.id)), run(engine, request("compact-reader"))
        assert isinstance(done, Done) and done.device == "cpu" and steps == same
        others, done = run(engine, request(part.id))
        assert isinstance(done, Done) and others != steps
        pid = pid_of(engine)
        [there] = Path(tempfile.gettempdir()).glob(f"ssd2-actor-{pid}-*")
        assert {path.name for path in there.iterdir()} == {whole.id, part.id}
        engine.disconnect("ann")
        until(lambda: not list(there.iterdir()))
    until(lambda: not there.exists() and not is_running(pid))


@on_a_cluster
def test_from_a_machine_of_the_cluster(cluster, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{cluster[0]}")
    with RayEngine(Settings(engine="ray://auto"), preload=()) as engine:
        assert len(engine.dispatcher.workers) == 1
        until(lambda: engine.status().ready)
