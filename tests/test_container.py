"""What can be said of the container without an engine that builds it: what it copies is there, and its commands work."""

import fnmatch
import json
import re
import shlex
import subprocess
import sys

import pytest

from ssd2_core.config import Settings
from tests.support.browser import ROOT, served, until

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STEPS = [tuple(line.split(maxsplit=1)) for line in TEXT.splitlines() if line.strip() and not line.startswith("#")]
COPIED = [source for name, rest in STEPS if name == "COPY" for source in rest.split()[:-1]]
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path, or a folder above it, out of the build."""
    parts = path.split("/")
    above = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    return any(fnmatch.fnmatch(folder, pattern) or (pattern.startswith("**/") and fnmatch.fnmatch(folder, pattern[3:]))
               for folder in above for pattern in IGNORED)


def step(name: str) -> str:
    """The one step of this name."""
    found = [rest for kind, rest in STEPS if kind == name]
    assert len(found) == 1, found
    return found[0]


def test_what_is_copied_is_in_the_repository_and_not_ignored():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {"app.py", "requirements.txt", "ssd2_core", "assets"} <= set(COPIED)
    for source in COPIED:
        files = [path for path in tracked if path == source or path.startswith(f"{source}/")]
        assert files, f"{source} is copied and is no file of the repository."
        assert not [path for path in files if ignored(path)], source
    assert ignored("tests/test_container.py") and ignored("ssd2_core/__pycache__/x.pyc") and ignored(".git/config")


def test_it_runs_as_a_user_of_its_own_and_serves_the_port_it_shows():
    assert [name for name, _ in STEPS].index("USER") > max(n for n, (name, _) in enumerate(STEPS) if name == "COPY")
    assert step("USER") in next(rest for name, rest in STEPS if name == "RUN") and int(step("EXPOSE")) == Settings.port
    assert json.loads(step("CMD"))[0] == "python" and json.loads(step("CMD"))[1] in COPIED
    assert "GRADIO_SERVER_NAME=0.0.0.0" in step("ENV")
    python = re.match(r"python:3\.(\d+)-slim", step("FROM"))
    assert python and int(python.group(1)) >= 11


@pytest.mark.timeout(120)
def test_its_health_check_tells_a_server_that_answers_and_a_stop_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = shlex.split(step("HEALTHCHECK").partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]

    def healthy(port: str) -> bool:
        code = command[2].replace(str(Settings.port), port)
        return subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20).returncode == 0
    with served(["app.py", "--port", "PORT"], tmp_path) as url:
        until(lambda: healthy(url.rpartition(":")[2]))
        assert list(tmp_path.glob("ssd2-visitors-*"))
    assert not list(tmp_path.glob("ssd2-visitors-*")), "visitors' models are still on the disk"
    assert not healthy(url.rpartition(":")[2])
