"""Files of the server and addresses that hostile requests name: nothing is served, nothing is fetched, and it still answers."""

import json
import socket
import threading
from pathlib import Path

import pytest

from tests.support.browser import ROOT
from tests.support.raw import Raw, file_data, sentence


def copied(folder: Path, *names: str) -> list[Path]:
    """Files with these names that lie in the server's folder."""
    return [path for path in folder.rglob("*") if path.name in names]


VENDOR = ROOT / "assets" / "vendor"
FILES = ["app.py", "../app.py", "..%2fapp.py", "%2e%2e/app.py", f"{ROOT}/app.py", f"{ROOT}/pyproject.toml", "/etc/passwd",
         "%2Fetc%2Fpasswd", "//etc/passwd", "/proc/self/environ", "/proc/self/cwd/app.py", "/proc/self/root/etc/passwd",
         "/proc/self/cmdline", f"{VENDOR}/../../app.py", f"{VENDOR}/%2e%2e/%2e%2e/app.py", f"{VENDOR}/..%2f..%2fapp.py",
         f"{VENDOR}/%252e%252e/app.py", f"{VENDOR}", f"{ROOT}/assets/models/compact-core/model.safetensors",
         f"{ROOT}/.git/config", "file:///etc/passwd", "~/.bashrc", "%00", "/etc/passwd%00.js", "", "/dev/zero",
         "\\\\host\\share", "x" * 5000]


@pytest.mark.attack(12)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path[-40:])
def test_no_file_of_the_server_is_served(raw, path):
    got = raw.http.get("/gradio_api/file=" + path)
    assert got.status_code == 403 and "root:" not in got.text and "import" not in got.text
    if len(path) < 200:
        sentence(got.text)


@pytest.mark.attack(12)
@pytest.mark.parametrize("address", [
    "/static/%2e%2e/%2e%2e/config.json", "/assets/..%2f..%2fapp.py", "/svelte/..%2f..%2fx", "/gradio_api/file/etc/passwd",
    "/gradio_api/custom_component/1/client/component/..%2f..%2fx", "/gradio_api/deep_link?session_hash=a", "/monitoring",
    "/monitoring/summary", "/gradio_api/dev/reload", "/gradio_api/vibe-code", "/gradio_api/proxy=https://x.hf.space/"])
def test_addresses_that_the_page_does_not_need_are_closed(raw, address):
    got = raw.http.get(address)
    assert got.status_code in (403, 404)
    sentence(got.text)


@pytest.mark.attack(12)
def test_another_visitors_upload_cannot_be_found(raw, hostile_url, hostile_folder):
    mine, = raw.upload(("secret.txt", b"My dog is Brimsel."))
    other = Raw(hostile_url)
    assert other.http.get(f"/gradio_api/file={mine}").status_code == 200      # who knows the way was told it by its owner
    place = Path(mine).parent
    for guess in (hostile_folder, place, f"{place}/", place.parent / ("0" * 64) / "secret.txt", f"{place}/../secret.txt",
                  f"{place}/SECRET.txt", f"{hostile_folder}/*/secret.txt"):
        assert other.http.get(f"/gradio_api/file={guess}").status_code == 403, guess


FORGED = ["/etc/passwd", "/proc/self/environ", f"{ROOT}/app.py", "app.py", "../../app.py", "", "\0", "nothing.txt", "~/.bashrc",
          f"{VENDOR}/../../app.py", "{folder}/../app.py", "{folder}", "file:///etc/passwd"]


@pytest.mark.attack(12)
@pytest.mark.parametrize("event", ["take_files", "take", "note"])
@pytest.mark.parametrize("path", FORGED)
def test_forged_paths_of_files_are_refused(raw, hostile_folder, event, path):
    forged = [file_data(path.format(folder=hostile_folder))]
    got = raw.event(event, {"take_files": [forged, None, None], "take": [forged * 2, "compact-core"], "note": [forged]}[event])
    if (event, path) == ("note", "{folder}"):       # files may be noted, to be deleted when the session ends; folders stay
        raw.event("disconnect", [])
        assert hostile_folder.exists()
    else:
        assert not got.done and got.refusal
    assert not copied(hostile_folder, "passwd", "environ", "app.py", ".bashrc")


@pytest.mark.attack(12)
@pytest.mark.parametrize("kind", ["file", "image", "video", "downloadbutton", "fileexplorer", "html", "multimodaltextbox"])
@pytest.mark.parametrize("path", [f"{ROOT}/pyproject.toml", "/etc/passwd"])
def test_a_forged_conversation_makes_no_component_and_copies_no_file(raw, hostile_folder, kind, path):
    part = {"type": "component", "component": kind, "value": {"path": path}, "constructor_args": {}, "props": {}}
    values = raw.values("send", prompt="What is the dog called?", num_steps=1)
    values[1] = [{"role": "assistant", "metadata": None, "options": None, "content": [part]}]
    got = raw.event("send", values)
    assert got.done and [message["role"] for message in json.loads(got.data[1])] == ["user", "assistant"]
    assert path not in json.dumps(got.data[1]) and not copied(hostile_folder, "pyproject.toml", "passwd")


@pytest.fixture(scope="module")
def listener():
    """A server that must never be asked: (its port, what it was asked)."""
    asked, server = [], socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                caller, _ = server.accept()
            except OSError:
                return
            asked.append(caller.recv(200))
            caller.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
            caller.close()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1], asked
    server.close()


ADDRESSES = ["http://127.0.0.1:{port}/a.txt", "http://localhost:{port}/a.txt", "http://0.0.0.0:{port}/a.txt",
             "http://2130706433:{port}/a.txt", "http://0x7f.1:{port}/a.txt", "http://[::ffff:127.0.0.1]:{port}/a.txt",
             "http://[::1]:{port}/a.txt", "HTTP://127.0.0.1:{port}/a.txt", "http://x@127.0.0.1:{port}/a.txt",
             "http://169.254.169.254/latest/meta-data/a.txt", "https://169.254.169.254/a.txt", "ftp://127.0.0.1:{port}/a.txt",
             "gopher://127.0.0.1:{port}/a.txt", "http://metadata.google.internal/a.txt", "https://example.com/a.txt"]


@pytest.mark.attack(13)
@pytest.mark.parametrize("way", ["path", "url", "no meta", "model", "address", "proxy"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_the_server_asks_nobody_for_a_visitor(raw, listener, address, way):
    port, asked = listener
    address = address.format(port=port)
    if way in ("address", "proxy"):
        got = raw.http.get(f"/gradio_api/{'file' if way == 'address' else 'proxy'}={address}")
        assert got.status_code == 403
        sentence(got.text)
    elif way == "url":                      # the page sends its own address along with a file, so it is taken, but never read
        mine, = raw.upload(("a.txt", b"My dog is Brimsel."))
        chips = raw.event("take_files", [[file_data(mine, url=address)], None, None]).data[2]
        assert [(chip["name"], chip["size"]) for chip in json.loads(chips)] == [("a.txt", "18")]
    elif way == "model":
        assert raw.event("take", [[file_data(address)] * 2, "compact-core"]).refusal
    else:
        forged = file_data(address) if way == "path" else {"path": address, "url": address}
        assert raw.event("take_files", [[forged], None, None]).refusal
    assert asked == []
