"""Noise is a matter of the position: all positions together, or settled one after another by count, confidence or entropy."""

import pytest
import torch

from ssd2_core.config import SamplingParams, knobs
from ssd2_core.diffusion.pins import Pins
from ssd2_core.diffusion.sampling import generate
from ssd2_core.diffusion.simplex import alpha_bar
from ssd2_core.diffusion.step import Prediction
from ssd2_core.errors import LimitError
from tests.support.tiny import Fake, endless, tiny

SETTLINGS = knobs(SamplingParams)["settling"].choices
CONTEXT = [3, 30, 31, 4]


class Sure(Fake):
    """Wants token 10 + position; how sure it is of each position is given."""

    vocab_size = 40

    def __init__(self, *strengths):
        self.strengths, self.shown = torch.tensor(strengths), []

    def __call__(self, ids, state):
        self.shown.append((state.x_t.clone(), state.u.clone()))
        logits = torch.zeros(state.x_t.shape)
        at = torch.arange(len(self.strengths))
        logits[0, at, 10 + at] = self.strengths
        return Prediction(logits)


def made(denoise, settling, num_steps=4, pins=None, **more):
    params = SamplingParams(num_steps=num_steps, block_length=4, max_new_tokens=4, settling=settling, **more)
    return list(generate(denoise, params, torch.Generator().manual_seed(0), pins=pins))


@pytest.mark.parametrize("rule,settled", [
    ("count", [[1], [1, 3], [0, 1, 3], [0, 1, 2, 3]]),                      # the surest first, one in each of four steps
    ("confidence", [[1, 3], [0, 1, 3], [0, 1, 2, 3]]),                      # both that are sure at once
    ("entropy", [[0, 1, 3], [0, 1, 2, 3]]),                                 # and the first one behind those that are sure
])
def test_the_surest_positions_settle_first_and_keep_their_token_without_noise(rule, settled):
    denoise = Sure(3.0, 12.0, 2.0, 11.0)
    steps = made(denoise, rule)
    assert [s.after.settled[0].nonzero().flatten().tolist() for s in steps] == settled
    assert steps[-1].finished and steps[-1].token_ids.tolist() == [[10, 11, 12, 13]]
    for step, (x_t, u) in zip(steps[1:], denoise.shown[1:], strict=True):
        calm = step.state.settled
        assert u.tolist() == (~calm).float().tolist()
        assert (x_t[calm].sort(-1).values[:, :-1] == -5).all() and (x_t[calm].argmax(-1) == step.state.token_ids[calm]).all()
        assert x_t[~calm].std() == pytest.approx(5, rel=0.5)
    assert steps[1].alpha_bar == pytest.approx(len(settled[0]) / 4)


@pytest.mark.parametrize("num_steps,counts", [(4, [1, 2, 3, 4]), (2, [2, 4]), (3, [2, 3, 4]), (1, [4]), (9, [1, 2, 3, 4])])
def test_equal_numbers_settle_and_the_steps_suffice(num_steps, counts):
    steps = made(Sure(3.0, 12.0, 2.0, 11.0), "count", num_steps)
    assert [int(s.after.settled.sum()) for s in steps] == counts


def test_annealing_lowers_the_noise_of_all_positions_alike():
    denoise = Sure(3.0, 12.0, 2.0, 11.0)
    steps = made(denoise, "anneal")
    assert [u.unique().tolist() for _, u in denoise.shown] == [[1.0], [0.75], [0.5], [0.25]]
    assert [s.alpha_bar for s in steps] == pytest.approx([alpha_bar(t / 4) for t in (4, 3, 2, 1)])
    assert not any(s.after.settled.any() for s in steps)


@pytest.mark.parametrize("rule", SETTLINGS)
def test_each_rule_writes_blocks_with_a_real_network_and_the_seed_decides(rule):
    params = SamplingParams(num_steps=5, block_length=6, max_new_tokens=12, settling=rule, projection="sampling")

    def tokens(seed):
        steps = generate(endless(tiny().bind(CONTEXT)), params, torch.Generator().manual_seed(seed))
        return torch.cat([s.token_ids for s in steps if s.finished], 1).tolist()
    assert tokens(1) == tokens(1) != tokens(2) and len(tokens(1)[0]) == 12


@pytest.mark.parametrize("rule", SETTLINGS)
def test_what_is_pinned_is_settled_from_the_start(rule):
    pins = Pins()
    pins.put(0, 2, [33])
    steps = made(Sure(3.0, 12.0, 2.0, 11.0), rule, pins=pins)
    assert all(s.state.settled[0, 2] and s.token_ids[0, 2] == 33 for s in steps)


def test_an_unknown_rule_is_refused():
    with pytest.raises(LimitError, match="settling must be one of anneal, count, confidence, entropy"):
        SamplingParams(settling="all")
