"""app.py at its start and its end: every mistake and every interruption is one line or none, never a traceback."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import app
from ssd2_core.errors import VisitorError
from ssd2_core.ui.upload_folder import own_upload_folder
from tests.support.browser import ROOT, served, until


def free_port() -> str:
    """A port that nothing uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def started(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """app.py run to its end."""
    return subprocess.run([sys.executable, "app.py", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "GRADIO_TEMP_DIR": str(folder), "OMP_NUM_THREADS": "1", **environment})


@pytest.mark.parametrize("arguments,environment,said", [
    (["--port", "80000"], {}, "--port (or GRADIO_SERVER_PORT) must lie between 1 and 65535, not 80000."),
    (["--port", "-1"], {}, "whole number from 1 to 65535, not '-1'."),
    ([], {"GRADIO_SERVER_PORT": "abc"}, "must be a whole number from 1 to 65535, not 'abc'."),
    (["--host", "no.such.host.invalid"], {}, "The page cannot be served at no.such.host.invalid, port 7860: "),
    (["--user", "Grüße/da", "--port", free_port()], {"PYTHONIOENCODING": "ascii", "HF_HUB_OFFLINE": "1"}, "Gr\\xfc\\xdfe/da")])
def test_a_mistake_is_one_sentence(tmp_path, arguments, environment, said):
    done = started(tmp_path, *arguments, **environment)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_a_port_in_use_is_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = started(tmp_path, "--port", port)
    assert done.returncode == 1 and done.stderr == (f"The page cannot be served at 127.0.0.1, port {port}: Address already in "
                                                    "use; choose others with --host and --port.\n")


def test_an_upload_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    done = started(tmp_path / "file", "--port", free_port())
    assert done.returncode == 1 and "Uploads cannot be written to" in done.stderr and done.stderr.strip().count("\n") == 0
    assert "GRADIO_TEMP_DIR" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_without_a_traceback(tmp_path, number):
    with served(["app.py", "--port", "PORT"], tmp_path):
        folder, = tmp_path.glob("ssd2-uploads-*")
        pid, = children_of_this("app.py")
        os.kill(pid, number)
        until(lambda: not folder.exists())
    assert "Traceback" not in (tmp_path / "app.log").read_text()


def test_a_reader_that_is_gone_ends_the_page_without_a_traceback(tmp_path):
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen([sys.executable, "app.py", "--port", free_port()], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as page:
        page.stdout.close()
        said = page.stderr.read()
        assert page.wait(60) == 141 and b"Traceback" not in said and b"BrokenPipe" not in said, said


def children_of_this(script: str) -> list[int]:
    """Processes that this one started with a script."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True)
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if script in line]


def test_the_upload_folder_is_a_new_one_and_goes(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "shared"))
    with own_upload_folder() as first, own_upload_folder() as second:
        assert first.parent == tmp_path / "shared" and second.parent == first != second
        assert os.environ["GRADIO_TEMP_DIR"] == str(second)
    assert list((tmp_path / "shared").iterdir()) == [] and os.environ["GRADIO_TEMP_DIR"] == str(tmp_path / "shared")
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    with own_upload_folder() as folder:
        assert folder.is_dir()
    assert "GRADIO_TEMP_DIR" not in os.environ and not folder.exists()


def test_a_host_of_every_kind_can_be_checked():
    for host in ("127.0.0.1", "0.0.0.0", "localhost"):
        app.check_address(host, int(free_port()))
    with pytest.raises(VisitorError, match="cannot be served at 192.0.2.1"):
        app.check_address("192.0.2.1", 7861)
