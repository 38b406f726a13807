"""Training at tiny size: the layout hides what must be hidden, the loss falls, a run that was cut off goes on exactly."""

import hashlib
import json
import math
import random
import subprocess
import sys
from dataclasses import replace
from itertools import repeat

import pytest
import torch

from ssd2_core.errors import ModelError
from ssd2_core.models.context import bind_rows
from ssd2_core.training import compact, loop
from ssd2_core.training.batch import Item, Row, lay_out, make_batch
from ssd2_core.training.cli import main as train
from ssd2_core.training.data import documents, general, island
from ssd2_core.training.data.thesaurus import THESAURUS, reworded
from ssd2_core.training.loop import LoopParams
from ssd2_core.training.losses import diffusion_loss, predictor
from ssd2_core.training.mixtures import Encoder, batches, core_rows, islander_rows, reader_rows
from ssd2_core.training.muon import orthogonal
from ssd2_core.training.tokenizer import ASSISTANT, DOCUMENT, EOS, USER, train_tokenizer
from ssd2_core.ui import examples
from tests.support.tiny import LLAMA, start, tiny

TOKENIZER = train_tokenizer([documents.scene(random.Random(n)).document for n in range(60)], 500)
SMALL = {**LLAMA, "vocab_size": 500}


def row():
    items = [Item([20, 21], [30, 31, 32]), Item([22, 23, 24], [33], history=(([25], [34]),))]
    return Row([10, 11, 12, 13], items)


def rows_batch(rows, L, rng):
    return make_batch([lay_out(one, L, rng) for one in rows], L)


def test_a_batch_row_has_every_question_after_the_document():
    batch = rows_batch([row(), Row([], [Item([26], [35])])], 6, random.Random(0))
    first = [DOCUMENT, 10, 11, 12, 13, USER, 20, 21, ASSISTANT, USER, 25, ASSISTANT, 34, EOS, USER, 22, 23, 24, ASSISTANT]
    assert batch.clean[0].tolist() == first and batch.clean[1].tolist()[:3] == [USER, 26, ASSISTANT]
    assert batch.targets[0].tolist() == [30, 31, 32, EOS, EOS, EOS, 33, EOS, EOS, EOS, EOS, EOS]
    assert batch.loss_weight[1].tolist() == pytest.approx([1, 1, .1, .1, .1, .1, 0, 0, 0, 0, 0, 0])
    C = batch.clean.shape[1]
    assert batch.position[0, C:C + 6].tolist() == [9, 10, 11, 12, 13, 14]
    assert batch.position[0, C + 6:].tolist() == [15, 16, 17, 18, 19, 20]


@torch.no_grad()
def test_training_sees_exactly_what_sampling_sees():
    model = tiny(backbone=SMALL, context_mode="segments")
    batch = rows_batch([row()], 6, random.Random(0))
    x_t = torch.randn(1, 12, 500, generator=torch.Generator().manual_seed(0)) * 5
    u = torch.tensor([[0.9] * 6 + [0.4] * 6])
    together = predictor(model, batch, x_t, u)(None)
    contexts = [[DOCUMENT, 10, 11, 12, 13, USER, 20, 21, ASSISTANT],
                [DOCUMENT, 10, 11, 12, 13, USER, 25, ASSISTANT, 34, EOS, USER, 22, 23, 24, ASSISTANT]]
    for number, (context, time) in enumerate(zip(contexts, (0.9, 0.4), strict=True)):
        here = slice(6 * number, 6 * number + 6)
        alone = bind_rows(model, [context])(torch.zeros((1, 0), dtype=torch.long), start(x_t[:, here], time)).logits
        assert (alone - together[:, here]).abs().max() <= 1e-4


@pytest.mark.parametrize("shape", [(3, 20, 48), (2, 48, 20), (1, 32, 32)])
def test_muon_makes_every_direction_count(shape):
    stack = torch.randn(shape, generator=torch.Generator().manual_seed(0)) @ torch.diag(torch.linspace(0.1, 1, shape[-1]))
    before, after = torch.linalg.svdvals(stack), torch.linalg.svdvals(orthogonal(stack))
    spread = lambda values: values.max() / values.min()  # noqa: E731
    assert spread(after) < spread(before) / 3 and 0.9 < after.max() < 1.3


def test_a_long_answer_trains_on_one_of_its_blocks():
    long = Row([], [Item([20], list(range(30, 45)))])
    seen = {tuple(rows_batch([long], 6, random.Random(n)).targets[0].tolist()) for n in range(20)}
    assert seen == {tuple(range(30, 36)), tuple(range(36, 42)), (42, 43, 44, EOS, EOS, EOS)}


@pytest.mark.parametrize("rows", [reader_rows, core_rows, islander_rows])
def test_mixtures_are_the_same_for_the_same_step(rows):
    make = lambda: batches(rows(Encoder(TOKENIZER)), 3, 5)  # noqa: E731
    one, other = make(), make()
    assert torch.equal(one(37).clean, other(37).clean)
    assert not torch.equal(one(37).clean, one(39).clean)
    has_document = bool((one(37).clean == DOCUMENT).any())
    assert has_document == (rows is reader_rows)


def small_fit(tmp_path, steps, stop_at=None):
    torch.manual_seed(0)
    model = tiny(backbone=SMALL, context_mode="segments", sharp=1.0)
    params = LoopParams(steps=steps, learning_rate=3e-3, warmup=5, save_every=10, cpu=True)
    batch_of = batches(core_rows(Encoder(TOKENIZER), 4), 4, 1)
    if stop_at:
        def cut(step):
            if step == stop_at:
                raise KeyboardInterrupt
            return batch_of(step)
        with pytest.raises(KeyboardInterrupt):
            compact.fit(model, cut, params, 1, tmp_path)
        torch.manual_seed(9)
        model = tiny(3, backbone=SMALL, context_mode="segments", sharp=1.0)
    curve = compact.fit(model, batch_of, params, 1, tmp_path)
    return model, curve


def test_a_run_that_was_cut_off_goes_on_exactly(tmp_path):
    whole, _ = small_fit(tmp_path / "a", 24)
    half = tmp_path / "b" / "step-20"                   # as if it had been cut off while it wrote that, too
    half.mkdir(parents=True)
    (half / "model.safetensors").write_bytes(b"half")
    resumed, _ = small_fit(tmp_path / "b", 24, stop_at=17)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


class Line(torch.nn.Module):
    """(x - 3)^2, whose gradient is not finite at the steps in ``spoilt``."""

    def __init__(self, spoilt=()):
        super().__init__()
        self.x, self.spoilt, self.seen = torch.nn.Parameter(torch.zeros(2)), spoilt, []

    def forward(self, batch, moment):
        self.seen.append((moment.step, moment.part, self.x.dtype))
        loss = (self.x - batch).square().sum()
        return {"loss": loss * float("nan") if moment.step in self.spoilt else loss}


def small_loop(line, steps=6, **more):
    optimizer = torch.optim.SGD(line.parameters(), lr=0.1)
    tell, stopped = more.pop("tell", None), more.pop("stopped", lambda: False)
    params = LoopParams(steps, 0.1, warmup=1, lowest=1.0, cpu=True, **more)
    return loop.train(line, [optimizer], lambda first, _: repeat(torch.tensor(3.0)), params, tell=tell, stopped=stopped)


def test_the_loop_accumulates_clips_leaves_out_and_stops():
    plain = Line()
    assert small_loop(plain, 1, clip=0.5).steps == 1 and plain.x.detach().norm().item() == pytest.approx(0.05, rel=1e-3)
    twice = Line()
    small_loop(twice, 2, accumulate=2, clip=math.inf)
    assert [(step, part) for step, part, _ in twice.seen] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert twice.x[0].item() == pytest.approx(0.6 + 0.2 * 2.4)
    spoilt = Line(spoilt=(1, 2))
    found = small_loop(spoilt, 3, clip=math.inf)
    assert (found.lost, found.steps) == (2, 3) and spoilt.x[0].item() == pytest.approx(0.6)
    assert found.curve[-1]["step"] == 3 and found.curve[-1]["loss"] == 18.0
    told = []
    ended = small_loop(Line(), tell=lambda *news: told.append(news), stopped=lambda: len(told) == 2, seconds=1e6)
    assert ended.steps == 2 and [step for step, _, _ in told] == [1, 2] and all(left > 0 for *_, left in told)
    assert small_loop(Line(), seconds=0.0).steps == 1
    with pytest.raises(ModelError, match="not finite since step 0; lower the learning rate, now 0.1"):
        small_loop(Line(spoilt=range(99)), 99)


def test_one_process_trains_again_in_another_precision():
    for precision in ("no", "bf16", "no"):
        line = Line()
        small_loop(line, 3, precision=precision)
        assert 0 < line.x[0].item() < 3 and line.x.dtype == torch.float32


def test_a_recipe_is_imported_when_it_is_asked_for():
    code = ("import sys; from ssd2_core.training.cli import parser; parser().format_help(); assert 'torch' not in sys.modules;"
            "parser().parse_args(['documents', '--out', 'x']); names = [n for n in sys.modules if 'training' in n];"
            "assert not [n for n in names if 'experiments' in n or n.endswith('compact')], names")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_loss_falls(tmp_path):
    model, curve = small_fit(tmp_path, 200)
    batch = batches(core_rows(Encoder(TOKENIZER), 4), 4, 1)(3)
    loss = diffusion_loss(model, batch, torch.Generator().manual_seed(0), True)[0].item()
    fresh = tiny(7, backbone=SMALL, context_mode="segments", sharp=1.0)
    assert loss < 0.75 * diffusion_loss(fresh, batch, torch.Generator().manual_seed(0), True)[0].item()
    assert curve[-1]["loss"] < curve[0]["loss"]


def test_the_recipe_writes_folders_that_load(tmp_path, monkeypatch):
    from ssd2_core.models.loading import load
    from ssd2_core.registry.cards import list_models
    for name, spec in compact.COMPACT.items():
        small = replace(spec, hidden=32, intermediate=48, layers=1, heads=2, batch=2)
        monkeypatch.setitem(compact.COMPACT, name, small)
    assert train(["compact", "--only", "reader", "--only", "core", "--out", str(tmp_path), "--steps", "3"]) == 0
    for name in ("compact-core", "compact-reader"):
        expert = load(str(tmp_path / name))
        assert expert.card.parameters > 0 and len(expert.card.tokenizer_hash) == 16
        assert (tmp_path / name / "training.json").exists()
    assert isinstance(list_models(), list)
    rows = [{"data": f"{data}.jsonl", "name": name, "n": 9, "exact": 0.5} for data in ("a", "b") for name in ("core", "user:r")]
    settings = {"steps": 16, "weights": "adaptive", "lam": {"r": 0.5}, "seed": 0, "data": ["a.jsonl", "b.jsonl"]}
    (tmp_path / "found.json").write_text(json.dumps({"rows": rows, "settings": settings}))
    first, more = tmp_path / "compact-core", tmp_path / "more" / "compact-core"
    assert train(["compact", "--only", "core", "--start", str(tmp_path), "--out", str(more.parent), "--steps", "1"]) == 0
    record = json.loads((more / "training.json").read_text())
    assert compact.total_steps(record) == 4 and record["earlier"]["steps"] == 3
    moved = [(a - b).abs().max().item() for a, b in zip(*(load(str(f)).model.parameters() for f in (first, more)), strict=True)]
    assert 0 < max(moved) < 1e-3
    monkeypatch.delitem(compact.COMPACT, "islander")
    assert train(["cards", str(tmp_path / "found.json"), "--models", str(tmp_path)]) == 0
    card = (tmp_path / "compact-core" / "README.md").read_text()
    assert "| b | 9 | 0.50 | 0.50 |" in card and "{" not in card.split("---", 2)[2]


def test_the_reported_sets_are_never_trained_on():
    rng = random.Random(0)
    asked = {general.general_qa(rng).question for _ in range(20000)} | {island.island_qa(rng).question for _ in range(20000)}
    for source in (general, island):
        assert not asked & {qa.question for qa in source.all_heldout(random.Random(5), 500)}
    values = {qa.value.lower() for _ in range(3000) for qa in documents.scene(rng).items}
    assert not values & {qa.value.lower() for _, qa in documents.heldout_set(random.Random(5), 500)}


HELD_OUT = {"documents": "dd41b4f9787bfe6cb07954551389adbe68fb3a6d56940ffb309ee23a97a32c3c",
            "general": "6c8e1c47d033a29ae8e5c7345d9045d82872194a311e7d09491881024f635c01",
            "island": "c4bfb0815510d70d0aa8ccfea29ecd43f7091a9e50788c056cce1699cacb4f4d"}


def test_the_held_out_sets_come_out_byte_for_byte(tmp_path):
    """A change of the generators that is meant to change what they write also changes these."""
    assert train(["heldout", "--out", str(tmp_path)]) == 0
    assert {name: hashlib.sha256((tmp_path / f"{name}.jsonl").read_bytes()).hexdigest() for name in HELD_OUT} == HELD_OUT


def test_the_thesaurus_gives_other_words_and_never_a_held_out_phrasing():
    rng = random.Random(0)
    said = {reworded(rng, "{P} dog is called {v}.") for _ in range(200)}
    assert "{P} dog is known as {v}." in said and len(said) == 1 + len(THESAURUS["is called"])
    assert {reworded(rng, "{P} dog is called {v}.", ["{P} dog is known as {v}."]) for _ in range(200)} == \
        said - {"{P} dog is known as {v}."}
    assert {reworded(rng, "{S} [x] {called}.") for _ in range(50)} == {"{S} [x] {called}."}
    assert {reworded(rng, "What is {x}?") for _ in range(100)} == {"What is {x}?", "What would be {x}?", "What might be {x}?",
                                                                   "What exactly is {x}?"}


def test_every_answer_holds_its_value_and_every_document_too():
    rng = random.Random(1)
    for _ in range(300):
        for qa in (general.general_qa(rng), general.general_guess(rng), island.island_qa(rng), island.island_guess(rng),
                   documents.blind_qa(rng), general.small_talk_qa(rng)):
            assert qa.value in qa.answer
        scene = documents.scene(rng)
        assert scene.items and all(qa.value in qa.answer and qa.value in scene.document for qa in scene.items)


def test_the_page_names_the_island_that_the_data_tells_of():
    assert examples.ISLAND_NAME == island.ISLAND_NAME


def test_the_data_is_as_wide_as_the_cards_say():
    assert len(general.KINDS) >= 12 and general.num_facts() >= 500
    assert documents.NUM_RELATIONS >= 40 and island.num_facts() >= 100
