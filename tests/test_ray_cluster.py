"""The engine on a cluster that runs already: our code and a visitor's model get there, from outside and from within."""

import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ssd2_core.config import Settings
from ssd2_core.protocol.messages import Done
from ssd2_core.registry.manifests import read_manifest
from ssd2_core.serving.engines import RayEngine
from tests.support.attacks import NEEDS_MODELS
from tests.test_engine import NEEDS_RAY, is_running, pid_of, until
from tests.test_visitors import SHEET, add, request, run

pytestmark = [NEEDS_RAY, NEEDS_MODELS, pytest.mark.timeout(180)]


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
        head = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

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


def test_from_a_machine_of_the_cluster(cluster, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{cluster[0]}")
    with RayEngine(Settings(engine="ray://auto"), preload=()) as engine:
        assert len(engine.dispatcher.workers) == 1
        until(lambda: engine.status().ready, 60)
