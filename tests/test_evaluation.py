"""What ``evaluate`` measures: batches of causal LMs, correction and resistance, the core that nobody named."""

import json

import pytest

from ssd2_core.config import EnsembleParams, SamplingParams
from ssd2_core.errors import ModelError
from ssd2_core.evaluation import cli
from ssd2_core.evaluation import evaluate as evaluation
from ssd2_core.evaluation.metrics import correction_and_resistance, per_token, table
from ssd2_core.evaluation.questions import Question
from ssd2_core.models.loading import load
from tests.test_cli import run
from tests.test_next_token_loading import base, reader  # noqa: F401

ASKED = [("my dog", "my dog is"), ("is it", "called Biscuit and it is"), ("dog", ""),
         ("called", "my dog is called Biscuit " * 3),
         ("my", ""), ("Biscuit is", "dog")]
QUESTIONS = [Question(question, "x", document) for question, document in ASKED]


@pytest.mark.parametrize("weights,alpha", [("adaptive", 0.0), ("divergence", 0.5)])
def test_a_batch_of_causal_lms_gives_what_each_question_gets_alone(base, reader, weights, alpha):  # noqa: F811
    experts = {"core": load(str(base)), "r": load(str(reader))}
    params = EnsembleParams({"r": 0.4}, weights=weights, alpha=alpha)
    sampling = SamplingParams(block_length=6, max_new_tokens=18, lookahead=1)
    found, shares = {}, []
    for places in evaluation.batches(QUESTIONS, sampling, True):
        answers, share = evaluation.answer_batch(experts, [QUESTIONS[i] for i in places], params, sampling)
        found |= zip(places, answers, strict=True)
        shares.append(share)
    alone = [evaluation.answer_batch(experts, [question], params, sampling) for question in QUESTIONS]
    assert len(shares) == 2 and [found[i] for i in range(len(QUESTIONS))] == [answers[0] for answers, _ in alone]
    assert len({answer[0] for answer in found.values()}) > 3
    for name in experts:
        assert sum(share[name] for share in shares) == pytest.approx(sum(share[name] for _, share in alone), abs=1e-3)
    row, said = evaluation.measure("ensemble", experts, QUESTIONS, params, sampling)
    assert said == [found[i][0] for i in range(len(QUESTIONS))]
    assert row["steps_per_token"] == per_token(sum(a[3] for a in found.values()), sum(a[1] for a in found.values()))


def test_a_reader_without_a_document_is_silent_in_an_ensemble_and_speaks_alone(base, reader):  # noqa: F811
    core, small = load(str(base)), load(str(reader))
    sampling = SamplingParams(block_length=6, max_new_tokens=12)
    [question] = bare = [Question("dog", "x", "")]
    rows = evaluation.evaluate(core, {"r": small}, bare, EnsembleParams({"r": 0.9}), sampling)
    assert rows[2]["share"] == {"core": 1.0, "r": 0.0} and rows[1]["share"] == {"r": 1.0}
    [(said, *_)], _ = evaluation.answer_batch({"core": core, "r": small}, bare, EnsembleParams({"r": 0.9}), sampling)
    assert said == evaluation.answer_batch({"core": core}, [question], EnsembleParams(), sampling)[0][0][0]


def test_samples_and_early_exits_go_one_by_one_where_rows_would_differ():
    sizes = lambda on_tokens, **more: [len(b) for b in evaluation.batches(QUESTIONS, SamplingParams(**more), on_tokens)]  # noqa: E731
    assert sizes(True) == sizes(True, early_exit="patience") == [4, 2] and sizes(True, projection="sampling") == [1] * 6
    assert sizes(False) == [6] and sizes(False, early_exit="patience") == [1] * 6


def test_correction_and_resistance_as_counted_by_hand():
    def gain(core: list[bool], user: list[bool], both: list[bool]) -> dict:
        return correction_and_resistance({"core": core, "user:a": user, "user:b": [False] * len(user), "ensemble": both})
    core, user, both = ([bool(int(x)) for x in text] for text in ("0001101", "1110001", "1010010"))
    assert gain(core, user, both) == {"correction": 0.6667, "correction_n": 3, "resistance": 0.0, "resistance_n": 2}
    assert gain(core, user, user)["correction"] == 1
    assert gain(core, user, core) == {"correction": 0.0, "correction_n": 3, "resistance": 1.0, "resistance_n": 2}
    assert gain([True], [True], [True])["resistance"] is None
    assert correction_and_resistance({"core": core, "ensemble": both}) == correction_and_resistance({"user:a": user}) == {}
    rows = [{"name": "core", "n": 1}, {"name": "ensemble", "n": 1, "correction": None, "share": {"core": 1.0}}]
    assert [line.split() for line in table(rows).splitlines()] == [
        ["name", "n", "correction", "share"], ["core", "1"], ["ensemble", "1", "-", "core", "1.00"]]


def test_evaluate_tells_correction_and_resistance(monkeypatch):
    says = {"core": ["a", "b", "no", "no"], "user:u": ["no", "b", "c", "no"], "ensemble": ["a", "b", "no", "d"]}
    monkeypatch.setattr(evaluation, "measure", lambda name, *rest: ({"name": name}, says[name]))
    rows = evaluation.evaluate(None, {"u": None}, [Question("q", answer, "") for answer in "abcd"], EnsembleParams({"u": 0.5}),
                               SamplingParams())
    assert rows[0] == {"name": "core"} and rows[2] == {
        "name": "ensemble", "correction": 0.0, "correction_n": 1, "resistance": 1.0, "resistance_n": 1}


def test_the_core_that_nobody_named_is_that_of_the_pair_whose_base_is_here(monkeypatch, capsys):
    monkeypatch.delenv("SSD2_CORE")
    asked = []
    monkeypatch.setattr(cli, "find_base", lambda base_id, progress: asked.append(base_id))
    assert cli.default_core(()) == cli.default_core(["david"]) == cli.default_core(["somebody/unknown"]) == "goliath"
    assert asked == ["HuggingFaceTB/SmolLM2-135M-Instruct"] * 3
    assert cli.default_core(["compact-reader"]) == "compact-core" and len(asked) == 3

    def missing(base_id, progress):
        raise ModelError(f"The base {base_id} could not be fetched.")
    monkeypatch.setattr(cli, "find_base", missing)
    assert cli.default_core(()) == "compact-core"
    said = capsys.readouterr().err
    assert said == ("The base HuggingFaceTB/SmolLM2-135M-Instruct could not be fetched. compact-core is measured instead of "
                    "goliath.\n")
    monkeypatch.setenv("SSD2_CORE", "mine")
    assert cli.default_core(["david"]) == "mine"


def test_a_base_is_also_named_by_an_expert_over_it(base, reader, tmp_path, capsys):  # noqa: F811
    data = tmp_path / "q.jsonl"
    data.write_text('{"question": "my dog", "answer": "Biscuit"}\n')
    code, out, _ = run(capsys, "evaluate", data, "--core", base, "--base", reader, "--max-new-tokens", 6, "--dtype", "float32",
                       "--json")
    rival, core = json.loads(out)["rows"]
    assert code == 0 and (rival["name"], core["name"]) == ("base", "core")
    assert {name: rival[name] for name in ("f1", "tokens", "distinct_2")} == {
        name: core[name] for name in ("f1", "tokens", "distinct_2")}          # the same greedy answer by both ways
