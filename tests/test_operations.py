"""What keeps a service going: bounded memory, full disks, stops before the start, and limits that are told."""

import asyncio
import errno
import json
import re
import shutil
import threading
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from app import check_models, read_settings
from ssd2_core.__main__ import main
from ssd2_core.config import LIMITS, Limits, Settings, knobs
from ssd2_core.errors import DISK_FULL, BusyError, ModelError, is_disk_full, is_out_of_memory
from ssd2_core.models.loading import _not_loaded
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.limits import markdown
from ssd2_core.protocol.messages import Done, Failed, FinetuneRequest, Request
from ssd2_core.registry.cards import BUNDLED
from ssd2_core.serving import finetune_worker
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.serving.event_log import RunStore
from ssd2_core.serving.stats import Counters
from ssd2_core.serving.visitor_models import UserModels
from ssd2_core.ui import runs as page_runs
from ssd2_core.ui.blocks import Page
from ssd2_core.ui.middleware import RequestGuard
from ssd2_core.ui.page import build
from tests.support.browser import ROOT, until
from tests.support.fake_engine import FakeEngine
from tests.test_visitors import WEIGHTS, add

FULL = OSError(errno.ENOSPC, "No space left on device")


def test_the_documents_have_the_limits_as_they_are(capsys):
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert markdown(LIMITS) in text
    assert main(["limits", "--markdown"]) == 0 and capsys.readouterr().out.strip() == markdown(LIMITS)


def test_every_limit_has_a_meaning_and_is_told_with_its_range(capsys, monkeypatch):
    monkeypatch.setenv("SSD2_MAX_ACTIVE", "3")
    assert all(limit.help for limit in knobs(Limits).values()) and set(knobs(Limits)) == set(Limits.__dataclass_fields__)
    assert main(["limits"]) == 0
    lines = {line.split("=")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert re.fullmatch(r"SSD2_MAX_ACTIVE=3 +1 to 256 +questions that are answered at once", lines["SSD2_MAX_ACTIVE"])
    assert "0 to 1 " in lines["SSD2_MAX_OWN_WEIGHT"] and "1 or more" in lines["SSD2_MAX_FILE_BYTES"]


def done(run_id: str) -> Done:
    return Done(run_id, "a", "eos", 1, 1, 1, 0.1, 1.0, {}, "cpu", "float32")


def frame(run_id: str) -> Frame:
    return Frame(run_id, 0, 1, 1, 1.0, [1], ["a"], [1.0], [0.0], {}, {}, [False], [""], [False], 1.0)


def test_ended_runs_are_kept_up_to_a_number_of_events(monkeypatch):
    monkeypatch.setattr("ssd2_core.serving.event_log.MAX_ENDED_EVENTS", 25)
    store = RunStore(900)
    for name in ("old", "large", "new", "live"):
        log = store.open(Request(name, "?"))
        for _ in range(15 if name == "large" else 5):
            log.append(frame(name))
        if name != "live":
            log.append(done(name))
    store.open(Request("next", "?"))
    assert [store.find(name) is not None for name in ("old", "large", "new", "live")] == [False, True, True, True]


def test_the_page_keeps_the_ended_runs_that_the_engine_keeps():
    known = page_runs.Runs(SimpleNamespace(keeps={"new"}.__contains__))
    for name in ("old", "new", "live"):
        known.by_id[name] = page_runs.Run(Request(name, "?"), {})
        if name != "live":
            known.by_id[name].take(done(name))
    known.forget_old()
    assert list(known.by_id) == ["new", "live"]


def test_what_gradio_keeps_for_a_session_goes_with_it():
    demo = build(FakeEngine(Settings()), Settings())
    demo.state_holder = SimpleNamespace(lock=threading.Lock(), session_data={"a": 1, "b": 2},
                                        time_last_used={"a": 1})
    assert isinstance(demo, Page) and any(fn.fn == demo.forget for fn in demo.fns.values())
    demo.forget(SimpleNamespace(session_hash="a"))
    demo.forget(SimpleNamespace(session_hash="never seen"))
    assert demo.state_holder.session_data == {"b": 2} and demo.state_holder.time_last_used == {}


def test_gradio_lets_every_question_through_to_the_engine_and_keeps_no_statistics():
    demo = build(FakeEngine(Settings()), Settings())
    limits = {fn.concurrency_limit for fn in demo.fns.values() if fn.queue}
    assert limits <= {"default", None} and demo._queue.default_concurrency_limit is None
    assert demo._queue.ANALYTICS_MAX_EVENTS == 1
    rests, gradios = ("sleep_when_free", "progress_update_sleep_when_free"), gr.Blocks()._queue
    assert all(getattr(demo._queue, rest) >= 10 * getattr(gradios, rest) for rest in rests), "an idle page keeps a core busy"


def test_outputs_that_stay_as_they_are_cost_no_new_component(monkeypatch):
    with Page() as demo:
        boxes = [gr.Textbox("a"), gr.Textbox("b"), gr.State(1), gr.HTML("c"), gr.Button("d")]
        for outputs in (boxes, boxes[:1], gr.CheckboxGroup(["p", "q"])):
            boxes[4].click(lambda: None, None, outputs)
    made, state, make = [], SessionState(demo), gr.Textbox.__init__

    def counted(self, *given, **more) -> None:
        made.append(given)
        make(self, *given, **more)

    def sent(number: int, *values) -> list:
        fn = demo.fns[number]
        return asyncio.run(demo.postprocess_data(fn, list(values) if len(fn.outputs) > 1 else values[0], state))

    monkeypatch.setattr(gr.Textbox, "__init__", counted)
    skip = gr.skip()
    assert sent(0, skip, "new", skip, skip, gr.Button("e")) == [skip, "new", skip, skip, {"value": "e", **skip}] and made == []
    assert sent(0, *[skip] * 5) == [skip] * 5 and sent(0, "x", "y", 2, "z", skip) == ["x", "y", None, "z", skip]
    assert sent(1, "only") == ["only"] and sent(1, skip) == [skip] and state[boxes[2]._id] == 2
    assert sent(2, ["p"]) == [["p"]] and sent(2, ["p", "q"]) == [["p", "q"]]         # one output, whose value is a list
    assert sent(0, gr.Textbox(visible=False), *[skip] * 4)[0] == {"visible": False, **skip}


def test_nothing_is_kept_of_a_run_that_was_deleted():
    counters = Counters()
    counters.asked(Request("x", "?"))
    counters.deleted("x")
    counters.deleted("x")
    assert counters._asked == {}


@pytest.mark.parametrize("error,full", [(FULL, True), (OSError(errno.EFBIG, "too large"), True), (OSError(2, "nothing"), False),
                                        (RuntimeError("I/O error: No space left on device (os error 28)"), True)])
def test_a_full_disk_is_known_by_what_libraries_make_of_it(error, full):
    assert is_disk_full(error) is full


@pytest.mark.parametrize("error,out", [
    (MemoryError(), True), (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
    (OSError("Cannot allocate memory (os error 12)"), True), (RuntimeError("std::bad_alloc"), True), (OSError("no"), False)])
def test_memory_that_is_used_up_is_known_by_what_libraries_make_of_it(error, out):
    assert is_out_of_memory(error) is out
    assert ("has not enough memory" in str(_not_loaded("x", error))) is out


def through(app, path: str = "/x", health=dict) -> tuple[int, str]:
    """One request through the guard to ``app`` -> (status, text)."""
    sent = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    asked = {"type": "http", "path": path, "method": "POST", "headers": []}
    asyncio.run(RequestGuard(app, LIMITS, health)(asked, receive, send))
    return sent[0]["status"], sent[1]["body"].decode()


def test_an_upload_that_finds_the_disk_full_is_told_so():
    async def app(*_: object) -> None:
        raise FULL
    assert through(app) == (503, DISK_FULL)


@pytest.mark.parametrize("change,words", [({}, "Ready"), ({"cut": True}, "could not be loaded")])
def test_a_service_whose_core_cannot_be_loaded_is_not_well(tmp_path, change, words):
    core = shutil.copytree(BUNDLED / "compact-core", tmp_path / "core")
    if change:
        with open(core / "model.safetensors", "r+b") as weights:
            weights.truncate(1_000_000)
    with InlineEngine(Settings(core=str(core)), preload=(str(core),)) as engine:
        until(lambda: words in engine.status().message, 90)
        status, text = through(None, "/health", engine.health)
    assert status == (503 if change else 200) and json.loads(text)["ready"] is not bool(change)


def test_a_core_that_is_none_ends_the_start_with_a_sentence(tmp_path):
    (tmp_path / "core").mkdir()
    for core, words in (("/nowhere", "There is no model '/nowhere'"), (str(tmp_path / "core"), "has no config.json")):
        with pytest.raises(ModelError, match=words):
            check_models(read_settings(["--core", core]))


@pytest.fixture
def visitors():
    made = UserModels(LIMITS)
    yield made
    made.close()


def no_room(*_: object, **__: object) -> None:
    raise FULL


def test_a_model_that_finds_the_disk_full_leaves_nothing_behind(visitors, monkeypatch):
    monkeypatch.setattr("ssd2_core.serving.visitor_models.shutil.copyfile", no_room)
    with pytest.raises(BusyError, match=DISK_FULL):
        add(visitors)
    assert visitors.cards("ann") == [] and list(visitors.folder.iterdir()) == []


def test_a_trained_model_that_finds_the_disk_full_leaves_nothing_behind(visitors, monkeypatch):
    place = visitors.folder / "work-x"
    place.mkdir()
    (place / "model.safetensors").write_bytes(WEIGHTS.read_bytes())
    monkeypatch.setattr("ssd2_core.serving.visitor_models.read_card", no_room)
    with pytest.raises(BusyError, match=DISK_FULL):
        visitors.keep("ann", place)
    assert visitors.cards("ann") == [] and list(visitors.folder.iterdir()) == []


def test_a_training_that_finds_the_disk_full_is_told_so(monkeypatch):
    told, jobs = [], [FinetuneRequest("x", "compact-reader", (), "", "Mine", 1.0)]
    monkeypatch.setattr(finetune_worker, "teach", no_room)
    monkeypatch.setattr(finetune_worker.os, "nice", lambda _: 0)
    monkeypatch.setattr("torch.set_num_threads", lambda _: None)
    with pytest.raises(IndexError):
        finetune_worker.main(SimpleNamespace(get=lambda: jobs.pop()), told.append, None)
    assert told == [Failed("x", DISK_FULL)]
