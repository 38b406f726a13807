"""Runs on the page's side, without a browser: paced batches, resync, one run per session, and the stored story."""

import asyncio
import json

import pytest

from ssd2_core.config import EnsembleParams, Settings
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Loading, Queued, Request
from ssd2_core.protocol.traces import trace_to_json
from ssd2_core.ui import strings
from ssd2_core.ui.components import viewer
from ssd2_core.ui.page import Studio
from ssd2_core.ui.runs import Runs
from tests.support.fake_engine import ANSWER, FakeEngine

HEAD = {"experts": [{"name": "core"}]}


def runs(seconds_per_step: float = 0.0) -> Runs:
    return Runs(FakeEngine(Settings(), seconds_per_step))


async def collect(known: Runs, session: str, run) -> list[dict]:
    return [json.loads(message) async for message in known.messages(session, run)]


def test_messages_hold_every_step_once_and_are_paced():
    async def go():
        known = runs(0.01)
        return await collect(known, "s", known.start("s", Request("", "What?"), HEAD))
    messages = asyncio.run(go())
    counts = [(m["from"], len(m["steps"])) for m in messages]
    assert all(start + n == following for (start, n), (following, _) in zip(counts, counts[1:], strict=False))
    assert sum(n for _, n in counts) == 32 and len(messages) < 20
    assert [m["done"] for m in messages] == [False] * (len(messages) - 1) + [True]


@pytest.mark.attack(15)
def test_missed_steps_come_by_run_id_only():
    async def go():
        known = runs()
        run = known.start("s", Request("", "What?"), HEAD)
        await collect(known, "s", run)
        return known, run
    known, run = asyncio.run(go())
    assert [step["s"] for step in known.steps_since(run.id, 30)] == [15, 16]
    assert known.steps_since("guessed", 0) == []
    assert run.text == ANSWER and len(run.id) >= 20


def test_a_refused_request_leaves_the_run_under_way():
    async def go():
        known = runs(0.01)
        run = known.start("s", Request("", "What?"), HEAD)
        with pytest.raises(ValueError, match="prompt is empty"):
            known.start("s", Request("", " "), HEAD)
        assert known.is_current("s", run)
        assert (await collect(known, "s", run))[-1]["line"]
    asyncio.run(go())


@pytest.mark.attack(16)
def test_leaving_ends_the_run_at_once():
    async def go():
        known = runs(5.0)
        run = known.start("s", Request("", "What?"), HEAD)
        reading = asyncio.create_task(collect(known, "s", run))
        await asyncio.sleep(0.2)
        known.disconnect("s")
        await asyncio.wait_for(reading, 1.0)
        assert run.id in known.engine.cancelled
    asyncio.run(go())


def test_a_waiting_visitor_is_told_the_place_and_what_loads():
    async def go():
        run = runs().start("s", Request("", "What?"), HEAD)
        run.take(Queued(run.id, 3))
        assert json.loads(run.message(0, False))["note"] == "You are number 3 in the queue."
        run.take(Loading(run.id, "Loading the reader.", 0.5))
        assert json.loads(run.message(0, False))["note"] == "Loading the reader."
    asyncio.run(go())


def test_old_runs_are_forgotten():
    async def go():
        known = runs()
        known.engine.kept = 0
        first = known.start("s", Request("", "What?"), HEAD)
        await collect(known, "s", first)
        known.start("s", Request("", "What?"), HEAD)
        assert first.id not in known.by_id
    asyncio.run(go())


def test_a_stored_trace_becomes_the_first_visit(tmp_path, monkeypatch):
    monkeypatch.setattr(viewer, "STORIES", tmp_path)
    assert viewer.story({}, []) == ""
    engine = FakeEngine(Settings())
    engine.submit(Request("r", "What?", users=("compact-reader",),
                          ensemble=EnsembleParams(lam={"compact-reader": 0.5})))
    frames = [event for event in engine.stream("r") if isinstance(event, Frame)]
    (tmp_path / "a.json").write_text(trace_to_json(frames, {"prompt": "What?"}), encoding="utf-8")
    told = json.loads(viewer.story({"core": "Compact core"}, ["compact-reader"]))
    assert told["head"]["stored"] and told["head"]["prompt"] == "What?" and len(told["steps"]) == len(frames) == 32
    assert [expert["hue"] for expert in told["head"]["experts"]] == [0, 1]


def test_experts_keep_their_hue():
    studio = Studio(FakeEngine(Settings()), Settings())
    head = studio.head(Request("", "What?", users=("compact-islander",)))
    assert [(e["title"], e["hue"]) for e in head["experts"]] == [("Compact core", 0), ("Islander", 2)]


def test_a_queue_tells_position_and_expected_wait():
    assert strings.queued(1) == "You are next in the queue."
    assert strings.queued(3, 7.6) == "You are number 3 in the queue, about 8 s."
    assert strings.queued(1, 0.2) == "You are next in the queue, about 1 s."
