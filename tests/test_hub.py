"""The Hub both ways, against a small server that answers as the Hub does; no test goes out."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ssd2_core.__main__ import main
from ssd2_core.config import LIMITS
from ssd2_core.errors import ModelError
from ssd2_core.registry import hub
from ssd2_core.registry.manifests import read_manifest
from ssd2_core.registry.uploads import examine, unpack
from ssd2_core.serving.visitor_models import UserModels
from tests.test_visitors import SHEET

READER = Path("assets/models/compact-reader")
CONFIG = (READER / "config.json").read_bytes()
SHA = "0123456789abcdef0123456789abcdef01234567"


class FakeHub(BaseHTTPRequestHandler):
    """Answers for the repositories in ``server.repositories``: {id: {file: bytes}}; notes what it was asked, and the tokens."""

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, body: bool):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        path = self.path.partition("?")[0].strip("/")
        data, headers = b"{}", {}
        if path.startswith("api/models/"):
            files = self.server.repositories.get("/".join(path.split("/")[2:4]))
            if files is not None:
                siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
                data = json.dumps({"id": "/".join(path.split("/")[2:4]), "sha": SHA, "siblings": siblings}).encode()
        else:
            owner, name, _, revision, *file = path.split("/")
            files = self.server.repositories.get(f"{owner}/{name}")
            data = (files or {}).get("/".join(file))
            headers = {"ETag": f'"{SHA}{len(data or b"")}"', "X-Repo-Commit": revision}
        self.send_response(200 if files is not None and data is not None else 404)
        for key, value in {**headers, "Content-Length": str(len(data or b""))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def fake():
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    server.repositories, server.asked = {}, []
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def repository(**changed) -> dict[str, bytes]:
    files = {"config.json": CONFIG, "model.safetensors": (READER / "model.safetensors").read_bytes(), "README.md": b"x"}
    return {name: data for name, data in (files | changed).items() if data is not None}


def config(**changed) -> bytes:
    return json.dumps(json.loads(CONFIG) | changed).encode()


def test_a_small_expert_of_the_hub_passes_the_gate_without_a_token(fake, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fake.repositories["a/reader"] = repository()
    weights, sheet = hub.fetch_user(" a/reader ", tmp_path, fake.url)
    assert weights.read_bytes() == (READER / "model.safetensors").read_bytes()
    assert read_manifest("x", sheet).title == "Compact reader"
    visitors = UserModels(LIMITS)
    card = visitors.add("me", weights, "a/reader", sheet, "config.json of a/reader")
    assert card.parameters == 1_263_488 and card.source == "visitor" and card.license == "apache-2.0"
    visitors.close()
    assert {token for _, token in fake.asked} == {None}
    assert not [path for path, _ in fake.asked if "README" in path or "tokenizer" in path]


@pytest.mark.parametrize("model_id", [
    "", "reader", "http://127.0.0.1/a/b", "https://huggingface.co/a/b", "file:///etc/passwd", "../a/b", "a/../b", "a/b/c",
    "a/..", "a/b?x=1", "a/b#c", "a\\b", "a/b\nc", "/a/b", "a/b/", "169.254.169.254/latest/meta-data", "a@b/c", "a/b.git",
    "a/ b", "a/b\x00", None, 3, ["a/b"], "a/" + "b" * 200,
])
def test_what_is_no_id_is_refused_before_anything_is_asked(model_id, fake, tmp_path):
    with pytest.raises(ModelError, match="is not an id of the Hub; give owner/name"):
        hub.fetch_user(model_id, tmp_path, fake.url)
    assert not fake.asked and not list(tmp_path.iterdir())


@pytest.mark.parametrize("files,sentence", [
    (None, "a/b could not be found on the Hub; check the name, and that it is public."),
    (repository(**{"config.json": None}), "a/b has no config.json; a small expert has config.json and model.safetensors."),
    (repository(**{"model.safetensors": None, "pytorch_model.bin": b"x"}), "a/b has no model.safetensors"),
    (repository(**{"config.json": b" " * 70_000}), "config.json of a/b has 70,000 bytes; at most 65,536 are fetched."),
    (repository(**{"model.safetensors": b"x" * 32_000_001}), "model.safetensors of a/b has 32,000,001 bytes"),
    (repository(**{"config.json": b"{"}), "config.json of a/b is not plain JSON"),
    (repository(**{"config.json": b"[]"}), "config.json of a/b is not that of a simplex diffusion model"),
    (repository(**{"config.json": config(model_type="gpt2")}), "its model_type must be 'ssd2'"),
    (repository(**{"config.json": config(base="someone/else")}), "a whole small expert on a Llama backbone"),
    (repository(**{"config.json": config(backbone={"model_type": "gpt2"})}), "a whole small expert on a Llama backbone"),
    (repository(**{"config.json": config(backbone={"model_type": "llama"})}), "config.json of a/b lacks hidden_size."),
    (repository(**{"config.json": config(title=["x"])}), "title must be text of at most 60 characters"),
    (repository(**{"config.json": config(tokenizer_hash="f" * 16)}), "names the tokenizer 'ffffffffffffffff'"),
    (repository(**{"model.safetensors": b"\x80\x04\x95" + b"0" * 400}), "is not a safetensors file"),
])
def test_repositories_that_are_refused(files, sentence, fake, tmp_path):
    if files is not None:
        fake.repositories["a/b"] = files
    with pytest.raises(ModelError) as caught:
        weights, sheet = hub.fetch_user("a/b", tmp_path, fake.url)
        examine(weights, "a/b", sheet, "config.json of a/b")
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_code_in_a_config_is_never_looked_at(fake, tmp_path):
    evil = config(auto_map={"AutoModel": "evil--Model"}, _attn_implementation="evil/kernel", trust_remote_code=True,
                  _name_or_path="x/y")
    fake.repositories["a/b"] = repository(**{"config.json": evil, "evil.py": b"raise SystemExit"})
    weights, sheet = hub.fetch_user("a/b", tmp_path, fake.url)
    _, made = examine(weights, "a/b", sheet, "config.json of a/b")
    assert not {"auto_map", "_attn_implementation", "trust_remote_code", "_name_or_path"} & set(made)
    assert not [path for path, _ in fake.asked if "evil" in path]


class Recorder:
    """Stands for HfApi: notes what would be uploaded."""

    calls: list = []
    endpoint = "https://hub.test"

    def __init__(self, endpoint=None):
        pass

    def create_repo(self, repo_id, **options):
        if repo_id.startswith("taken/"):
            raise OSError("403 Forbidden: you have no right to write here.\nmore")
        self.calls.append((repo_id, options))

    def upload_folder(self, **options):
        self.calls.append(options)


def test_a_downloaded_model_becomes_a_folder_and_is_published_for_its_owner_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hub, "HfApi", Recorder)
    Recorder.calls = []
    (tmp_path / "my-model.safetensors").write_bytes((READER / "model.safetensors").read_bytes())
    (tmp_path / "my-model.json").write_text(json.dumps(SHEET))
    assert main(["convert", "visitor", str(tmp_path / "my-model.safetensors"), str(tmp_path / "folder")]) == 0
    assert "1,263,488 parameters" in capsys.readouterr().out
    assert main(["push", str(tmp_path / "folder"), "me/mine"]) == 0
    assert capsys.readouterr().out == "https://hub.test/me/mine\n"
    assert main(["push", str(tmp_path / "folder"), "me/mine", "--public"]) == 0
    created = [call for call in Recorder.calls if isinstance(call, tuple)]
    assert created == [("me/mine", {"private": True, "exist_ok": True}), ("me/mine", {"private": False, "exist_ok": True})]
    sent = Recorder.calls[1]
    assert sent["folder_path"] == tmp_path / "folder" and "*.safetensors" in sent["allow_patterns"]
    assert not any("pkl" in pattern or pattern == "*" for pattern in sent["allow_patterns"])


@pytest.mark.parametrize("arguments,sentence", [
    (["push", "assets/models/compact-reader", "http://x/y"], "is not an id of the Hub"),
    (["push", "assets", "me/mine"], "assets has no config.json"),
    (["push", "assets/models/compact-reader", "taken/mine"],
     "taken/mine could not be published: 403 Forbidden: you have no right to write here. Log in with `hf auth login`"),
    (["convert", "visitor", "no-such.safetensors", "out"], "cannot be read or written"),
])
def test_what_cannot_be_published_is_said_in_a_sentence(arguments, sentence, monkeypatch, capsys):
    monkeypatch.setattr(hub, "HfApi", Recorder)
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err


def test_unpack_refuses_a_folder_that_is_there(tmp_path):
    (tmp_path / "a.safetensors").write_bytes((READER / "model.safetensors").read_bytes())
    (tmp_path / "a.json").write_text(json.dumps(SHEET))
    with pytest.raises(ModelError, match="a new folder"):
        unpack(tmp_path / "a.safetensors", tmp_path)
