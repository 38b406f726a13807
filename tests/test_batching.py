"""Runs that share a pass get what each gets alone: other contexts, steps, lengths, seeds and settings; rows join and leave."""

import pytest
import torch

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.diffusion.ensemble import Ensemble
from ssd2_core.diffusion.sampling import generate
from ssd2_core.protocol.messages import Document, Request
from ssd2_core.serving.batching import Batcher
from ssd2_core.serving.model_runner import ModelRuns
from tests.support.tiny import endless, tiny
from tests.test_library import folder

DOCUMENT, QUESTION = [2, 20, 21, 22, 23], [3, 30, 31, 4]
RUNS = [  # context of the user, steps, block, tokens, seed, lam, alpha
    (DOCUMENT, 4, 6, 12, 1, 0.5, 0.0), (DOCUMENT[:3], 7, 4, 8, 2, 0.3, 0.0), ([2, *range(40, 60)], 5, 8, 16, 3, 0.7, 1.0),
    ([2, 9], 3, 6, 18, 4, 0.0, 0.0), ([2, 11], 6, 5, 5, 5, 1.0, 0.5)]


def made(core, user, run):
    context, steps, block, tokens, seed, lam, alpha = run
    bound = {"core": core.bind(QUESTION), "me": user.bind([*context, *QUESTION], QUESTION)}
    ensemble = Ensemble(bound, EnsembleParams(lam={"me": lam}, alpha=alpha))
    params = SamplingParams(num_steps=steps, block_length=block, max_new_tokens=tokens, seed=seed)
    return ensemble, generate(endless(ensemble), params, torch.Generator().manual_seed(seed))


def together(core, user, runs, begin):
    """Every step of each run, all of them in shared passes; run i joins at round ``begin[i]``."""
    batcher, active, out, round_number = Batcher(), {}, {i: [] for i in range(len(runs))}, 0
    while active or round_number <= max(begin):
        active |= {i: made(core, user, runs[i]) for i, at in enumerate(begin) if at == round_number}
        known = batcher.logits(active.values())
        for i, (_, steps) in list(active.items()):
            step = steps.make_step(known=known)
            if step is None:
                del active[i]
            else:
                out[i].append(step)
        round_number += 1
    return out


@pytest.mark.parametrize("shape", [{}, {"label_shift": True}, {"lora": {"r": 4, "lora_alpha": 8}},
                                   {"context_mode": "segments"}])
@pytest.mark.parametrize("begin", [(0, 0, 0, 0, 0), (0, 2, 3, 5, 9)])
def test_each_run_gets_what_it_gets_alone(shape, begin):
    core, user = tiny(1, **shape), tiny(2, **shape)
    alone = [list(made(core, user, run)[1]) for run in RUNS]
    shared = together(core, user, RUNS, begin)
    for i, steps in enumerate(alone):
        assert len(steps) == len(shared[i])
        for one, other in zip(steps, shared[i], strict=True):
            assert torch.equal(one.token_ids, other.token_ids)
            assert (one.after.confidence - other.after.confidence).abs().max() < 1e-3
            assert (one.step, one.block, one.finished) == (other.step, other.block, other.finished)


def test_one_pass_serves_all_rows(monkeypatch):
    core, user = tiny(1), tiny(2)
    runs, count = [(DOCUMENT, 5, 6, 6, seed, 0.5, 0.0) for seed in range(4)], []
    for model in (core, user):
        trunk = model.trunk
        monkeypatch.setattr(model, "trunk", lambda *a, t=trunk: (count.append(a[0].shape[0]), t(*a))[1])
    shared = together(core, user, runs, (0, 0, 0, 0))
    assert all(len(steps) == 5 for steps in shared.values())
    assert count.count(4) == 10 and count.count(1) == 12        # 5 steps x 2 networks; 4 x 3 contexts were read before


def test_forwards_are_counted_and_a_moved_weight_acts_at_once():
    core, user = tiny(1), tiny(2)
    (one, steps), (other, more) = made(core, user, RUNS[0]), made(core, user, RUNS[1])
    batcher = Batcher()
    known = batcher.logits([(one, steps), (other, more)])
    one.params = EnsembleParams(lam={"me": 0.0}, alpha=0.0)
    step = steps.make_step(known=known)
    assert set(step.prediction.weights) == {"core"} and one.forwards == 1
    more.make_step(known=known)
    assert other.forwards == 2


def test_the_worker_answers_two_requests_in_one_pass_as_alone(tmp_path, monkeypatch):
    core, reader = str(folder(tmp_path / "c")), str(folder(tmp_path / "r", role="reader", seed=1))
    prepare = ModelRuns(Settings())
    sampling = SamplingParams(num_steps=4, max_new_tokens=16)

    def request(name, text):
        return Request(name, "my dog", core, (reader,), (Document("d", text),), (), sampling, EnsembleParams({reader: 0.5}))
    asked = [request("a", "my dog is called Biscuit"), request("b", "it")]
    alone = [[run.step().token_ids for _ in range(4)] for run in (prepare(r, lambda *_: None) for r in asked)]
    runs = [prepare(r, lambda *_: None) for r in asked]
    shared = [[], []]
    for _ in range(4):
        prepare.prefetch(runs)
        for run, out in zip(runs, shared, strict=True):
            out.append(run.step().token_ids)
    assert shared == alone
    monkeypatch.setattr(prepare.batcher, "logits", lambda runs: 1 / 0)
    runs = [prepare(r, lambda *_: None) for r in asked]
    prepare.prefetch(runs)                                             # a batch that fails leaves each run to itself
    assert [run.step().token_ids for run in runs] == [frames[0] for frames in alone]
