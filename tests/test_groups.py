"""Groups of runs without a browser: who is asked what in a comparison and a sweep, what they share, and how they end."""

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from ssd2_core.config import LIMITS, EnsembleParams, Settings
from ssd2_core.errors import BusyError, VisitorError
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Document, Done, Failed, Request, Turn
from ssd2_core.protocol.validation import check_request
from ssd2_core.serving.batching import Batcher
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.ui.compare import marked, sides
from ssd2_core.ui.examples import EXAMPLES
from ssd2_core.ui.handlers.chat import converse
from ssd2_core.ui.runs import Run
from ssd2_core.ui.state import Studio
from ssd2_core.ui.tabs import sweep
from ssd2_core.ui.tabs.sweep import shares_so_far, swept
from tests.support.fake_engine import ANSWER, FakeEngine


def test_an_own_model_alone_has_its_cap_and_says_so():
    studio = Studio(FakeEngine(Settings()), Settings())
    found = sides(studio, Request("", "What?", users=("mine-a",), documents=(Document("d", "x"),),
                                  ensemble=EnsembleParams({"mine-a": 0.3}, "constant"), owner="s"))
    assert [side.request.ensemble for side in found] == [
        EnsembleParams(lam, "constant") for lam in ({}, {"mine-a": 0.8}, {"mine-a": 0.3})]
    assert "80" in found[1].title and "most" in found[1].title
    assert {side.request.owner for side in found} == {"s"} and not any(side.request.documents for side in found)
    with pytest.raises(VisitorError, match="Choose an expert"):
        sides(studio, Request("", "What?"))


def test_a_core_that_predicts_the_next_token_is_also_shown_as_it_writes_alone():
    studio = Studio(FakeEngine(Settings(preferred=("goliath", "david"))), Settings())
    request = Request("", "What?", users=("david",), ensemble=EnsembleParams({"david": 0.5}), owner="s", core="goliath")
    studio.cores["goliath"] = replace(next(iter(studio.cores.values())), id="goliath", kind="next-token")
    plain, alone, *others = sides(studio, request)
    assert (plain.request.sampling.lookahead, alone.request.sampling) == (1, request.sampling)
    assert plain.request == replace(alone.request, sampling=plain.request.sampling) and "one word piece" in plain.title
    assert [side.request.ensemble.lam for side in others] == [{"david": 1.0}, {"david": 0.5}]
    assert len(sides(studio, replace(request, users=("david", "mine-a")))) == 4


def test_words_that_differ_are_marked_and_escaped():
    assert marked("It is Big.", "It is Biscuit.") == "It is <mark>Big.</mark>"
    assert marked("No, it is a <b> & b.", "it is b.") == "<mark>No,</mark> it is <mark>a &lt;b&gt; &amp;</mark> b."
    assert marked("the same", "the same") == "the same" and marked("", "x") == "" and marked("x", "") == "<mark>x</mark>"


HEAD = {"experts": [{"name": "core"}]}


def test_a_group_is_left_as_a_whole():
    async def go():
        studio = Studio(FakeEngine(Settings(), 5.0), Settings())
        with studio.groups.open("s", "compare") as group:
            runs = [group.add(Request("", "What?", owner="s"), HEAD) for _ in range(2)]
            reading = asyncio.create_task(drain(group))
            await asyncio.sleep(0.2)
            studio.groups.disconnect("another")
            assert not studio.runs.engine.cancelled
            await studio.disconnect(SimpleNamespace(session_hash="s"))
            await asyncio.wait_for(reading, 2.0)
        assert studio.runs.engine.cancelled == {run.id for run in runs} and all(run.end for run in runs)

    async def drain(group):
        return [news async for news in group.changes()]
    asyncio.run(go())


def asked_alone_and_together(monkeypatch) -> tuple[list, list, list[int]]:
    """Token ids of each side of the first example, one after the other and all at once; and the rows of shared passes."""
    example, rows = EXAMPLES[0], []
    shared = Batcher._pass
    monkeypatch.setattr(Batcher, "_pass", lambda self, some: (rows.append(len(some)), shared(self, some))[1])
    with InlineEngine(Settings()) as engine:
        studio = Studio(engine, engine.settings)
        found = sides(studio, Request("", example.prompt, users=tuple(example.users), ensemble=EnsembleParams(example.users),
                                      documents=(Document("d", example.document),)))

        def ids(run):
            return [event.token_ids for event in engine.stream(run) if isinstance(event, Frame)]
        alone = [ids(engine.submit(side.request)) for side in found]
        assert not rows
        runs = [engine.submit(side.request) for side in found]
        return alone, [ids(run) for run in runs], rows


def test_sides_that_share_passes_say_what_each_says_alone(monkeypatch):
    alone, together, rows = asked_alone_and_together(monkeypatch)
    assert together == alone and len(alone) == 3 and rows and set(rows) == {2}  # each alone, and with both


def ensemble(**lam: float) -> EnsembleParams:
    return EnsembleParams({name.replace("_", "-"): weight for name, weight in lam.items()})


def test_a_sweep_goes_from_nothing_to_the_most_and_the_others_make_room():
    studio = Studio(FakeEngine(Settings()), Settings())
    request = Request("", "What?", users=("compact-reader", "mine-a"), ensemble=ensemble(compact_reader=0.5, mine_a=0.4),
                      documents=(Document("d", "x"),))
    found = swept(studio, request, "compact-reader", 5)
    assert [r.ensemble.lam["compact-reader"] for r in found] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [round(r.ensemble.lam["mine-a"], 4) for r in found] == [0.4, 0.4, 0.4, 0.25, 0.0]
    assert {(r.sampling, r.documents, r.users) for r in found} == {(request.sampling, request.documents, request.users)}
    own = swept(studio, request, "mine-a", 11)
    assert [r.ensemble.lam["mine-a"] for r in own] == [round(0.08 * i, 4) for i in range(11)]
    assert all(sum(r.ensemble.lam.values()) <= 1 + 1e-6 for r in own)
    for user, count, sentence in (("compact-islander", 5, "Choose an expert"), (None, 5, "Choose an expert"),
                                  ("mine-a", 4, "between 5 and 11"), ("mine-a", 12, "between 5 and 11"),
                                  ("mine-a", "5", "whole number")):
        with pytest.raises(VisitorError, match=sentence):
            swept(studio, request, user, count)


def test_shares_so_far_are_those_of_the_steps_that_set_the_tokens():
    run = Run(Request("r", "What?"), {"experts": [{"name": "core"}, {"name": "me"}]})
    assert shares_so_far(run) == []
    run.steps = [{"b": 0, "t": ["a", "b", "end"], "e": [2], "x": [0, 1, 2], "h": [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]},
                 {"b": 0, "t": ["a", "c", "end"], "e": [2], "x": [1], "h": [[0.0, 1.0], [0.2, 0.8], [0.0, 1.0]]}]
    assert shares_so_far(run) == [0.6, 0.4]
    with InlineEngine(Settings()) as engine:
        studio = Studio(engine, engine.settings)
        asked = Request("", "What is the dog called?", users=("compact-reader",), ensemble=ensemble(compact_reader=0.5),
                        documents=(Document("d", EXAMPLES[0].document),))
        run = Run(asked, studio.head(asked))
        for event in engine.stream(engine.submit(asked)):
            run.take(event)
        assert shares_so_far(run) == pytest.approx(list(run.end.shares.values()), abs=2e-3) and run.end.tokens > 2


def test_a_full_queue_ends_a_sweep_only_when_nothing_of_it_is_under_way(monkeypatch):
    class Full(FakeEngine):
        places = 1

        def submit(self, request):
            if self.places <= 0:
                raise BusyError("All places are taken.")
            self.places -= 1
            return super().submit(request)

    async def go():
        said, studio = [], Studio(Full(Settings()), Settings())
        monkeypatch.setattr(sweep, "warn", said.append)
        asked = swept(studio, Request("", "What?", users=("compact-reader",), ensemble=ensemble(compact_reader=0.5), owner="s"),
                      "compact-reader", 5)
        with studio.groups.open("s", "sweep") as group:
            sweep.ask_more(studio, group, asked, "compact-reader")
            assert len(group.members) == 1 and not group.stopped and not said
            group.members[0].take(Failed(group.members[0].id, "over"))
            sweep.ask_more(studio, group, asked, "compact-reader")
            assert group.stopped and said == ["All places are taken."]
        with pytest.raises(BusyError), studio.groups.open("s", "sweep") as group:
            sweep.ask_more(studio, group, asked, "compact-reader")
    asyncio.run(go())


def test_only_a_finished_run_of_ones_own_takes_the_stage(monkeypatch):
    said, studio = [], Studio(FakeEngine(Settings()), Settings())
    monkeypatch.setattr(sweep, "warn", said.append)

    def shown(session: str, run_id: object):
        return sweep.shower(studio)(SimpleNamespace(session_hash=session), SimpleNamespace(_data={"run": run_id}))

    async def go():
        run = studio.runs.submit(Request("", "What?", owner="mine"), HEAD)
        assert shown("mine", run.id) == gr.skip() and "still being written" in said.pop()
        await studio.runs.pump(run)
        for session, run_id in (("another", run.id), ("mine", "guessed"), ("mine", None), ("mine", ["x"])):
            assert shown(session, run_id) == gr.skip() and "not known" in said.pop()
        assert json.loads(shown("mine", run.id))["done"] and studio.runs.latest("mine") is run and not said
        main = studio.runs.start("mine", Request("", "What?", owner="mine"), HEAD)
        assert shown("mine", run.id) == gr.skip() and said and studio.runs.latest("mine") is main
    asyncio.run(go())


def test_a_run_steered_from_the_strip_takes_the_place_of_its_own_question_only():
    async def turns_after(*before: Turn) -> list[str]:
        studio = Studio(FakeEngine(Settings(), 0.0), Settings())
        updates = [u async for u in converse(studio, "s", Request("", "Swept?", owner="s"), [], before, "Branched.")]
        return [turn.text for turn in updates[-1][4]]
    said = Turn("assistant", "Old.")
    assert asyncio.run(turns_after(Turn("user", "Swept?"), said)) == ["Swept?", ANSWER]
    assert asyncio.run(turns_after(Turn("user", "Another?"), said)) == ["Another?", "Old.", "Swept?", ANSWER]


def test_control_characters_that_a_model_wrote_do_not_end_a_conversation():
    async def turns() -> tuple[Turn, ...]:
        studio = Studio(FakeEngine(Settings(), 0.0), Settings())
        return [u async for u in converse(studio, "s", Request("", "Who?", owner="s"), [], ())][-1][4]

    def script(self, request_id: str):
        yield from (replace(e, answer="a\x1eb\x00") if isinstance(e, Done) else e for e in as_it_is(self, request_id))
    as_it_is = FakeEngine.script
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeEngine, "script", script)
        asked, answered = asyncio.run(turns())
    assert answered.text == "ab"
    assert check_request(Request("", "And?", history=(asked, answered)), LIMITS).history[1] == answered


def test_what_arrives_after_the_conversation_was_cleared_clears_it_again():
    async def updates() -> list[tuple]:
        studio, found = Studio(FakeEngine(Settings(), 0.0), Settings()), []
        async for update in converse(studio, "s", Request("", "Who clears?", owner="s"), [], ()):
            found.append(update)
            if len(found) == 2:
                studio.runs.disconnect("s")
        return found
    *_, last = asyncio.run(updates())
    assert last[:3] == ("", "", []) and last[4] == ()
