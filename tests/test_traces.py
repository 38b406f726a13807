"""The gate for trace files: what we write is read again; whatever else somebody sends is one sentence."""

import copy
import json
import re
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd2_core import load_trace
from ssd2_core.config import EnsembleParams, Settings
from ssd2_core.errors import LimitError
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Change, Document, Request
from ssd2_core.protocol.trace_schema import ABOUT, INPUT_FIELDS, MAX_BYTES, NEWER_FIELDS, checked_trace
from ssd2_core.protocol.traces import about_run, fitting_trace, trace_from_json, trace_to_json
from ssd2_core.ui.export.run_snapshot import kept_run
from ssd2_core.ui.runs import Run
from tests.support.browser import ROOT
from tests.support.fake_engine import FakeEngine


def finished_run(user: str = "compact-reader") -> Run:
    engine = FakeEngine(Settings())
    request = Request("r", "What is it?", users=(user,), documents=(Document("d.txt", "Told."),),
                      ensemble=EnsembleParams({user: 0.5}))
    engine.submit(request)
    run = Run(request, {"experts": [{"name": "core", "title": "Core"}, {"name": user, "title": "Mine"}]})
    for event in engine.stream("r"):
        run.take(event)
    return run


RUN = finished_run()
ABOUT_RUN = about_run(RUN.request, RUN.end, {"core": "Core"}, RUN.request.documents)
TEXT = trace_to_json(RUN.frames, ABOUT_RUN)
DATA = json.loads(TEXT)
PIN = {"block": 0, "position": 2, "text": "", "token_ids": [5]}
VALUES = (st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800") |
          st.just(10**400) | st.just(1e308))
JUNK = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
                    max_leaves=12)


def refused(text: str | bytes) -> str:
    with pytest.raises(LimitError) as caught:
        trace_from_json(text)
    sentence = str(caught.value)
    assert "\n" not in sentence and len(sentence) < 500
    return sentence


def test_what_is_written_is_read_again(tmp_path):
    (tmp_path / "t.json").write_text(TEXT, encoding="utf-8")
    frames, about = load_trace(tmp_path / "t.json")
    assert frames == RUN.frames and isinstance(frames[0], Frame)
    assert about == json.loads(json.dumps(ABOUT_RUN)) and set(about) < set(ABOUT)
    with pytest.raises(LimitError, match="cannot be read"):
        load_trace(tmp_path / "nowhere.json")


def test_changes_of_the_visitor_are_told_without_the_ids_of_own_models():
    run = finished_run("mine-secret")
    run.changes.append(Change(1, EnsembleParams({"mine-secret": 0.2})))
    about = kept_run(run, {"mine-secret": "Mine"}, False).about
    assert about["plan"][0]["ensemble"]["lam"] == {"own-0": 0.2} and "mine-secret" not in json.dumps(about)
    assert "pins" not in about and checked_trace(trace_to_json(RUN.frames, about))


def test_version_1_has_no_newer_fields_and_is_read():
    old = copy.deepcopy(DATA) | {"version": 1, "about": {"prompt": "What?", "experts": ["core"], "documents": ["d.txt"],
                                                         "answer": "It.", "steps": 3, "seconds": 1.5, "shares": {"core": 1}}}
    for frame in old["frames"]:
        for name in NEWER_FIELDS + INPUT_FIELDS:
            del frame[name]
    frames, about = trace_from_json(json.dumps(old))
    assert about["documents"] == ["d.txt"] and len(frames) == len(RUN.frames)
    assert frames[3].texts == RUN.frames[3].texts and frames[3].candidates == {} and frames[3].pinned == []
    assert frames[3].input_texts == [] and frames[3].settled == []
    assert "lacks 'candidates'" in refused(json.dumps(old | {"version": 2}))
    third = copy.deepcopy(DATA) | {"version": 3}
    for frame in third["frames"]:
        for name in INPUT_FIELDS:
            del frame[name]
    assert trace_from_json(json.dumps(third))[0][3].candidates == RUN.frames[3].candidates
    assert "lacks 'input_mass'" in refused(json.dumps(third | {"version": 4}))


def test_a_trace_that_is_too_long_loses_candidates_first():
    whole = len(TEXT.encode())
    short = fitting_trace(RUN.frames, ABOUT_RUN, whole // 2)
    frames, _ = trace_from_json(short)
    assert len(short.encode()) <= whole // 2 and frames[5].texts == RUN.frames[5].texts and frames[5].candidates == {}
    assert fitting_trace(RUN.frames, ABOUT_RUN) == TEXT
    with pytest.raises(LimitError, match="fewer steps"):
        fitting_trace(RUN.frames, ABOUT_RUN, 1000)


@pytest.mark.parametrize(("change", "rule"), [
    (lambda d: d.update(version=5), "version 1 or 2 or 3 or 4"), (lambda d: d.update(version=True), "version 1 or 2 or 3 or 4"),
    (lambda d: d["about"].update(pins=[{"block": 0}]), "lacks 'position'"),
    (lambda d: d["about"].update(pins=[PIN | {"token_ids": [-1]}]), "token_ids must be a whole number"),
    (lambda d: d["about"].update(plan=[{"step": 1, "ensemble": {"tau": "hot"}, "pin": None}]), "tau must be a number"),
    (lambda d: d["about"].update(plan=[{"step": 1, "ensemble": {"heat": 1}, "pin": None}]), "not known here"),
    (lambda d: d["about"].update(plan=[{"step": 1.5, "ensemble": None, "pin": PIN}]), "step must be a whole number"),
    (lambda d: d.update(extra=1), "unknown 'extra'"), (lambda d: d.update(frames=[]), "nothing to show"),
    (lambda d: d["about"].update(evil=1), "unknown 'evil'"), (lambda d: d["about"].update(prompt=["x"]), "prompt must be text"),
    (lambda d: d["about"]["settings"]["sampling"].update(num_steps=0), "steps must lie"),
    (lambda d: d["about"]["settings"]["ensemble"].update(lam={"a": 2}), "the weight of a"),
    (lambda d: d["about"]["figures"].update(device=3), "device must be text"),
    (lambda d: d["frames"][1].update(block=10**9), "block must be"), (lambda d: d["frames"][1].update(block=7), "out of order"),
    (lambda d: d["frames"][4].update(step=1), "out of order"), (lambda d: d["frames"][4]["texts"].pop(), "15 entries; 16"),
    (lambda d: d["frames"][4]["texts"].__setitem__(0, "x" * 500), "at most 400"),
    (lambda d: d["frames"][4]["confidence"].__setitem__(0, 7), "from -0.01 to 1.01"),
    (lambda d: d["frames"][4]["changed"].__setitem__(0, 1), "true or false"),
    (lambda d: d["frames"][4]["share"].update(other=[0.1] * 16), "same experts"),
    (lambda d: d["frames"][4]["weight"].pop("core"), "lacks 'core'"),
    (lambda d: d["frames"][4]["candidates"]["core"][0].append(["x"]), "2 were expected")])
def test_every_mistake_has_its_sentence(change, rule):
    data = copy.deepcopy(DATA)
    change(data)
    assert rule in refused(json.dumps(data))


@pytest.mark.parametrize("text", ["", "x", "[]", "null", "[" * 100_000, b"\xff\xfe\x00",
                                  '{"version":2,"about":{},"frames":[NaN]}',
                                  '{"version":1e999,"about":{},"frames":[1]}', "9" * 5000])
def test_what_is_no_trace_is_a_sentence(text):
    refused(text)


def test_a_file_over_the_limit_is_refused_unread():
    assert "2 MB" in refused(b"[" * (MAX_BYTES + 1))


def places(data: object, path: tuple = ()) -> list[tuple]:
    """Paths of everything in a trace, the first entries of long lists."""
    inner = data.items() if isinstance(data, dict) else enumerate(data[:2]) if isinstance(data, list) else ()
    return [path] * bool(path) + [deeper for key, value in inner for deeper in places(value, (*path, key))]


SHORT = DATA | {"frames": DATA["frames"][:2]}
PLACES = places(SHORT)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), JUNK)
def test_junk_anywhere_is_a_sentence_or_a_sound_trace(path, junk):
    data = copy.deepcopy(SHORT)
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = junk
    try:
        frames, about = trace_from_json(json.dumps(data))
    except LimitError as error:
        assert "\n" not in str(error) and len(str(error)) < 500
    else:
        assert len({len(frame.texts) for frame in frames}) == 1
        trace_to_json(frames, about).encode()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200) | JUNK.map(json.dumps))
def test_any_file_is_a_sentence(text):
    refused(text)


def test_own_models_and_documents_stay_with_the_visitor():
    run = finished_run("mine-very-secret")
    kept = kept_run(run, {"mine-very-secret": "Mine"}, False)
    text = trace_to_json(kept.frames, kept.about)
    assert "very-secret" not in text and "Told." not in text and kept.about["titles"] == {"core": "Core", "own-0": "Mine"}
    frames, about = trace_from_json(text)
    assert set(frames[0].share) == {"core", "own-0"} == set(about["figures"]["shares"]) == set(about["experts"])
    assert kept_run(run, {}, True).about["documents"] == [asdict(run.request.documents[0])]


def test_the_ten_lines_in_the_docs_run(tmp_path, monkeypatch, capsys):
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/traces.md").read_text(encoding="utf-8"), re.DOTALL).group(1)
    (tmp_path / "ssd2-trace.json").write_text(TEXT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/traces.md", "exec"), {})
    assert "What is it? -> The dog in your letter" in capsys.readouterr().out and len(code.splitlines()) <= 11
