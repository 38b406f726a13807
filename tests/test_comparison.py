"""The autoregressive counterpart and the two measurements at compact size."""

import json
import random
import shutil
from dataclasses import replace

import pytest
import torch

from ssd2_core.training import compact
from ssd2_core.training.batch import Item, Row, lay_out, make_batch
from ssd2_core.training.cli import main as train
from ssd2_core.training.experiments import ar_vs_diffusion, autoregressive
from ssd2_core.training.experiments.autoregressive import answer_tokens, next_token_loss
from ssd2_core.training.tokenizer import ASSISTANT, DOCUMENT, EOS, USER
from tests.support.tiny import tiny

CONTEXT = [DOCUMENT, 10, 11, 12, USER, 20, 21, ASSISTANT]


def network(seed=0):
    return tiny(seed, context_mode="segments", segment_token_ids=[DOCUMENT, USER, ASSISTANT])


@torch.no_grad()
def test_training_sees_exactly_what_decoding_sees():
    model, answer = network(), [30, 31, 32, 33]
    batch = make_batch([lay_out(Row([10, 11, 12], [Item([20, 21], answer), Item([22], [40])]), 6, random.Random(0))], 6)
    context = autoregressive.Context(model, [CONTEXT])
    wanted, log_p = [*answer, EOS, EOS], 0.0
    for k in range(6):
        logits = autoregressive._last(context, torch.tensor([[ASSISTANT, *wanted[:k]]]))
        log_p += logits.log_softmax(-1)[0, wanted[k]] * (1.0 if k < 5 else 0.1)
    batch.loss_weight[:, 6:] = 0
    loss, _ = next_token_loss(model, batch, None, False)
    assert loss.item() == pytest.approx(-log_p.item() / 5.1, rel=1e-4)


@torch.no_grad()
def test_weights_lead_from_one_expert_to_the_other():
    experts = {"core": (network(0), [CONTEXT, CONTEXT[4:]]), "reader": (network(1), [CONTEXT, CONTEXT])}
    alone = {name: answer_tokens({name: expert}, {name: 1.0}, 5) for name, expert in experts.items()}
    assert torch.equal(answer_tokens(experts, {"core": 1.0, "reader": 0.0}, 5), alone["core"])
    assert torch.equal(answer_tokens(experts, {"core": 0.0, "reader": 1.0}, 5), alone["reader"])
    assert not torch.equal(alone["core"], alone["reader"])


def test_the_bootstrap_finds_a_difference_that_is_there_and_none_that_is_not():
    yes, no = [True] * 60, [False] * 60
    better = {"core": yes + no, "reader": no + yes, "ensemble": yes + yes}
    none = {"core": yes + no, "reader": no + yes, "ensemble": yes + no}
    assert ar_vs_diffusion.gain(better) == 0.5 and ar_vs_diffusion.gain(none) == 0.0
    found = ar_vs_diffusion.bootstrap(better, none)
    assert 0.35 < found["low"] < found["difference"] < found["high"] < 0.6 and found["above_zero"] == 1.0
    same = ar_vs_diffusion.bootstrap(better, better)
    assert same["low"] == same["high"] == same["difference"] == 0.0


def test_both_measurements_run_from_training_to_their_tables(tmp_path, monkeypatch, capsys):
    for name, spec in compact.COMPACT.items():
        monkeypatch.setitem(compact.COMPACT, name, replace(spec, hidden=32, intermediate=48, layers=1, heads=2, batch=2))
    shutil.copy("assets/models/compact-core/tokenizer.json", tmp_path / "tokenizer.json")
    for folder, more in (("d", []), ("a", ["--autoregressive"])):
        (tmp_path / folder).mkdir()
        shutil.copy(tmp_path / "tokenizer.json", tmp_path / folder / "tokenizer.json")
        given = ["compact", "--only", "core", "--only", "reader", "--steps", "2", "--out", str(tmp_path / folder), *more]
        assert train(given) == 0
    capsys.readouterr()
    monkeypatch.setattr(ar_vs_diffusion, "WEIGHTS", (0.3, 0.6))
    assert train(["compare", "--diffusion", str(tmp_path / "d"), "--autoregressive", str(tmp_path / "a"), "--limit", "3",
                         "--validation", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n"] == 6 and report["autoregressive"]["lam"] in (0.3, 0.6)
    assert set(report["gain over autoregressive"]) == {"diffusion", "diffusion, adaptive"}
    monkeypatch.setattr(ar_vs_diffusion, "HELDOUT", 2)
    assert train(["scaling", "--sizes", "16,32", "--steps", "2", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "scaling.json").read_text())
    assert rows[0]["parameters"] < rows[1]["parameters"] and all(0 < r["heldout_loss"] < 20 for r in rows)
