"""Semi-autoregressive simplex diffusion, the whole method on one screen. Knows nothing of networks, text or pages.

Source: SSD-LM (arXiv 2210.17432), Algorithm 2 and its public decoder; letters in simplex.py.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..config import SamplingParams
from . import fixed_point
from .pins import Pins
from .settling import has_converged, is_unchanged, settle
from .simplex import alpha_bar, choose, clean, entropy, lift, log_probs
from .step import BlockState, Denoiser, Prediction, Step

Noise = Callable[[tuple[int, ...]], Tensor]


def generate(denoise: Denoiser, params: SamplingParams, rng: torch.Generator, *, noise: Noise | None = None,
             pins: Pins | None = None) -> "Generation":
    """Denoise block after block: every step as it happens, until each row has an EOS or max_new_tokens is reached.

    noise: instead of draws from ``rng``: gives N(0, I) of shape (B, L, V); asked once per block for x_T and once per step.
    pins: tokens that stand from their block's next step on, without noise; a block of pins alone takes one step.
    """
    return Generation(denoise, params, rng, noise, pins or Pins())


class Generation:
    """The steps of one answer, an iterator: what the denoiser is asked next, and what follows from its prediction."""

    def __init__(self, denoise: Denoiser, params: SamplingParams, rng: torch.Generator, noise: Noise | None, pins: Pins):
        self.denoise, self.params, self.rng, self.noise, self.pins = denoise, params, rng, noise, pins
        B, L = denoise.batch_size, params.block_length
        self.ids = torch.zeros((B, 0), dtype=torch.long, device=rng.device)
        self.ended = torch.zeros(B, dtype=torch.bool, device=rng.device)
        self.on_tokens = denoise.reads == "tokens"
        width = 0 if self.on_tokens and fixed_point.is_greedy(params) else denoise.vocab_size
        buffers = torch.empty((1 if self.on_tokens else 2, B, L, width), device=rng.device)
        self.block, self.state = 0, self._start(buffers[0], buffers[-1])

    def _start(self, x_t: Tensor, spare: Tensor) -> BlockState:
        """1) A block starts as pure noise on the simplex of the vocabulary."""
        if self.on_tokens:
            return fixed_point.start(x_t, self.denoise.eos_token_id, self.params, self.rng, self.ended)
        fill(x_t, 0.0, self.denoise.simplex_value, self.rng, self.noise)                  # (B, L, V)
        u = x_t.new_ones(x_t.shape[:2])
        return BlockState(x_t, spare, u, torch.zeros_like(u, dtype=torch.bool), 1, self.params.num_steps)

    def question(self) -> tuple[Tensor, BlockState] | None:
        """What the denoiser is asked next: ids so far (B, R) and the block, with what is pinned by now. None at the end."""
        if self.state is not None:
            at, given = self.pins.of(self.block, self.params.block_length, self.rng.device)
            if self.on_tokens:
                fixed_point.give(self.state, at, given, self.params.lookahead)
            else:
                self.state.x_t[:, at] = clean(given, self.denoise.vocab_size, self.denoise.simplex_value)
                self.state.settled[:, at] = True
        return self.state and (self.ids, self.state)

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        step = self.make_step()
        if step is None:
            raise StopIteration
        return step

    @torch.no_grad()
    def make_step(self, **known) -> Step | None:
        """Make the next step; None when there is none left. known: what the denoiser takes beside its question."""
        if self.question() is None:
            return None
        # 2) every expert looks at the same noisy block and predicts the clean one
        ids, state = self.ids, self.state
        prediction = self.denoise(ids, state, **known)
        eos, (at, given) = self.denoise.eos_token_id, self.pins.of(self.block, self.params.block_length, ids.device)
        self.pins.apply(self.block, prediction.logits, at, given, state.window)
        # 3) the prediction goes back to the simplex and is made noisy again, a little less
        if self.on_tokens:
            after = fixed_point.advance(state, prediction, self.params, eos)
        else:
            after = advance(state, prediction, self.params, self.rng, self.denoise.simplex_value, eos, self.noise)
        pinned = torch.zeros_like(state.settled[0])
        pinned[at] = True
        changed = state.settled & False if state.token_ids is None else after.token_ids != state.token_ids
        finished = after.step > after.num_steps or bool(after.settled.all()) or (
            not self.on_tokens and has_converged(after, self.params, eos))
        if finished and eos is not None:
            self.ended = self.ended | (after.token_ids == eos).any(-1)
        self.state = after
        if finished:
            # 4) the block's tokens join the context and the next block starts
            self.ids, self.block = torch.cat([ids, after.token_ids], dim=1), self.block + 1          # (B, R + L)
            over = bool(self.ended.all()) or self.block * self.params.block_length >= self.params.max_new_tokens
            self.state = None if over else self._start(after.x_t, after.spare)
        return Step(self.block - finished, ids, state, prediction, after, changed, pinned, finished, self.ended)


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
