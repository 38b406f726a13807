"""Semi-autoregressive diffusion, block after block, on one screen. Knows nothing of networks, text or pages.

How a block gets from noise to tokens depends on what the denoisers read: noisy logits (annealing.py), tokens (fixed_point.py)
or masks (unmasking.py). Source: SSD-LM (arXiv 2210.17432), Algorithm 2 and its public decoder; letters in simplex.py.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..config import SamplingParams
from . import annealing, fixed_point, unmasking
from .annealing import Noise
from .pins import Pins
from .settling import has_converged
from .step import BlockState, Denoiser, Step


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
        own = {name: value for name, value in denoise.own.items() if getattr(params, name) == "own"}
        self.denoise, self.params, self.rng, self.noise, self.pins = denoise, replace(params, **own), rng, noise, pins
        B, L = denoise.batch_size, params.max_new_tokens if denoise.canvas else params.block_length
        self.ids = torch.zeros((B, 0), dtype=torch.long, device=rng.device)
        self.ended = torch.zeros(B, dtype=torch.bool, device=rng.device)
        self.reads, self.on_tokens = denoise.reads, denoise.reads != "simplex"
        width = 0 if self.on_tokens and fixed_point.is_greedy(params) else denoise.vocab_size
        buffers = torch.empty((1 if self.on_tokens else 2, B, L, width), device=rng.device)
        self.block, self.state = 0, self._start(buffers[0], buffers[-1])

    def _start(self, x_t: Tensor, spare: Tensor) -> BlockState:
        """1) A block starts as pure noise on the simplex of the vocabulary."""
        if self.reads == "masks":
            return unmasking.start(x_t, self.denoise.mask_token_id, self.params, self.rng)
        if self.on_tokens:
            return fixed_point.start(x_t, self.denoise.eos_token_id, self.params, self.rng, self.ended)
        return annealing.start(x_t, spare, self.params.num_steps, self.denoise.simplex_value, self.rng, self.noise)

    def question(self) -> tuple[Tensor, BlockState] | None:
        """What the denoiser is asked next: ids so far (B, R) and the block, with what is pinned by now. None at the end."""
        if self.state is not None:
            at, given = self.pins.of(self.block, self.params.block_length, self.rng.device)
            if self.reads == "masks":
                if self.denoise.canvas:
                    at, given = self.pins.of_all(self.params.block_length, self.state.settled.shape[1], self.rng.device)
                unmasking.give(self.state, at, given)
            elif self.on_tokens:
                fixed_point.give(self.state, at, given, self.params.lookahead)
            else:
                annealing.give(self.state, at, given, self.denoise.simplex_value)
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
        ids, state, eos = self.ids, self.state, self.denoise.eos_token_id
        prediction = self.denoise(ids, state, **known)
        # (a canvas is shown window by window, each as a block)
        block = self.block + (state.window.start // self.params.block_length if self.denoise.canvas else 0)
        at, given = self.pins.of(block, self.params.block_length, ids.device)
        self.pins.apply(block, prediction.logits, at, given, slice(None) if self.denoise.canvas else state.window)
        # 3) the prediction goes back to the simplex and is made noisy again, a little less
        if self.reads == "masks":
            after = unmasking.advance(state, prediction, self.params, eos)
            shown, then = unmasking.view(state, state.window), unmasking.view(after, state.window)
        elif self.on_tokens:
            shown, then = state, (after := fixed_point.advance(state, prediction, self.params, eos))
        else:
            after = annealing.advance(state, prediction, self.params, self.rng, self.denoise.simplex_value, eos, self.noise)
            shown, then = state, after
        pinned = torch.zeros_like(shown.settled[0])
        pinned[at] = True
        changed = shown.settled & False if shown.token_ids is None else then.token_ids != shown.token_ids
        finished = then.step > then.num_steps or bool(then.settled.all()) or (
            not self.on_tokens and has_converged(then, self.params, eos))
        if finished and eos is not None:
            self.ended = self.ended | (then.token_ids == eos).any(-1)
        self.state = after
        before = torch.cat([ids, state.token_ids[:, :state.window.start]], 1) if self.denoise.canvas else ids
        if finished and (not self.denoise.canvas or after.window == state.window):
            # 4) the block's tokens join the context and the next block starts
            self.ids, self.block = torch.cat([ids, after.token_ids], dim=1), self.block + 1          # (B, R + L)
            over = bool(self.ended.all()) or self.ids.shape[1] >= self.params.max_new_tokens
            self.state = None if over else self._start(after.x_t, after.spare)
        return Step(block, before, shown, prediction, then, changed, pinned, finished, self.ended)
