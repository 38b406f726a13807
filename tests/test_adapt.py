"""The recipes for adapted models at tiny size: data of every shape, runs that go on, experts that load and answer."""

import json
import os
import random
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, T5Config

from ssd2_core import Ensemble, EnsembleParams, SamplingParams, generate
from ssd2_core.errors import ModelError, VisitorError
from ssd2_core.models import loading
from ssd2_core.models.checkpoints import base_tensors
from ssd2_core.training.adapt import adapt as adapt_module
from ssd2_core.training.adapt.adapt import ALIKE, ahead, batches
from ssd2_core.training.adapt.batch import Sequence
from ssd2_core.training.adapt.datasets import Example, answer_sequences, read_examples, text_sequences, to_example
from ssd2_core.training.cli import main as train
from ssd2_core.training.data import documents
from ssd2_core.training.data.instructions import count, instructions
from ssd2_core.training.loop import LoopParams
from ssd2_core.training.tokenizer import EOS, train_tokenizer
from tests.support.tiny import LLAMA, tiny

SCENES = [documents.scene(random.Random(n)) for n in range(40)]
TOKENIZER = train_tokenizer([s.document for s in SCENES], 400)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a tiny base, texts, and questions about documents."""
    root = tmp_path_factory.mktemp("adapt")
    base = tiny(backbone={**LLAMA, "vocab_size": 400, "num_hidden_layers": 3, "max_position_embeddings": 512}, sharp=1.0)
    base.lm.save_pretrained(root / "base")
    TOKENIZER.save(str(root / "base" / "tokenizer.json"))
    rows = [{"question": q.question, "answer": q.answer, "document": s.document} for s in SCENES for q in s.items]
    (root / "asked.jsonl").write_text("\n".join(json.dumps(r) for r in rows))
    (root / "texts.jsonl").write_text("\n".join(json.dumps({"text": s.document * 2}) for s in SCENES))
    return root


def command(place, recipe, out, *more):
    data = "texts.jsonl" if recipe == "adapt" else "asked.jsonl"
    return [recipe, "--base", str(place / "base"), "--data", str(place / data), "--validate", str(place / data),
            "--out", str(out), "--batch", "4", "--block", "6", "--length", "96", "--simplex-value", "5",
            "--learning-rate", "2e-3", *more]


def test_core_and_reader_on_one_base_write_an_answer_together(place):
    small = ["--lora-rank", "4"]
    assert train(command(place, "adapt", place / "adapted", "--steps", "30", *small)) == 0
    curve = json.loads((place / "adapted" / "training.json").read_text())["curve"]
    assert curve[-1]["step"] == 30 and curve[-1]["heldout"] < 6
    assert train(command(place, "instruct", place / "core", "--steps", "3", "--start", str(place / "adapted"))) == 0
    assert train(command(place, "reader", place / "reader", "--steps", "3", "--layers", "2,0")) == 0
    core, reader = (loading.load(str(place / name)) for name in ("core", "reader"))
    assert core.config.lora_noisy_only and not reader.config.lora and reader.config.base_layers == [2, 0]
    loading.check_compatible(core.card, [reader.card])
    bound = {"core": core.bind("Where?"), "me": reader.bind("Where?", ["At home."])}
    sampling = SamplingParams(num_steps=2, block_length=6, max_new_tokens=6)
    steps = list(generate(Ensemble(bound, EnsembleParams(lam={"me": 0.5})), sampling, torch.Generator().manual_seed(0)))
    assert len(steps) == 2 and set(steps[0].prediction.weights) == {"core", "me"}
    own = base_tensors(place / "reader")
    assert not any("embed_tokens" in name for name in own) and any("layers.1" in name for name in own)


def test_a_run_that_was_stopped_goes_on_exactly(place, capsys):
    whole, parts = place / "whole", place / "parts"
    assert train(command(place, "adapt", whole, "--steps", "4", "--lora-rank", "4")) == 0
    for _ in range(4):
        assert train(command(place, "adapt", parts, "--steps", "4", "--lora-rank", "4", "--minutes", "0")) == 0
    assert "stopped after 3 of 4 steps" in capsys.readouterr().out
    one, other = base_tensors(whole), base_tensors(parts)
    assert one.keys() == other.keys() and all(torch.allclose(one[n].float(), other[n].float(), atol=1e-3) for n in one)
    assert json.loads((parts / "training.json").read_text())["steps"] == 4
    moved = [n for n in one if "lora_B" in n and one[n].abs().max() > 0]
    assert moved


def test_a_step_without_a_finite_gradient_changes_nothing(place, monkeypatch):
    plain, calls = adapt_module.diffusion_loss, []

    def spoilt(*given):
        calls.append(1)
        loss, accuracy = plain(*given)
        return (loss * float("nan") if len(calls) == 2 or len(calls) > 5 else loss), accuracy

    monkeypatch.setattr(adapt_module, "diffusion_loss", spoilt)
    out = place / "spoilt"
    run = [a for a in command(place, "adapt", out, "--lora-rank", "4") if a != "--validate"]
    assert train([*run, "--steps", "5"]) == 0
    about = json.loads((out / "training.json").read_text())
    assert about["left_out"] == 1 and 0 < about["curve"][-1]["loss"] < 10
    assert all(t.isfinite().all() for t in base_tensors(out).values())
    with pytest.raises(ModelError, match="not finite since step 5; lower the learning rate, now 0.002"):
        train([*run, "--steps", "40"])


def test_a_checkpoint_of_another_model_is_not_gone_on_with(place):
    out = place / "other"
    assert train(command(place, "adapt", out, "--steps", "2", "--lora-rank", "4")) == 0
    with pytest.raises(ModelError, match="has simplex_value 5.0, this run has 7.0; choose another --out"):
        train([*command(place, "adapt", out, "--steps", "3", "--lora-rank", "4"), "--simplex-value", "7"])
    (place / "twin").mkdir()
    for file in (place / "base").iterdir():
        (place / "twin" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match="has base .*base', this run has .*twin'"):
        train([*command(place, "adapt", out, "--steps", "3", "--lora-rank", "4"), "--base", str(place / "twin")])


def launch(*command):
    """Two processes on the CPU, as ``accelerate launch`` starts them."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    run = subprocess.run([sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", *command],
                         cwd=Path(__file__).parent.parent, capture_output=True, text=True, timeout=240, env=env)
    assert run.returncode == 0, run.stderr[-3000:]


def test_two_processes_train_together(place):
    out = place / "two"
    launch("-m", "ssd2_core", "train", *command(place, "adapt", out, "--steps", "2", "--lora-rank", "4"))
    record = json.loads((out / "training.json").read_text())
    assert (record["processes"], record["distributed"]) == (2, "MULTI_CPU")
    assert loading.load(str(out)).config.lora["r"] == 4


def test_a_sharded_expert_has_the_loss_and_the_gradients_of_the_whole_one():
    launch("-m", "tests.support.sharded_training")


def test_rows_of_every_usual_shape_are_read(tmp_path):
    shapes = [({"instruction": "a?", "response": "b", "context": "c"}, Example("a?", "b", "c")),
              ({"question": "a?", "answer": 4}, Example("a?", "4")),
              ({"messages": [{"role": "user", "content": "a?"}, {"role": "assistant", "content": "b"}]}, Example("a?", "b")),
              ({"instruction": "Do", "instances": [{"input": "x", "output": "y"}]}, Example("Do\nx", "y")),
              ({"text": "only text"}, Example("", "only text")), ({"text": " "}, None), ({"question": "a?"}, None)]
    for row, example in shapes:
        assert to_example(row) == example
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row, _ in shapes))
    assert len(read_examples([str(file)])) == 5
    file.write_text('{"question": "a?"}')
    with pytest.raises(VisitorError, match="has no examples"):
        read_examples([str(file)])
    file.write_text("not json")
    with pytest.raises(VisitorError, match="is not JSONL"):
        read_examples([str(file)])


def test_sequences_learn_the_answer_and_a_reader_also_learns_to_be_unsure():
    rows = [Example(q.question, q.answer, s.document) for s in SCENES for q in s.items]
    rng = random.Random(0)
    learnt = {tuple(TOKENIZER.encode(r.answer, add_special_tokens=False).ids) for r in rows}
    for reads in (False, True):
        draw = answer_sequences(TOKENIZER, rows, 96, reads)
        drawn = [draw(rng) for _ in range(300)]
        assert all(len(s.ids) <= 96 and s.ids[-1] == EOS and s.ends for s in drawn)
        assert all(tuple(s.ids[s.start:-1]) in learnt for s in drawn)
        with_document = sum(s.ids[0] == 2 for s in drawn) / 300
        assert (0.7 < with_document < 0.9) if reads else with_document == 0
    cut = answer_sequences(TOKENIZER, [Example("a", "the dog is called Biscuit", ended=False)], 96, False)(rng)
    assert cut.ids[-1] != EOS and not cut.ends
    short = answer_sequences(TOKENIZER, [Example("a", "the dog is called Biscuit " * 9)], 24, False)(rng)
    assert len(short.ids) == 24 and short.ids[-1] != EOS and not short.ends
    pieces = [text_sequences(TOKENIZER, [Example("", s.document * 3) for s in SCENES], 6, 64)(rng) for _ in range(100)]
    assert all(len(p.ids) <= 64 and 1 <= p.start <= 6 and not p.ends for p in pieces)
    with pytest.raises(VisitorError, match="no instructions"):
        answer_sequences(TOKENIZER, [Example("", "text")], 96, False)
    with pytest.raises(VisitorError, match="longer than one block"):
        text_sequences(TOKENIZER, [Example("", "a")], 6, 64)


def test_batches_share_out_their_sequences_by_length():
    config = tiny(backbone={**LLAMA, "vocab_size": 400}).config
    draw = lambda rng: Sequence([9] * rng.randint(3, 60), 2)  # noqa: E731
    made = list(islice(ahead(batches(draw, 4, 0, config, 0)), 2 * ALIKE))
    assert len(made) == 2 * ALIKE
    lengths = [(b.loss_weight == 1).sum(1).tolist() for b in made[:ALIKE]]           # (batch, row) learnt tokens
    assert len({length for row in lengths for length in row}) > 15                      # of all lengths ...
    assert sum(max(row) - min(row) for row in lengths) <= 58                            # ... but alike within a batch
    again = next(batches(draw, 4, 0, config, 5))
    assert torch.equal(again.targets, made[5].targets) and torch.equal(again.position, made[5].position)


def test_the_learning_rate_ends_with_the_steps_or_with_the_minutes():
    by_steps, by_time, either = (LoopParams(100, 1.0, warmup=10, lowest=0.0, seconds=120, pace=pace)
                                 for pace in ("steps", "time", "either"))
    assert by_steps.rate(4, 119) == by_time.rate(4, 0) == 0.5
    assert by_steps.rate(50, 119) == by_time.rate(5000, 60) == 1.0
    assert by_steps.rate(75, 0) == by_time.rate(90, 90) == 0.5
    assert by_time.rate(90, 130) == 0.0
    assert either.rate(75, 0) == either.rate(50, 90) == 0.5 and either.rate(50, 60) == 1.0


def test_synthetic_instructions_differ_and_are_whole():
    assert len(set(instructions(random.Random(0), count()))) > 0.99 * count()
    some = instructions(random.Random(1), 500)
    assert len(some) == 500 and some != instructions(random.Random(2), 500)
    whole = instructions(random.Random(0), count())
    assert not any(wrong in text for text in whole for wrong in ("{", "  ", " a o", " a a", "|"))


@pytest.mark.parametrize("other", [GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=400),
                                   T5Config(num_layers=1, d_model=8, d_kv=4, d_ff=8, num_heads=2, vocab_size=400)])
def test_a_base_that_cannot_be_adapted_is_one_sentence(place, tmp_path, other):
    (tmp_path / "base").mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / "base" / name).write_bytes((place / "base" / name).read_bytes())
    other.save_pretrained(tmp_path / "base")
    run = [*command(place, "adapt", tmp_path / "out", "--steps", "1"), "--base", str(tmp_path / "base")]
    with pytest.raises(ModelError, match=f"is of the type {other.model_type}; adapting needs a causal language model"):
        train(run)
    (tmp_path / "base" / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="base has no tokenizer.json that can be read; save one beside its weights"):
        train(run)


def test_bad_options_are_one_sentence(place):
    with pytest.raises(VisitorError, match="from 0 to 2"):
        train(command(place, "reader", place / "x", "--layers", "0,7"))
    with pytest.raises(VisitorError, match="steps must lie between"):
        train(command(place, "adapt", place / "x", "--steps", "0"))
