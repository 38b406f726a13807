"""The autoregressive base as a row of the evaluation, as a judge, and as a source of data; tiny and untrained."""

import json

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from ssd2_core.evaluation.baseline import BaseLM
from ssd2_core.evaluation.metrics import distinct_2
from ssd2_core.evaluation.questions import Question
from ssd2_core.training.cli import main as train
from ssd2_core.training.tokenizer import EOS, train_tokenizer
from tests.support.tiny import LLAMA, tiny
from tests.test_cli import run
from tests.test_library import folder

TOKENIZER = train_tokenizer(["my dog is called Biscuit and it is brown", "what is it called and where"], 330)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("base")
    tiny(backbone={**LLAMA, "vocab_size": TOKENIZER.get_vocab_size()}, sharp=6.0).lm.save_pretrained(path)
    TOKENIZER.save(str(path / "tokenizer.json"))
    return str(path)


def test_a_batch_is_answered_as_each_question_alone(base):
    lm = BaseLM(base)
    prompts = [lm.question("what is it"), lm.question("my dog is called Biscuit and")]
    together = lm.continued(prompts, 6)
    assert together == [lm.continued([p], 6)[0] for p in prompts] and any(together)
    assert not any(EOS in row for row in together)
    drawn = {tuple(lm.continued(prompts[:1], 6, temperature=1.0, seed=s)[0]) for s in range(5)}
    assert len(drawn) > 1


@torch.no_grad()
def test_perplexity_is_that_of_the_plain_definition(base):
    lm = BaseLM(base)
    question = Question("what is it", "x", "")
    before, answer = lm.question(question.question), [*TOKENIZER.encode("my dog").ids, EOS]
    total = 0.0
    for k, token in enumerate(answer):
        logits = lm.model(torch.tensor([before + answer[:k]])).logits[0, -1]
        total -= logits.log_softmax(-1)[token].item()
    assert lm.perplexity([question], ["my dog"]) == pytest.approx(torch.tensor(total / len(answer)).exp().item(), rel=1e-3)
    own = TOKENIZER.decode(lm.continued([before], 6)[0])
    assert lm.perplexity([question], [own]) < lm.perplexity([question], ["called where brown Biscuit"])


def test_distinct_2_counts_pairs_of_words():
    assert distinct_2(["a b a b", "a b"]) == 0.5 and distinct_2(["a b c"]) == 1.0 and distinct_2(["", "a"]) == 0.0


def test_evaluate_with_a_base_and_a_sweep(base, tmp_path, capsys):
    core = folder(tmp_path / "core", tokenizer=TOKENIZER)
    data = tmp_path / "q.jsonl"
    data.write_text('{"question": "what is it", "answer": "dog"}\n{"question": "my dog", "answer": "it"}\n')
    args = ["evaluate", data, "--core", core, "--max-tokens", 8, "--base", base, "--sweep", "1,3"]
    code, out, _ = run(capsys, *args, "--json")
    rows = json.loads(out)["rows"]
    assert code == 0 and [(r["name"], r.get("steps")) for r in rows] == [("base", None), ("core", 1), ("core", 3)]
    assert all(r["perplexity"] >= 1 and 0 <= r["ended"] <= 1 for r in rows)
    assert json.loads(out)["settings"]["steps"] == [1, 3]
    assert "steps must lie" in run(capsys, *args[:-1], "0,3")[2] or "--sweep must be" in run(capsys, *args[:-1], "0,3")[2]
    assert "perplexity" in run(capsys, *args[:-1], "1")[1]


def test_a_base_that_cannot_be_judged_by_is_one_sentence(base, tmp_path, capsys):
    data, other = tmp_path / "q.jsonl", tmp_path / "t5"
    data.write_text('{"question": "what is it", "answer": "dog"}\n')
    config = T5Config(num_layers=1, d_model=8, d_kv=4, d_ff=8, num_heads=2, vocab_size=9)
    T5ForConditionalGeneration(config).save_pretrained(other)
    args = ["evaluate", data, "--core", folder(tmp_path / "core", tokenizer=TOKENIZER), "--base", other]
    code, _, said = run(capsys, *args)
    assert code != 0 and "has no tokenizer.json that can be read" in said and "Traceback" not in said
    TOKENIZER.save(str(other / "tokenizer.json"))
    code, _, said = run(capsys, *args)
    assert code != 0 and "is of the type t5, which is no causal language model" in said and "Traceback" not in said


def test_the_base_writes_data_and_goes_on_where_it_stopped(base, tmp_path, monkeypatch):
    prompts, out, asked = tmp_path / "prompts.jsonl", tmp_path / "data" / "own.jsonl", []

    def written(self, rows, most, temperature=0.0, seed=0):
        """Instructions that repeat now and then; answers, of which the one to "where" never ends."""
        headers = [row == self.form.opening["user"] for row in rows]
        asked.extend(row for row, header in zip(rows, headers, strict=True) if not header)
        instructions = [f"what is the dog called {(seed + k) % 5}" for k in range(len(rows))]
        endless = self.question("where")
        texts = [text if header else "it is" if row != endless else "it " * most
                 for row, header, text in zip(rows, headers, instructions, strict=True)]
        return [TOKENIZER.encode(text).ids[:99 if header else most] for text, header in zip(texts, headers, strict=True)]

    monkeypatch.setattr(BaseLM, "continued", written)
    prompts.write_text('{"instruction": "what is it called", "answer": "x"}\n{"instruction": "where", "answer": "x"}\n')
    given = ["sample", "--base", base, "--prompts", str(prompts), "--max-tokens", "9", "--batch", "3", "--out", str(out)]
    assert train([*given, "--number", "2"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(r["source"], r["ended"]) for r in rows] == [("given", True), ("given", False), ("base", True), ("base", True)]
    assert rows[0]["answer"] == rows[2]["answer"] == "it is" and rows[1]["answer"].startswith("it it")
    assert train([*given, "--number", "4"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 6 and len({r["instruction"] for r in rows}) == 6
    assert train([*given, "--number", "4"]) == 0 and len(out.read_text().splitlines()) == 6
    brief = tmp_path / "brief.jsonl"
    asked.clear()
    assert train([*given[:-1], str(brief), "--number", "0", "--made-up", "3", "--brief"]) == 0
    assert len(brief.read_text().splitlines()) == 5 and "briefly" not in brief.read_text()
    assert all("briefly" in TOKENIZER.decode(row) for row in asked)


def test_synthetic_documents_are_written(tmp_path):
    made = tmp_path / "made.jsonl"
    assert train(["documents", "--number", "7", "--out", str(made)]) == 0
    lines = [json.loads(line) for line in made.read_text().splitlines()]
    assert len(lines) == 7 and all(r["document"] and r["question"] and r["answer"] for r in lines)
