"""A Space before it is uploaded: its files, its card, its requirements; and limits from the environment."""

import io
import json
import logging
import re
import subprocess
import urllib.error
import urllib.request

import pytest
import yaml
from gradio_client import Client

from ssd2_core import deploy
from ssd2_core.__main__ import main
from ssd2_core.config import LIMITS, Limits
from ssd2_core.errors import LimitError, ModelError
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.limits import read_limits
from ssd2_core.protocol.messages import Document, Done, Failed, Request, Started
from ssd2_core.serving.stats import Counters
from tests.support.browser import served, until

CARD = yaml.safe_load((deploy.ROOT / "Space.yaml").read_text())


def test_a_dry_run_shows_every_file_and_the_card_and_uploads_nothing(capsys, monkeypatch):
    monkeypatch.setattr(deploy, "HfApi", None)
    assert main(["deploy", "space", "me/studio", "--private", "--variable", "SSD2_MAX_ACTIVE=2", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "Space me/studio, private, on cpu-basic" in shown and "SSD2_MAX_ACTIVE=2" in shown
    weights = "assets/models/compact-core/model.safetensors"
    for name in ("app.py", "requirements.txt", "ssd2_core/serving/worker.py", "assets/scripts/viewer.js", weights):
        assert f"  {name}\n" in shown
    for word in ("tests/", "runs/", "__pycache__", ".git", "Space.yaml", ".pyc"):
        assert word not in shown
    card = yaml.safe_load(shown.split("README.md begins:\n---\n")[1].split("---")[0])
    assert card == CARD | {"suggested_hardware": "cpu-basic"}


def test_what_is_uploaded_is_what_was_shown(monkeypatch):
    calls = []

    class Api:
        endpoint = "https://hub.test"

        def __init__(self, endpoint):
            pass

        def __getattr__(self, name):
            return lambda *given, **more: calls.append((name, given, more))
    monkeypatch.setattr(deploy, "HfApi", Api)
    space = deploy.plan("t4-small", ["SSD2_MAX_WAITING=5"])
    assert deploy.deploy(space, "me/studio", False) == "https://hub.test/spaces/me/studio"
    names = [name for name, _, _ in calls]
    assert names == ["create_repo", "add_space_variable", "create_commit", "request_space_hardware"]
    assert {part.path_in_repo for part in calls[2][1][1]} == set(space.files)
    made = calls[0][2]
    assert (made["repo_type"], made["space_hardware"], made["private"]) == ("space", "t4-small", False)
    assert calls[3][1] == ("me/studio", "t4-small")
    readme = space.files["README.md"].decode()
    assert readme.startswith("---\ntitle: SSD-2 Studio\n") and "\n# SSD-2 Studio" in readme


def test_a_cpu_gets_torch_without_cuda():
    assert deploy.requirements("cpu-upgrade").startswith("--extra-index-url https://download.pytorch.org/whl/cpu\n")
    assert deploy.requirements("a10g-small").startswith("torch==")


def test_zero_gpu_gets_the_torch_that_it_takes_and_its_package():
    space = deploy.plan("zero-a10g", [])
    lines, usual = (text.splitlines() for text in (space.files["requirements.txt"].decode(), deploy.requirements("t4-small")))
    assert "torch==2.11.0" in lines and [line.partition("==")[0] for line in lines if line not in usual[1:]] == [
        "torch", "spaces", "filelock"]
    assert set(usual[1:]) < set(lines) and usual[0].startswith("torch==")
    card = yaml.safe_load(space.card.split("---")[1])
    assert card["python_version"] == "3.12.12" and "suggested_hardware" not in card
    assert deploy.plan("rtx-pro-6000", []).card.count("suggested_hardware") == 0


def test_every_file_of_a_space_is_one_that_runs_there():
    """Nothing of the repository is left out that is imported or linked, and nothing else goes along."""
    files = deploy.plan("zero-a10g", []).files
    tracked = subprocess.run(["git", "ls-files"], cwd=deploy.ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in files if name not in tracked]
    apart = {".ci/run", ".dockerignore", ".gitattributes", ".gitignore", "Dockerfile", "Space.yaml", "pyproject.toml",
             "requirements-dev.txt", "requirements-mcp.txt", "requirements-ray.txt", "requirements-zero.txt"}
    assert {name for name in tracked if name not in files and not name.startswith("tests/")} == apart
    readme = files["README.md"].decode()
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", readme)
    assert "assets/screenshot.png" in linked and not [name for name in linked if name not in files]


@pytest.mark.parametrize("changed,sentence", [
    ({"colour": "red"}, "has the key 'colour', which the Hub does not document"),
    ({"pinned": "no"}, "pinned in Space.yaml must be bool"), ({"short_description": "x" * 61}, "has 61 characters"),
    ({"colorFrom": "ochre"}, "colorFrom in Space.yaml must be one of red"),
    ({"sdk": "docker"}, "sdk in Space.yaml must be gradio"), ({"app_file": "nowhere.py"}, "app_file a file of this repository"),
    ({"title": None}, "title in Space.yaml must be str"),
])
def test_a_card_that_the_hub_would_not_take_is_refused(changed, sentence):
    assert deploy.check_card(CARD) == CARD
    with pytest.raises(ModelError, match=sentence):
        deploy.check_card(CARD | changed)


@pytest.mark.parametrize("arguments,sentence", [
    (["--hardware", "cray-1"], "hardware must be one of cpu-basic"),
    (["--variable", "nonsense"], "A variable is NAME=VALUE"),
    (["--variable", "SSD2_MAX_ACTIVE=many"], "must be a number from 1 to 256"),
    (["--variable", "SSD2_MAX_TREES=2"], "SSD2_MAX_TREES is no limit"),
])
def test_mistakes_are_sentences(arguments, sentence, capsys):
    assert main(["deploy", "space", "me/studio", "--dry-run", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_limits_come_from_the_environment_and_every_mistake_is_told():
    found = read_limits({"SSD2_MAX_ACTIVE": "4", "SSD2_MAX_OWN_WEIGHT": "0.5", "SSD2_CACHE": "/x", "HOME": "/"})
    assert found == Limits(max_active=4, max_own_weight=0.5)
    with pytest.raises(LimitError) as caught:
        read_limits({"SSD2_MAX_ACTIVE": "0", "SSD2_MAX_STEPS": "1.5", "SSD2_OTHER": "1", "SSD2_IDLE_SECONDS": "nan"})
    named = [problem.split()[0] for problem in str(caught.value).split("\n")]
    assert named == ["SSD2_IDLE_SECONDS", "SSD2_MAX_ACTIVE", "SSD2_MAX_STEPS", "SSD2_OTHER"]
    with pytest.raises(LimitError, match="must not be above"):
        read_limits({"SSD2_MAX_BLOCK_LENGTH": "200"})


def test_every_limit_is_shown_with_its_variable(capsys, monkeypatch):
    monkeypatch.setenv("SSD2_MAX_USERS", "3")
    assert main(["limits"]) == 0
    shown = dict(line.split()[0].split("=") for line in capsys.readouterr().out.splitlines())
    assert shown["SSD2_MAX_USERS"] == "3" and shown["SSD2_MAX_FILE_BYTES"] == str(LIMITS.max_file_bytes)
    assert len(shown) == len(Limits.__dataclass_fields__)


def frame(run_id: str) -> Frame:
    return Frame(run_id, 0, 1, 1, 1.0, [1], ["secret"], [1.0], [0.0], {}, {}, [False], [""], [False], 1.0)


def test_a_request_is_one_line_in_the_log_without_anything_personal():
    stream = io.StringIO()
    logger, handler = logging.getLogger("ssd2_core.serving.stats"), logging.StreamHandler(stream)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        counters = Counters()
        asked = Request("the-id-opens-the-run", "my secret question", users=("compact-reader", "mine-secret"),
                        documents=(Document("secret.txt", "secret"),), owner="secret-session")
        counters.asked(asked)
        counters.noted(asked, Started(asked.request_id, ("core",), {}, ("secret",)))
        for _ in range(3):
            counters.noted(asked, frame(asked.request_id))
        counters.noted(asked, Done(asked.request_id, "secret answer", "eos", 3, 6, 5, 0.5, 10.0, {}, "cpu", "float32"))
        counters.noted(asked, Failed(asked.request_id, "secret"))
    finally:
        logger.removeHandler(handler)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[0] | {"waited_s": 0, "request": ""} == {
        "request": "", "end": "eos", "core": "compact-core", "users": ["compact-reader", "own"], "documents": 1, "waited_s": 0,
        "seconds": 0.5, "steps": 3, "forwards": 6, "tokens": 5}
    assert "secret" not in stream.getvalue() and "the-id" not in stream.getvalue()
    assert counters.steps == 3 and counters.steps_per_second() == pytest.approx(0.3)
    assert counters.ends == {"eos": 1, "failed": 1}


def test_the_health_address_tells_how_the_service_is(tmp_path):
    with served(["app.py", "--port", "PORT"], tmp_path) as url:
        def state() -> tuple[int, dict]:
            try:
                with urllib.request.urlopen(url + "/health", timeout=5) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)
        status, found = until(lambda: state() if state()[0] == 200 else None)
        assert found["ready"] and found["active"] == found["queued"] == found["restarts"] == 0 and found["device"] == "cpu"
        for _ in range(2):
            Client(url, verbose=False).predict("What is the capital of France?", api_name="/generate")
        assert state()[1]["ended"] == {"eos": 2} and state()[1]["steps"] > 2
    lines = [json.loads(line) for line in (tmp_path / "app.log").read_text().splitlines() if line.startswith("{")]
    assert [line["end"] for line in lines] == ["eos", "eos"] and "France" not in (tmp_path / "app.log").read_text()
