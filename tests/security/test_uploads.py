"""Uploads that break off, are empty, too large, too many or oddly named; and what stands in front of the page by itself."""

import asyncio
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ssd2_core.config import LIMITS, Limits
from ssd2_core.ui import middleware, strings
from tests.support.browser import until
from tests.support.raw import Raw, file_data, sentence

MULTIPART = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n'


def half_sent(url: str, length: int, body: bytes) -> None:
    """Say that ``length`` bytes come, send less, hang up."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}\r\nContent-Type: {MULTIPART}\r\n"
                     f"Content-Length: {length}\r\n\r\n".encode() + body)


@pytest.mark.attack(7)
@pytest.mark.parametrize("length,body", [(5_000_000, PART % b"half.txt" + b"y" * 1_000_000), (5_000_000, b""), (500, b"--x"),
                                         (500, PART % b"half.txt"), (5_000_000_000, PART % b"half.txt" + b"y" * 1000)],
                         ids=["half", "nothing", "boundary", "header", "5 GB said"])
def test_uploads_that_break_off_leave_no_file_under_a_name(raw, hostile_folder, length, body):
    half_sent(raw.url, length, body)
    assert raw.upload(("whole.txt", b"My dog is Brimsel."))
    assert not list(hostile_folder.rglob("half.txt"))


@pytest.mark.attack(7)
@pytest.mark.parametrize("kind,body", [
    ("text/plain", b"abc"), ("", b"abc"), (MULTIPART, b"abc"), (MULTIPART, b""), ("multipart/form-data", b"--x"),
    (MULTIPART, b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\nabc\r\n--x--\r\n'),
    (MULTIPART, b"--x\r\n" + b"A: b\r\n" * 5000 + b"\r\nabc\r\n--x--\r\n"),
    (MULTIPART, PART % (b"n" * 9000) + b"a\r\n--x--\r\n"), (MULTIPART, PART % b".." + b"a\r\n--x--\r\n")])
def test_bodies_that_are_no_upload(raw, kind, body):
    got = raw.http.post("/gradio_api/upload", content=body, headers={"content-type": kind})
    assert got.status_code in (200, 400, 413, 500) and (got.status_code > 200 or got.json() == [])
    sentence(got.text)


@pytest.mark.attack(7)
def test_just_over_the_limit_is_refused_and_just_within_is_taken(raw, hostile_folder):
    for extra, code in ((0, 200), (1, 413)):
        got = raw.http.post("/gradio_api/upload", files={"files": ("big.txt", bytes(LIMITS.max_model_bytes + extra))})
        assert got.status_code == code
    assert "maximum allowed size" in sentence(got.text)
    path, = hostile_folder.rglob("big.txt")
    assert "is larger than 5 MB" in raw.event("take_files", [[file_data(str(path))], None, None]).refusal
    path.unlink()


@pytest.mark.attack(7)
def test_a_thousand_files_at_once_are_refused(raw):
    got = raw.http.post("/gradio_api/upload", files=[("files", (f"{n}.txt", b"x")) for n in range(1001)])
    assert got.status_code == 400 and "Too many files" in sentence(got.text)


@pytest.mark.attack(7)
@pytest.mark.parametrize("data,rule", [(b"", "is empty"), (b"\0\1", "binary"), (b"\xff\xfe\xff", "not UTF-8"),
                                       (b" \n", "no text"), (b"\x80\x04." * 9, "not UTF-8")])
def test_files_without_text_cost_one_sentence(raw, data, rule):
    path, = raw.upload(("odd.txt", data))
    assert rule in raw.event("take_files", [[file_data(path)], None, None]).refusal


@pytest.mark.attack(7)
def test_many_uploads_at_once_all_arrive(raw):
    texts = [f"My dog is number {n}.".encode() * 2000 for n in range(24)]
    with ThreadPoolExecutor(12) as pool:
        paths = list(pool.map(lambda text: Raw(raw.url).upload(("note.txt", text))[0], texts))
    assert len(set(paths)) == 24 and all(Path(path).read_bytes() == text for path, text in zip(paths, texts, strict=True))


@pytest.mark.attack(6)
@pytest.mark.attack(7)
@pytest.mark.parametrize("name", ["../../evil.txt", "/etc/evil.txt", "..\\..\\evil.txt", "a\0evil.txt", "a\nevil.txt",
                                  "é" * 200 + ".txt", "<b onload=x>evil.txt", "evil\u202etxt.txt", "~evil.txt", "-rf evil.txt",
                                  "CON.txt", ".evil.txt"])
def test_names_lead_nowhere_and_are_shown_cleaned(raw, hostile_folder, name):
    path, = raw.upload((name, b"My dog is Brimsel."))
    assert Path(path).resolve().is_relative_to(hostile_folder) and len(Path(path).parts) == len(hostile_folder.parts) + 2
    got = raw.event("take_files", [[file_data(path, orig_name=name)], None, None])
    assert got.done and "<b" not in got.data[2] and "\u202e" not in got.data[2] and "\n" not in got.data[2]


@pytest.mark.parametrize("name,shown", [("Übung Café.txt", "Übung Café.txt"), ("n" * 90 + ".txt", "n" * 76 + ".txt"),
                                        ("ビスケット.md", "ビスケット.md"), ("Cafe\u0301.txt", "Café.txt")])
def test_names_are_shown_as_they_are_written(raw, name, shown):
    path, = raw.upload((name, b"My dog is Brimsel."))
    got = raw.event("take_files", [[file_data(path, orig_name=name)], None, None])
    assert got.done and shown in got.data[2] and not got.said


WEIGHTS = ("mine.safetensors", b"x" * 100)
DESCRIPTION = b'{"format": "ssd2-user"}'
CAUSAL = (b'{"format": "ssd2-user", "kind": "next-token", "title": "Mine", "role": "reader",'
          b' "tokenizer_hash": "8282d809cde64ca7", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,'
          b' "num_attention_heads": 9, "vocab_size": 49152, %s}')


@pytest.mark.attack(3)
@pytest.mark.attack(1)
@pytest.mark.parametrize("files,rule", [
    *(((WEIGHTS, (name, b'{"chat_template": "{{ x }}", "auto_map": {}}')), "is not the description of a small model")
      for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json", "adapter_config.json")),
    ((WEIGHTS, ("tokenizer.json", b"{}"), ("mine.json", DESCRIPTION)), "Send two files together"),
    *(((WEIGHTS, (name, CAUSAL % claim)), name) for name in ("mine.json", "config.json") for claim in (
        b'"base": "someone/evil"', b'"base": "/etc"', b'"base": "https://169.254.169.254/x"', b'"prompt_style": "template"',
        b'"chat_template": "{{ x }}"', b'"auto_map": {"AutoModelForCausalLM": "evil.Evil"}', b'"trust_remote_code": true',
        b'"base": "HuggingFaceTB/SmolLM2-135M-Instruct", "lora": {"r": 99999}')),
    *(((WEIGHTS, ("mine.json", DESCRIPTION), (name, b"x")), "Invalid file type") for name in (
        "chat_template.jinja", "tokenizer.model", "vocab.txt", "modeling_evil.py", "README.md")),
    *((((name, b"\x80\x04."), ("mine.json", DESCRIPTION)), "Invalid file type") for name in (
        "mine.bin", "mine.pt", "mine.pth", "mine.ckpt", "mine.pkl", "mine.joblib", "mine.keras", "mine.npy", "mine.zip",
        "mine.gguf", "mine.safetensors.exe", "mine"))])
def test_other_files_of_a_model_are_never_read(raw, files, rule):
    paths = raw.upload(*files)
    assert rule in raw.event("take", [[file_data(path) for path in paths], "compact-core"]).refusal


@pytest.mark.attack(15)
@pytest.mark.parametrize("way", ["files", "forged note", "model"])
def test_an_equal_file_of_another_visitor_stays_when_one_leaves(raw, way):
    """Gradio keeps equal files under one path."""
    one, two, files = Raw(raw.url), Raw(raw.url), [("same.json" if way == "model" else "same.txt", b"My dog is Brimsel.")]
    path, = one.upload(*files)
    assert [path] == two.upload(*files)
    assert two.event("note", [[file_data(path)]]).done
    if way == "model":
        assert "Send two files" in one.event("take", [[file_data(path)], "compact-core"]).refusal
    elif way == "files":
        assert one.event("take_files", [[file_data(path)], None, None]).done
    else:
        assert one.event("note", [[file_data(path)]]).done
    one.event("disconnect", [])
    assert Path(path).exists()
    two.event("disconnect", [])
    assert not Path(path).exists()


@pytest.mark.attack(15)
def test_a_file_that_is_gone_costs_one_sentence(raw):
    paths = raw.upload(("gone.json", b"{}"), ("gone.safetensors", b"x"), ("gone.txt", b"x"))
    for path in paths:
        os.unlink(path)
    assert raw.event("take_files", [[file_data(paths[2])], None, None]).refusal == strings.FILE_GONE
    assert raw.event("take", [[file_data(path) for path in paths[:2]], "compact-core"]).refusal == strings.FILE_GONE


async def app(scope, receive, send) -> None:
    """A page that reads all it is sent, fails on /fails, and takes an error in reading for one of its own on /hides."""
    try:
        while (await receive()).get("more_body"):
            pass
    except Exception:
        if scope["path"] != "/hides":
            raise
    if scope["path"] == "/fails":
        raise KeyError("secret")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"through"})


def asked(path: str, chunks: tuple[bytes, ...] = (b"",), limits: Limits = LIMITS, **more) -> tuple[int, str]:
    """One request through the doors -> (status, text)."""
    sent, left = [], list(chunks)

    async def receive() -> dict:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": "POST", "headers": [], **more}
    asyncio.run(middleware.RequestGuard(app, limits, dict)(scope, receive, send))
    return sent[0]["status"], b"".join(part.get("body", b"") for part in sent).decode()


SMALL = Limits(max_request_bytes=100, max_upload_bytes=1000)


@pytest.mark.attack(14)
def test_the_doors_refuse_with_a_sentence_and_let_the_rest_through():
    assert asked("/x", (b"a" * 50, b"a" * 50), SMALL) == (200, "through")
    for path in ("/x", "/hides"):
        assert asked(path, (b"a" * 50, b"a" * 51), SMALL) == (413, strings.too_large(100))
    assert asked("/x", headers=[(b"content-length", b"101")], limits=SMALL) == (413, strings.too_large(100))
    assert asked("/fails") == (500, strings.NOT_UNDERSTOOD)
    for path in ("/gradio_api/proxy=x", "/gradio_api/file=HTTP://x", "/gradio_api/deep_link"):
        assert asked(path) == (403, strings.NOT_OFFERED) == asked("/sub" + path, root_path="/sub")
    assert asked("/gradio_api/file=/x/monitoring") == (200, "through")


@pytest.mark.attack(7)
def test_uploads_find_no_room_and_what_broke_off_is_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(middleware, "get_upload_folder", lambda: str(tmp_path))
    assert asked("/gradio_api/upload", limits=SMALL)[0] == 200
    (tmp_path / "ab").mkdir()
    for name, size, age in (("tmpnew", 500, 0), ("tmpold", 600, 700), ("ab/tmpold", 600, 700)):
        (tmp_path / name).write_bytes(bytes(size))
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    assert asked("/gradio_api/upload", limits=SMALL) == (503, strings.NO_ROOM)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == ["ab/tmpold", "tmpnew"]
    (tmp_path / "tmpnew").unlink()
    until(lambda: asked("/gradio_api/upload", limits=Limits(max_upload_bytes=10_000))[0] == 200)
