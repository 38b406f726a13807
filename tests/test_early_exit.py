"""A block ends early when nothing is left to decide, and not before."""

import pytest
import torch

from ssd2_core.config import SamplingParams
from ssd2_core.diffusion.sampling import generate
from ssd2_core.diffusion.step import Prediction
from ssd2_core.errors import LimitError
from tests.support.tiny import Fake

V, EOS = 20, 1


class Script(Fake):
    """A denoiser of one row whose tokens and confidence at each step are given; the last entry stays."""

    vocab_size, ends = V, (EOS,)

    def __init__(self, *steps):
        self.steps, self.calls = steps, 0

    def __call__(self, ids, state):
        tokens, strength = self.steps[min(self.calls, len(self.steps) - 1)]
        self.calls += 1
        logits = torch.zeros(1, len(tokens), V)
        logits[0, range(len(tokens)), tokens] = strength
        return Prediction(logits)


def steps(script, kind, **more):
    params = SamplingParams(**{"num_steps": 10, "block_length": 4, "max_new_tokens": 4, "early_exit": kind, **more})
    return list(generate(script, params, torch.Generator().manual_seed(0)))


A, B, DONE, TAIL = [5, 6, 7, 8], [5, 6, 9, 8], [5, 6, EOS, 8], [5, 6, EOS, 9]


@pytest.mark.parametrize("script,kind,count", [
    ([(A, 9.0)], "off", 10), ([(A, 9.0)], "patience", 4), ([(A, 9.0)], "entropy", 1),
    ([(A, 9.0), (B, 9.0), (A, 9.0), (A, 9.0)], "patience", 6),             # three still steps after the last change
    ([(A, 2.0)], "entropy", 10), ([(A, 2.0)], "patience", 4),              # standing still is not being certain
    ([(A, 2.0), (A, 4.0), (A, 6.0), (A, 9.0)], "patience", 6),             # a confidence that still moves is no rest
    ([(DONE, 9.0), (TAIL, 9.0)] * 5, "patience", 4),                       # what stands behind the end does not matter
])
def test_a_block_ends_when_it_rests(script, kind, count):
    made = steps(Script(*script), kind)
    assert len(made) == count and [s.finished for s in made] == [False] * (count - 1) + [True]
    assert made[-1].state.num_steps == 10


def test_the_next_block_starts_after_an_early_end_and_eos_ends_the_answer():
    made = steps(Script((A, 9.0)), "entropy", max_new_tokens=12)
    assert [s.block for s in made] == [0, 1, 2] and made[2].ids.tolist() == [A + A]
    made = steps(Script((DONE, 9.0)), "entropy", max_new_tokens=12)
    assert len(made) == 1 and made[0].ended.tolist() == [True]


def test_every_row_has_to_rest():
    class Two(Script):
        batch_size = 2

        def __call__(self, ids, state):
            row = super().__call__(ids, state).logits
            other = torch.zeros_like(row)
            other[0, :, 3 + self.calls % 2] = 9.0
            return Prediction(torch.cat([row, other]))
    assert len(steps(Two((A, 9.0)), "patience")) == 10


def test_an_unknown_way_is_refused():
    with pytest.raises(LimitError, match="early_exit must be one of off, patience, entropy"):
        SamplingParams(early_exit="soon")
