"""What a visitor can do to a run from the viewer, as requests: pin a word, denoise a span again, branch at a step."""

import asyncio
from dataclasses import replace

import pytest

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.errors import VisitorError
from ssd2_core.protocol.messages import Change, Document, Pin, Request
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.ui import strings
from ssd2_core.ui.handlers.steering import last_frames, latest, steered
from ssd2_core.ui.runs import Run
from ssd2_core.ui.state import Studio

READER = "compact-reader"
HALF, NONE = EnsembleParams({READER: 0.5}), EnsembleParams({READER: 0.0})
NOTE = (Document("note", "My dog is called Brimsel. We live in Oslo near the old mill."),)
ASKED = Request("", "What is my dog called?", "compact-core", (READER,), NOTE, (), SamplingParams(), HALF, owner="me")


@pytest.fixture(scope="module")
def studio():
    with InlineEngine(Settings()) as engine:
        yield Studio(engine, engine.settings)


def ended(studio: Studio, request: Request, meanwhile=lambda run: None) -> Run:
    """A run of the session "me", to its end."""
    async def go() -> Run:
        run = studio.runs.start("me", request, studio.head(request))
        meanwhile(run)
        async for _ in studio.runs.messages("me", run):
            pass
        return run
    return asyncio.run(go())


def wish(studio: Studio, run: Run, action: str, **more):
    return steered(studio, "me", {"action": action, "run": run.id, **more}, lambda: NONE)


def test_a_span_is_denoised_again_and_the_rest_stays(studio):
    run = ended(studio, ASKED)
    found = wish(studio, run, "again", cells=[[0, 2], [0, 3], [0, 2]])
    assert found.line == strings.STEER_LINES["again"]
    second = ended(studio, found.request)
    before, after = last_frames(run)[0], last_frames(second)[0]
    assert [i for i, pinned in enumerate(after.pinned) if not pinned] == [2, 3]
    rest = [i for i in range(16) if i not in (2, 3)]
    assert [after.token_ids[i] for i in rest] == [before.token_ids[i] for i in rest]
    assert found.request.sampling.seed == ASKED.sampling.seed + 1
    assert found.request.documents == NOTE and found.request.owner == "me"


def test_a_word_is_pinned_in_a_finished_answer_and_the_rest_is_written_around_it(studio):
    run = ended(studio, ASKED)
    first = ended(studio, wish(studio, run, "pin", block=0, position=2, text="Rex").request)
    assert "Rex" in first.text and first.text != run.text
    second = ended(studio, wish(studio, first, "pin", block=0, position=0, text="Now").request)
    assert second.text.startswith("Now") and "Rex" in second.text        # the older pin is kept
    assert second.request.sampling.seed == ASKED.sampling.seed           # from the same noise


def test_a_word_pinned_on_the_way_goes_to_the_run_itself(studio):
    told = []
    run = ended(studio, ASKED, lambda run: told.append(wish(studio, run, "pin", block=0, position=2, text="Rex")))
    assert told[0].request is None and "Rex" in run.text
    assert [change.pin.text for change in run.changes] == ["Rex"] and run.changes[0].step < 16


def test_a_branch_is_the_run_up_to_its_step_and_then_another(studio):
    run = ended(studio, ASKED)
    found = wish(studio, run, "branch", step=6)
    assert found.line == "From step 7 on: Compact reader 50\u202f% → 0\u202f%"
    second = ended(studio, found.request)
    same = ("t", "c", "h", "w")
    assert [[s[k] for k in same] for s in second.steps[:6]] == [[s[k] for k in same] for s in run.steps[:6]]
    assert second.steps[6]["w"] != run.steps[6]["w"] and second.text != run.text
    assert [s["v"] for s in second.steps] == [0] * 6 + [1] * 10


def test_a_branch_of_a_run_that_was_changed_goes_through_the_same_changes(studio):
    def change(run):
        studio.engine.control(run.id, NONE)
        studio.engine.pin(run.id, Pin(0, 2, "Rex"))
    run = ended(studio, ASKED, change)
    steps = [change.step for change in run.changes]
    assert len(steps) == 2 and latest(run) == NONE
    found = wish(studio, run, "branch", step=15)
    assert [(c.step, c.ensemble, c.pin) for c in found.request.plan] == [
        (steps[0], NONE, None), (steps[1], None, Pin(0, 2, "Rex")), (15, NONE, None)]
    second = ended(studio, found.request)
    assert [s["t"] for s in second.steps] == [s["t"] for s in run.steps]
    earlier = wish(studio, second, "branch", step=0).request            # a branch of a branch, before anything was changed
    assert earlier.plan == (Change(0, NONE),)


@pytest.mark.parametrize("more,sentence", [
    ({"action": "again", "cells": []}, strings.STEER_NOTHING), ({"action": "again", "cells": [[9, 9]]}, strings.STEER_NOTHING),
    ({"action": "again", "cells": "x"}, strings.STEER_NOTHING),
    ({"action": "again", "cells": [[True, False]]}, strings.STEER_NOTHING),
    ({"action": "again", "cells": [[0.5, 1], ["a", 2], [1], None]}, strings.STEER_NOTHING),
    ({"action": "dance"}, strings.STEER_UNKNOWN), ({"action": None}, strings.STEER_UNKNOWN),
    ({"action": "branch", "step": 99}, "the step of a branch"), ({"action": "branch", "step": -1}, "the step of a branch"),
    ({"action": "branch", "step": float("nan")}, "the step of a branch"), ({"action": "branch"}, "the step of a branch"),
    ({"action": "pin", "block": 0, "position": 0, "text": ""}, "a word or token ids"),
    ({"action": "pin", "block": 0, "position": 0, "text": None}, "must be text"),
    ({"action": "pin", "block": "x", "position": 0, "text": "a"}, "the block of a pin"),
    ({"action": "pin", "block": 0, "position": 1e9, "text": "a"}, "the position of a pin"),
    ({"action": "again", "run": "somebody-elses"}, strings.STEER_UNKNOWN),
    ({"action": "again", "run": ["x"]}, strings.STEER_UNKNOWN),
])
def test_what_cannot_be_done_is_said(studio, more, sentence):
    run = next(iter(studio.runs.by_id.values()), None) or ended(studio, ASKED)
    with pytest.raises(VisitorError, match=sentence):
        steered(studio, "me", {"run": run.id} | more, lambda: NONE)


def test_a_run_is_its_own_session_s_alone(studio):
    run = ended(studio, ASKED)
    with pytest.raises(VisitorError, match=strings.STEER_UNKNOWN):
        steered(studio, "somebody else", {"action": "again", "run": run.id, "cells": [[0, 2]]}, lambda: NONE)


def test_a_run_under_way_waits_for_spans_and_branches(studio):
    seen = []

    def look(run):
        for action in ("again", "branch"):
            with pytest.raises(VisitorError, match="Wait until the answer is finished"):
                wish(studio, run, action, cells=[[0, 1]], step=0)
            seen.append(action)
    ended(studio, replace(ASKED, sampling=SamplingParams(num_steps=40)), look)
    assert seen == ["again", "branch"]
