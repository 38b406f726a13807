"""Blocks of simplex denoisers: x_T is pure noise, and each step makes it a little less noisy, everywhere or place by place.

Source: SSD-LM (arXiv 2210.17432), Algorithm 2; letters in simplex.py.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..config import SamplingParams
from .settling import is_unchanged, settle
from .simplex import alpha_bar, choose, clean, entropy, lift, log_probs
from .step import BlockState, Prediction

Noise = Callable[[tuple[int, ...]], Tensor]


def start(x_t: Tensor, spare: Tensor, num_steps: int, K: float, rng: torch.Generator, noise: Noise | None) -> BlockState:
    """A block of pure noise, N(0, K² I) written to x_t (B, L, V)."""
    fill(x_t, 0.0, K, rng, noise)
    u = x_t.new_ones(x_t.shape[:2])
    return BlockState(x_t, spare, u, torch.zeros_like(u, dtype=torch.bool), 1, num_steps)


def give(state: BlockState, at: Tensor, given: Tensor, K: float) -> None:
    """Set tokens (N,) at positions (N,), in place: there is no noise where they stand."""
    state.x_t[:, at] = clean(given, state.x_t.shape[-1], K)
    state.settled[:, at] = True


def advance(state: BlockState, prediction: Prediction, params: SamplingParams, rng: torch.Generator, K: float = 5.0,
            eos: int | None = None, noise: Noise | None = None) -> BlockState:
    """The block after a prediction: x_{t-1} from x̂_0, for all positions together or settled one after another.

    "anneal": x_{t-1} = sqrt(abar_{t-1}) x̂_0 + sqrt(1 - abar_{t-1}) z, z ~ N(0, K² I), abar falling for all positions alike.
    Otherwise abar is 1 where a position is settled and 0 elsewhere, see ``settle``.
    """
    u = (state.num_steps - state.step) / state.num_steps if params.settling == "anneal" else 1.0
    signal = math.sqrt(alpha_bar(u))
    x = state.spare
    fill(x, -K * signal, K * math.sqrt(max(0.0, 1 - signal**2)), rng, noise)              # noise around -K everywhere ...
    chosen = choose(prediction.logits / params.temperature, params.projection, params.top_p, rng)   # (B, L) or (B, L, V)
    log_p = log_probs(prediction.logits)
    confidence, token_ids = log_p.max(-1)
    after = replace(state, x_t=x, spare=state.x_t, step=state.step + 1, previous=prediction.logits, token_ids=token_ids,
                    confidence=confidence.exp(), entropy=entropy(log_p), chosen=chosen)
    if params.settling == "anneal":
        lift(x, chosen, 2 * K * signal)                                                   # ... and around +K where it is clean
        after.u = torch.full_like(state.u, u)
    else:
        after.token_ids = token_ids if chosen.dtype == torch.bool else chosen
        if state.token_ids is not None:
            after.token_ids = torch.where(state.settled, state.token_ids, after.token_ids)
        after.settled = settle(after, params.settling)
        x[after.settled] = clean(after.token_ids[after.settled], x.shape[-1], K)
        after.u = (~after.settled).to(state.u.dtype)
    after.unchanged_steps = state.unchanged_steps + 1 if is_unchanged(state, after, eos) else 0
    return after


def fill(x: Tensor, mean: float, scale: float, rng: torch.Generator, noise: Noise | None) -> None:
    """x ~ N(mean, scale² I) in place."""
    if noise is None:
        x.normal_(mean, scale, generator=rng)
    else:
        x.copy_(noise(x.shape)).mul_(scale).add_(mean)
