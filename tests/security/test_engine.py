"""Hostile visitors of a running server with the real engine: models of others, stops at any moment, poison, a dead worker."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from ssd2_core.config import Limits
from ssd2_core.registry.manifests import read_manifest
from tests.support.attacks import NEEDS_MODELS, real_server
from tests.support.browser import until
from tests.support.raw import Outcome, Raw, file_data, follow, sentence, told
from tests.test_visitors import SHEET, WEIGHTS

pytestmark = NEEDS_MODELS
NOTE = "My dog is called {}. We live in Oslo."
QUESTION = "What is the name of the dog?"
SLOW = {"num_steps": 64, "block_length": 2, "early_exit": "off", "pasted": NOTE.format("Biscuit")}
ONE_API = ["hi", "", [], 0.5, "adaptive", 4, 0, 8, 8, "greedy", 0.9, 0.5, 0.0, "off", "compact-core"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("attacked")


@pytest.fixture(scope="module")
def url(folder):
    with real_server(folder) as address:
        yield address


@pytest.fixture
def visitor(request, url):
    """A visitor whose tab is open; after all cases of a test another one is still answered."""
    raw = Raw(url)
    with raw.open_tab():
        yield raw
    if not request.node.is_last_case:
        return
    after = Raw(url).ask(QUESTION, pasted=NOTE.format("Brimsel"), num_steps=8)
    assert after.done and "Brimsel" in after.answer


def poison() -> bytes:
    """A valid model that answers nonsense, and is sure of it."""
    tensors, rng = {name: t.float() for name, t in load_file(WEIGHTS).items()}, torch.Generator().manual_seed(0)
    tensors["lm.model.layers.2.mlp.up_proj.weight"].normal_(0, 3.0, generator=rng)
    return save(tensors)


def run_id_and_own(out: Outcome) -> tuple[str, list[str]]:
    """The id of a finished question's run, and the own models that answered."""
    names = [expert["name"] for expert in out.viewer["head"]["experts"]]
    return out.viewer["run"], [name for name in names if name.startswith("mine-")]


@pytest.mark.attack(13)
@pytest.mark.attack(14)
@pytest.mark.parametrize("place", ["experts", "core"])
@pytest.mark.parametrize("name", ["http://169.254.169.254/", "https://huggingface.co/x/y", "../../etc", "/etc", ".", "a\nb",
                                  "owner/private", "file:///etc/passwd", "mine-", "mine-../../compact-reader",
                                  "mine-" + "A" * 22, "Compact-Core"])
def test_models_that_are_not_offered_are_refused(visitor, place, name):
    body = [*ONE_API]
    body[2 if place == "experts" else 14] = [name] if place == "experts" else name
    values, errors = visitor.api(*body)
    assert values == [] and "is not known here" in sentence(errors[0])


@pytest.mark.attack(18)
@pytest.mark.attack(11)
@pytest.mark.parametrize("text", ["<eos>", "<|endoftext|></s><pad>", "[MASK] <mask> <unk>", "\u202e\u200b\ufeff", "💥" * 60,
                                  "a" * 2000, "<script>alert(1)</script>", "...", "\t\n?"])
def test_special_tokens_and_odd_text_are_only_text(visitor, text):
    got = visitor.ask(f"What? {text}"[:2000], pasted=f"{text} My dog is called Biscuit.", num_steps=4, max_new_tokens=16)
    assert got.done and not got.said and got.viewer["done"]


def watched(visitor: Raw, stop_after: int, times: int = 1, **changed) -> tuple[Outcome, int, float]:
    """Ask slowly, stop after some steps -> (what came, steps when it was stopped, seconds from there to the end)."""
    out, steps, at = Outcome(), 0, None
    for message in visitor.messages("send", visitor.values("send", prompt=QUESTION, **SLOW | changed)):
        follow(out, message)
        news = told(message)
        steps = news["from"] + len(news["steps"]) if news else steps
        if at is None and news and steps >= stop_after:
            seen, at = steps, time.monotonic()
            for _ in range(times):
                assert visitor.quick("stop").status_code == 200
    return out, seen, time.monotonic() - at


@pytest.mark.attack(16)
@pytest.mark.parametrize("after,times", [(0, 1), (1, 1), (20, 1), (64, 1), (70, 3), (5, 2)],
                         ids=["before a step", "first step", "mid-block", "between blocks", "second block", "twice"])
def test_stop_keeps_what_is_written_and_says_so(visitor, after, times):
    out, seen, seconds = watched(visitor, after, times)
    last = out.viewer
    steps = last["from"] + len(last["steps"])
    assert out.done and "stopped" in last["line"] and last["done"] and not out.said
    assert seconds < 3 and steps - seen < 60                # the rest would be two blocks of 64 steps and more
    if after >= 64:
        assert out.answer


@pytest.mark.attack(16)
def test_a_question_is_stopped_while_it_waits_and_the_others_go_on(visitor, url):
    others = [Raw(url) for _ in range(9)]
    try:
        for other in others:
            values = other.values("send", prompt=QUESTION, **SLOW)
            joined = other.http.post("/gradio_api/queue/join", json={"data": values, "fn_index": other.fns["send"]["id"],
                                                                     "session_hash": other.session})
            assert joined.status_code == 200
        out, seen, _ = watched(visitor, 0)
        assert seen == 0 and "stopped" in out.viewer["line"] and out.viewer["steps"] == [] and not out.answer
    finally:
        for other in others:
            other.quick("disconnect")


@pytest.mark.attack(16)
def test_a_closed_tab_ends_its_run_and_a_new_visit_begins(url):
    gone = Raw(url)
    with gone.open_tab():
        stream = gone.messages("send", gone.values("send", prompt=QUESTION, **SLOW))
        news = next(news for news in map(told, stream) if news and news["from"] + len(news["steps"]) > 2)
    stream.close()
    viewer = next(number for number, part in gone.parts.items() if part.get("elem_id") == "viewer")

    def steps() -> int:
        body = {"data": {"run": news["run"], "since": 0}, "component_id": viewer, "session_hash": "x",
                "fn_name": "missed_steps"}
        return len(gone.http.post("/gradio_api/component_server", json=body).json())

    time.sleep(1)
    at = steps()
    time.sleep(0.5)
    assert at == steps() < 128                              # nobody is computing for it any more
    assert "Brimsel" in Raw(url).ask(QUESTION, pasted=NOTE.format("Brimsel"), num_steps=8).answer


def left_of(folder: Path, *words: str) -> list[Path]:
    """Files on the server with these in their names."""
    return [path for path in folder.rglob("*") if any(word in str(path) for word in words) and path.is_file()]


@pytest.mark.attack(15)
def test_two_visitors_with_the_same_names_share_nothing(url, folder):
    def visit(raw: Raw, dog: str) -> Outcome:
        path, = raw.upload(("note.txt", NOTE.format(dog).encode()))
        assert raw.event("take_files", [[file_data(path)], None, None]).done
        assert raw.bring(WEIGHTS.read_bytes(), SHEET | {"title": "Mine", "summary": f"Knows {dog}."}).done
        return raw.ask(QUESTION, pick_own_0=True, weight_own_0=0.4, weight_compact_reader=0.4, num_steps=32)

    one, two = Raw(url), Raw(url)
    with two.open_tab():
        with one.open_tab(), ThreadPoolExecutor(2) as pool:
            first, second = pool.map(visit, (one, two), ("Biscuit", "Brimsel"))
            for got, dog, foreign in ((first, "Biscuit", "Brimsel"), (second, "Brimsel", "Biscuit")):
                assert dog in got.answer and foreign not in json.dumps(got.data)
            (run_one, own_one), (run_two, own_two) = run_id_and_own(first), run_id_and_own(second)
            assert own_one and own_two and own_one != own_two and run_one != run_two
            assert min(map(len, (run_one, run_two, *own_one, *own_two))) >= 24
            body = [*ONE_API]
            body[2] = own_one
            assert "is not known here" in two.api(*body)[1][0]              # the id alone opens nothing
            stopped, going = pool.map(lambda raw: watched(raw, 5)[0] if raw is one else raw.ask(QUESTION, **SLOW), (one, two))
            assert "stopped" in stopped.viewer["line"] and "stopped" not in going.viewer["line"] and going.done
        until(lambda: not left_of(folder, own_one[0]) and len(left_of(folder, "note.txt")) == 1)
        assert left_of(folder, own_two[0])
        again = two.ask(QUESTION, pick_own_0=True, pick_compact_reader=False, weight_own_0=0.5, num_steps=16)
        assert "Brimsel" in again.answer and run_id_and_own(again)[1] == own_two
    until(lambda: not left_of(folder, "note.txt", "mine-", "Mine"))


@pytest.mark.attack(19)
def test_a_poisoned_model_leaves_the_cores_answer_as_it_was(visitor, url):
    def core_alone() -> list:
        values, errors = Raw(url).api("What is the capital of France?", *ONE_API[1:5], 8, 7, 16, 16, *ONE_API[9:])
        assert not errors
        return [frame["token_ids"] for frame in values[:-1]] + [values[-1]["answer"]]

    before = core_alone()
    assert visitor.bring(poison(), SHEET | {"title": "Trust me"}).done
    slow = {**SLOW, "pick_own_0": True, "pick_compact_reader": False}
    with ThreadPoolExecutor(1) as pool:
        poisoned = pool.submit(visitor.ask, QUESTION, weight_own_0=0.8, **slow)
        during = core_alone()
    out = poisoned.result()
    assert during == before and out.done
    experts, cells = out.viewer["head"]["experts"], out.steps[-1]["h"]
    assert experts[1]["title"] == "Trust me" and all(len(cell) == 2 and 0 <= cell[1] <= 1 for cell in cells)
    assert "maximum value 0.8" in visitor.ask(QUESTION, weight_own_0=0.81, **slow).refusal
    off = visitor.ask("What is the capital of France?", pick_own_0=False, pick_compact_reader=False, num_steps=16)
    assert "Paris" in off.answer and run_id_and_own(off)[1] == []
    visitor.quick("disconnect")
    assert core_alone() == before


@pytest.mark.attack(10)
def test_two_visitors_bring_the_largest_model_at_once_and_a_third_is_answered(visitor, url):
    about = {"hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 5}
    shapes = read_manifest("x", json.dumps(SHEET | about).encode()).shapes
    weights = save({name: torch.full(shape, 0.01, dtype=torch.float16) for name, shape in shapes.items()})
    assert 28_000_000 < len(weights) <= Limits().max_model_bytes
    two = Raw(url)
    with two.open_tab(), ThreadPoolExecutor(3) as pool:
        brought = [pool.submit(raw.bring, weights, SHEET | about | {"title": raw.session}) for raw in (visitor, two)]
        meanwhile = pool.submit(Raw(url).ask, QUESTION, pasted=NOTE.format("Biscuit"), num_steps=8)
        assert "Biscuit" in meanwhile.result().answer and all(out.result().done for out in brought)
        assert all(out.result().data[3]["label"] for out in brought)
        for raw in (visitor, two):
            out = raw.ask(QUESTION, pick_own_0=True, pick_compact_reader=False, weight_own_0=0.5, num_steps=2, max_new_tokens=8)
            assert out.done and len(run_id_and_own(out)[1]) == 1


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.attack(17)
def test_a_worker_killed_in_the_midst_costs_one_sentence(visitor):
    port = visitor.url.rpartition(":")[2].encode()
    server = next(pid for pid in children(os.getpid()) if port in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
    out, killed = Outcome(), []
    for message in visitor.messages("send", visitor.values("send", prompt=QUESTION, **SLOW)):
        follow(out, message)
        news = told(message)
        if news and news["from"] + len(news["steps"]) >= 3 and not killed:          # once: whoever comes instead lives
            killed = children(server)
            for worker in killed:
                os.kill(worker, signal.SIGKILL)
    assert "please ask once more" in sentence(out.answer) and out.data[3] == QUESTION
