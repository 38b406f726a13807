"""The soak: its checks find what is wrong, its figures add up, and a short one with a killed worker loses nothing."""

import asyncio
import json

import pytest

from ssd2_core.loadtest import faults, report, stops
from ssd2_core.loadtest.cli import Plan, run
from ssd2_core.loadtest.client import Heard, Site, is_sentence
from ssd2_core.loadtest.questions import KINDS, Question, Tally, Words, end_of, make, repackaged
from ssd2_core.loadtest.server import Sample, Server
from ssd2_core.registry.cards import BUNDLED
from ssd2_core.registry.manifests import read_manifest
from ssd2_core.registry.uploads import check_weights_file
from tests.support.attacks import NEEDS_MODELS

READER = BUNDLED / "compact-reader"


def viewer(done: bool, line: str = "", used: tuple = (), run_id: str = "r1", steps: tuple = ()) -> str:
    return json.dumps({"run": run_id, "head": {}, "from": 0, "steps": [{"t": list(cells)} for cells in steps], "note": "",
                       "read": {"used": list(used), "left": []}, "done": done, "line": line}, separators=(",", ":"))


def said(role: str, text: str) -> dict:
    return {"role": role, "text": text}


def ended(question: Question, answer: str, line: str = "cpu · 5 steps", **more) -> Heard:
    """What a visitor hears of a question with this answer."""
    heard = Heard()
    chat = [said("user", more.pop("prompt", question.prompt)), said("assistant", answer)]
    used = more.pop("used", (question.document,))
    data = [viewer(True, line, used, **more), json.dumps(chat)]
    heard.take({"msg": "process_completed", "success": True, "output": {"data": data}})
    return heard


@pytest.fixture
def words():
    return Words(0)


@pytest.fixture
def asked(words):
    return make("reader", 0, words, 1)


def test_an_own_answer_is_counted_as_right_and_nothing_is_wrong(asked, words):
    tally = Tally()
    assert tally.note(asked, ended(asked, f"It is {asked.word}."), 1, words) == "answered"
    assert tally.note(asked, ended(asked, "It is Bobo.", run_id="r2"), 1, words) == "answered"
    assert tally.note(asked, ended(asked, "", "cpu · 3 steps · stopped", run_id="r3"), 1, words) == "stopped"
    assert (tally.right, tally.with_word, tally.failures) == (1, 2, []) and tally.ends == {"answered": 2, "stopped": 1}


def test_a_word_of_another_visitor_is_found_wherever_it_is_shown(asked, words):
    other = words.fresh(2)
    places = [ended(asked, f"It is {other}."), ended(asked, "It is.", used=(asked.document, f"My cat is called {other}.")),
              ended(asked, "It is.", steps=(["It", " is", f" {other[:3]}", other[3:], "."],))]
    for heard in places:
        tally = Tally()
        tally.note(asked, heard, 1, words)
        assert tally.failures == [f"visitor 1, reader: was shown {other}, the name of visitor 2"]
    tally = Tally()
    tally.note(asked, ended(asked, f"It is {words.fresh(1)}."), 1, words)
    assert tally.failures == []                              # a name of its own from before is no mistake


@pytest.mark.parametrize("change,problem", [
    ({"prompt": "What else?"}, "got the answer to another question: 'What else?'"),
    ({"used": ("My dog is called Rex.",)}, "got an answer from other documents than its own")])
def test_an_answer_to_something_else_is_a_failure(asked, words, change, problem):
    tally = Tally()
    tally.note(asked, ended(asked, f"It is {asked.word}.", **change), 1, words)
    assert tally.failures == [f"visitor 1, reader: {problem}"]


def test_a_run_that_two_visitors_see_is_a_failure(asked, words):
    tally, other = Tally(), make("reader", 0, words, 2)
    tally.note(asked, ended(asked, "It is."), 1, words)
    tally.note(other, ended(other, "It is."), 2, words)
    assert tally.failures == ["visitor 2, reader: was shown a run of visitor 1"]


def test_a_lost_question_is_a_failure_and_a_closed_tab_is_none(asked, words):
    tally = Tally()
    cut, silent = Heard(broke="ReadTimeout", steps=3), Heard()
    nothing = Heard()
    nothing.take({"msg": "process_completed", "success": True, "output": {"data": [{}, {}]}})
    assert [tally.note(asked, heard, 1, words) for heard in (cut, silent, nothing)] == ["lost"] * 3
    assert tally.failures[0] == "visitor 1, reader: was lost after 3 steps: ReadTimeout" and len(tally.failures) == 3
    assert tally.note(asked, Heard(), 1, words, left=True) == "left" and len(tally.failures) == 3


@pytest.mark.parametrize("text,clear", [("All places are taken; try again in a minute.", True), ("", False), ("a\nb", False),
                                        ("Traceback (most recent call last)", False), ("x" * 401, False),
                                        ("[Errno 28] No space left", False)])
def test_a_sentence_must_be_one_that_a_visitor_can_read(asked, words, text, clear):
    tally, warned, failed = Tally(), Heard(done=True, said=[text]), ended(asked, text, "")
    assert is_sentence(text) is clear
    assert tally.note(asked, failed, 1, words) == "sentence" and bool(tally.failures) is not clear
    if text:
        assert tally.note(asked, warned, 1, words) == "sentence" and tally.sentences == {text: 2}
        failed.said.append("No chosen expert reads documents.")             # a hint beside what the run ended with
        assert tally.note(asked, failed, 1, words) == "sentence" and tally.sentences == {text: 3}


def test_messages_on_the_way_are_followed():
    heard = Heard()
    for message in (viewer(False, steps=(["a"],)), [["replace", [], viewer(False, steps=(["a"], ["b"]))]]):
        heard.take({"msg": "process_generating", "success": True, "output": {"data": [message, None]}})
    assert heard.steps == 2 and heard.runs == {"r1"} and end_of(heard) == "lost"


def test_messages_of_another_event_change_nothing_but_what_was_shown(asked, words):
    heard, other = Heard(event="mine"), words.fresh(2)
    for event, text in (("other", f"It is {other}."), ("mine", "It is.")):
        chat = [said("user", asked.prompt), said("assistant", text)]
        data = [viewer(True, "cpu", (asked.document,), run_id=event), json.dumps(chat)]
        heard.take({"msg": "process_completed", "success": True, "output": {"data": data}, "event_id": event})
    tally = Tally()
    assert tally.note(asked, heard, 1, words) == "answered" and heard.answer == "It is." and heard.runs == {"mine"}
    assert tally.failures == [f"visitor 1, reader: was shown {other}, the name of visitor 2"]


def test_words_are_given_out_once(words):
    given = [words.fresh(n % 3) for n in range(3000)]
    assert len(set(given)) == 3000 and words.foreign({given[0], "Paris"}, 0) == [] and words.foreign({given[0]}, 1) == given[:1]
    for kind in KINDS:
        question = make(kind, 1, words, 7)
        assert (question.word == "") == (kind == "core") and question.word in question.document


def test_a_repackaged_model_passes_the_gate(tmp_path):
    from ssd2_core.loadtest.visitors import own_model
    (_, weights), (_, sheet) = own_model("one")
    assert weights != own_model("two")[0][1] != (READER / "model.safetensors").read_bytes()
    assert repackaged(weights, "one") == weights
    (tmp_path / "w").write_bytes(weights)
    assert check_weights_file("w", tmp_path / "w", read_manifest("s", sheet)) > 1_000_000


def test_growth_is_the_last_fifth_over_the_second():
    values = [0.0] * 10 + [100.0] * 10 + [500.0] * 20 + [110.0] * 10
    assert report.growth(values) == pytest.approx(0.1) and report.growth([1.0] * 4) is None


def test_workers_are_compared_at_equal_age():
    lives = [(11, 0, 40, 300.0), (12, 45, 50, 999.0), (13, 55, 100, 330.0)]
    samples = [Sample(at, 100.0, pid, mb + at - began) for pid, began, end, mb in lives for at in range(began, end + 1)]
    assert report.at_age(samples, 30) == [327.5, 357.5]
    found = report.memory(samples)
    assert found["workers_growth"] == pytest.approx(30 / 327.5, abs=1e-4) and found["page_growth"] == 0
    assert found["longest_life_s"] == 45 and found["longest_life_growth"] > 0


def figures(**changed) -> dict:
    base = {"ends": {"answered": 3}, "kills": [{"at_s": 1.0, "ready_s": 4.0, "answer_s": 5.0}],
            "memory": {"page_growth": 0.01, "workers_growth": None}}
    return base | changed


@pytest.mark.parametrize("changed,seconds,missed", [
    ({}, 600, None), ({"ends": {}}, 600, "nobody was answered"),
    ({"memory": {"page_growth": 0.5, "workers_growth": 0}}, 20, None),
    ({"memory": {"page_growth": 0.06, "workers_growth": 0}}, 600, "page_growth is 6.0%, the goal is 5%"),
    ({"memory": {"page_growth": 0, "workers_growth": 0.07}}, 600, "workers_growth is 7.0%, the goal is 5%"),
    ({"kills": [{"at_s": 9.0, "ready_s": 11.0, "answer_s": 9.0}]}, 600, "the kill at 9.0 s has ready_s 11.0, the goal is 10")])
def test_a_missed_goal_is_a_failure(changed, seconds, missed):
    assert report.goals_missed(figures(**changed), seconds) == ([missed] if missed else [])


@NEEDS_MODELS
def test_a_short_soak_with_a_killed_worker_loses_nothing():
    found = run(Plan(visitors=6, seconds=12.0, kills=1, seed=3, think=0.5), ("crowd",))
    assert [failure for failure in found["failures"] if "the goal is" not in failure] == []     # other work may slow it down
    crowd = found["crowd"]
    assert crowd["ends"]["answered"] > 5 and crowd["health"]["restarts"] == 1 and len(crowd["kills"]) == 1
    assert crowd["right"] > 0.5 and "lost" not in crowd["ends"]
    shown = report.table(found)
    assert "worker killed at" in shown and shown.endswith(f"{len(found['failures'])} failures in {found['seconds']:g} s")


@NEEDS_MODELS
def test_stops_and_faults_on_a_real_server(tmp_path):
    async def go() -> tuple[dict, list]:
        rows, seconds = [], {}
        async with Server(tmp_path, SSD2_MAX_ACTIVE="2", SSD2_MAX_WAITING="3") as server:
            site = await Site.of(server)
            for point in ("step 0", "mid-block", "closed tab"):
                seconds[point] = await stops.POINTS[point](server, site)
            rows.append(await faults.full_queue(server, site))
            rows.append(await faults.dropped_connection(server, site))
            with pytest.raises(ValueError, match="has no input colour"):
                site.values("send", colour=1)
        return seconds, rows
    seconds, rows = asyncio.run(go())
    assert max(seconds.values()) < 3                        # a second where nothing else runs
    assert rows[0].startswith("3 of 8 were told 'All places are taken and 3 requests wait already")
    assert "stream cut" in rows[1] and "all cut" in rows[1]


def test_a_fault_that_ends_otherwise_is_told(tmp_path, monkeypatch):
    async def breaks(server, site) -> str:
        raise RuntimeError("expected one clear sentence, found none")

    class Here:
        http, address = None, ""

        def __init__(self, *_: object, **__: object):
            pass

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_: object):
            pass

    async def site(server) -> None:
        return None

    monkeypatch.setattr(faults, "Server", Here)
    monkeypatch.setattr(faults.Site, "of", site)
    rows: list[dict] = []
    asyncio.run(faults.tried(tmp_path, {}, (breaks,), rows))
    assert rows == [{"name": "breaks", "what": "expected one clear sentence, found none", "failed": True}]


def test_a_traceback_in_the_log_is_found_unless_the_worker_was_killed_as_it_wrote(tmp_path):
    server = Server(tmp_path)
    (tmp_path / "app.log").write_text("fine\na handler failed\nTraceback (most recent call last):\n  File x\nKeyError: 'a'\n"
                                      "a message of the worker could not be read\nTraceback (most recent call last):\n"
                                      "  File x\n_pickle.UnpicklingError: pickle data was truncated\n")
    assert server.tracebacks() == ["KeyError: 'a'"]


def test_seconds_of_an_answer_are_counted(asked, words):
    tally, heard = Tally(), ended(asked, "It is.")
    heard.asked = heard.ended - 2
    tally.note(asked, heard, 1, words)
    assert tally.seconds == [pytest.approx(2)]
