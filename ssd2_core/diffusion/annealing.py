"""Blocks of simplex denoisers: x_T is pure noise, and each step makes it a little less noisy, everywhere or place by place.

Source: SSD-LM (arXiv 2210.17432), Algorithm 2; letters in simplex.py.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..config import SamplingParams
from .process import Process
from .settling import has_converged, is_unchanged, settle
from .simplex import alpha_bar, choose, clean, entropy, lift, log_probs
from .step import BlockState, Denoiser, Prediction

Noise = Callable[[tuple[int, ...]], Tensor]


class Annealing(Process):
    """The process of simplex denoisers. noise: gives N(0, I) of a shape, instead of draws from ``rng``."""

    def __init__(self, denoise: Denoiser, params: SamplingParams, rng: torch.Generator, noise: Noise | None):
        super().__init__(denoise, params, rng, noise)
        self.K = denoise.simplex_value

    def start(self, last: BlockState | None, ended: Tensor) -> BlockState:
        """A block of pure noise, x_T ~ N(0, K² I), (B, L, V)."""
        shape = (self.denoise.batch_size, self.params.block_length, self.denoise.vocab_size)
        x_t, spare = (last.x_t, last.spare) if last else torch.empty((2, *shape), device=self.rng.device)
        fill(x_t, 0.0, self.K, self.rng, self.noise)
        u = x_t.new_ones(x_t.shape[:2])
        return BlockState(x_t, spare, u, torch.zeros_like(u, dtype=torch.bool), 1, self.params.num_steps)

    def give(self, state: BlockState, at: Tensor, given: Tensor) -> None:
        """There is no noise where a token is given."""
        state.x_t[:, at] = clean(given, state.x_t.shape[-1], self.K)
        state.settled[:, at] = True

    def advance(self, state: BlockState, prediction: Prediction) -> BlockState:
        """x_{t-1} from x̂_0, for all positions together or settled one after another.

        "anneal": x_{t-1} = sqrt(abar_{t-1}) x̂_0 + sqrt(1 - abar_{t-1}) z, z ~ N(0, K² I), abar falling for all alike.
        Otherwise abar is 1 where a position is settled and 0 elsewhere, see ``settle``.
        """
        params, K, all_alike = self.params, self.K, self.params.settling == "anneal"
        u = (state.num_steps - state.step) / state.num_steps if all_alike else 1.0
        signal = math.sqrt(alpha_bar(u))
        x = state.spare
        fill(x, -K * signal, K * math.sqrt(max(0.0, 1 - signal**2)), self.rng, self.noise)    # noise around -K everywhere ...
        chosen = choose(prediction.logits / params.temperature, params.projection, params.top_p, self.rng)  # (B, L), (B, L, V)
        log_p = log_probs(prediction.logits)
        confidence, token_ids = log_p.max(-1)
        after = replace(state, x_t=x, spare=state.x_t, step=state.step + 1, previous=prediction.logits, token_ids=token_ids,
                        confidence=confidence.exp(), entropy=entropy(log_p), chosen=chosen)
        if all_alike:
            lift(x, chosen, 2 * K * signal)                                                   # ... around +K where it is clean
            after.u = torch.full_like(state.u, u)
        else:
            after.token_ids = token_ids if chosen.dtype == torch.bool else chosen
            if state.token_ids is not None:
                after.token_ids = torch.where(state.settled, state.token_ids, after.token_ids)
            after.settled = settle(after, params.settling, params.threshold)
            x[after.settled] = clean(after.token_ids[after.settled], x.shape[-1], K)
            after.u = (~after.settled).to(state.u.dtype)
        still = is_unchanged(state, after, self.ends)
        after.unchanged_steps = state.unchanged_steps + 1 if still else 0
        return after

    def is_done(self, state: BlockState) -> bool:
        """After the last step, when all is settled, or when an early exit says so."""
        return super().is_done(state) or has_converged(state, self.params, self.ends)


def fill(x: Tensor, mean: float, scale: float, rng: torch.Generator, noise: Noise | None) -> None:
    """x ~ N(mean, scale² I) in place."""
    if noise is None:
        x.normal_(mean, scale, generator=rng)
    else:
        x.copy_(noise(x.shape)).mul_(scale).add_(mean)
