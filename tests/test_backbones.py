"""Every backbone at tiny size: its cache against recomputation, left padding, bfloat16 against float32 once it is trained."""

from functools import cache

import pytest
import torch

from ssd2_core.config import SamplingParams
from ssd2_core.diffusion.sampling import generate
from ssd2_core.diffusion.simplex import add_noise, alpha_bar, to_simplex
from ssd2_core.models.context import bind_rows
from tests.support.tiny import CAUSAL, MASKED, endless, start, tiny
from tests.test_model import CONTEXTS, direct_logits

WAYS = [*((name, mode) for name in CAUSAL for mode in ("causal", "segments")),
        *((name, "full") for name in ("llama", *MASKED))]
V, L = 97, 6


def made(name: str, mode: str, **settings):
    return tiny(backbone={**CAUSAL, **MASKED}[name], context_mode=mode, **settings)


@pytest.mark.parametrize("name,mode", WAYS)
@torch.no_grad()
def test_a_cached_context_gives_the_logits_of_a_whole_pass(name, mode):
    model = made(name, mode)
    bound = model.bind(CONTEXTS[0])
    noise = torch.randn(3, 1, L, V, generator=torch.Generator().manual_seed(0)) * 5
    for ids, x_t in (([], noise[0]), ([50, 51, 52, 53, 54, 55], noise[1])):
        got = bound(torch.tensor([ids], dtype=torch.long), start(x_t)).logits
        assert (got - direct_logits(model, CONTEXTS[0], ids, x_t, 1.0)).abs().max() <= 1e-4


@pytest.mark.parametrize("name,mode", WAYS)
def test_left_padding_changes_nothing(name, mode):
    model = made(name, mode)
    x_t = torch.randn(2, L, V, generator=torch.Generator().manual_seed(1)) * 5
    ids = torch.tensor([[50, 51, 52], [60, 61, 62]])
    together = bind_rows(model, CONTEXTS)(ids, start(x_t, 0.7)).logits
    for row, context in enumerate(CONTEXTS):
        alone = model.bind(context)(ids[row:row + 1], start(x_t[row:row + 1], 0.7)).logits
        assert (alone - together[row:row + 1]).abs().max() <= 1e-4


@cache
def lessons():
    """Eight questions of one token each, with answers of L tokens: (8, 3) and (8, L)."""
    rng = torch.Generator().manual_seed(5)
    return torch.tensor([[2, 10 + i, 4] for i in range(8)]), torch.randint(20, V, (8, L), generator=rng)


def taught(name: str, mode: str, steps: int):
    """A model that has memorised the lessons, out of every level of noise."""
    model, rng = made(name, mode, sharp=1.0), torch.Generator().manual_seed(6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    questions, answers = lessons()
    for _ in range(steps):
        u = torch.rand(1, generator=rng).item()
        x_t = add_noise(to_simplex(answers, V), alpha_bar(u), 5 * torch.randn(8, L, V, generator=rng))
        logits = direct_logits(model, questions, [], x_t, u)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), answers.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("name", [*CAUSAL, *MASKED])
def test_bfloat16_says_what_float32_says(name):
    steps = 400 if name == "opt-projected" else 160         # half the width at the vocabulary learns more slowly
    model, said = taught(name, "causal" if name in CAUSAL else "full", steps), {}
    params, (questions, right) = SamplingParams(num_steps=8, block_length=L, max_new_tokens=L), lessons()
    for dtype in (torch.float32, torch.bfloat16):
        bound = bind_rows(model.to(dtype), questions.tolist())
        *_, last = generate(endless(bound), params, torch.Generator().manual_seed(0))
        said[dtype] = last.token_ids
    assert (said[torch.float32] == right).float().mean() >= 0.95
    assert (said[torch.float32] == said[torch.bfloat16]).float().mean() >= 0.95
