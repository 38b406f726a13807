"""Semi-autoregressive diffusion, block after block, on one screen. Knows nothing of networks, text or pages.

How a block gets from noise to tokens depends on what the denoisers read: noisy logits (annealing.py), tokens (fixed_point.py),
masks (unmasking.py) or random tokens (uniform.py). Source: SSD-LM (arXiv 2210.17432) and its public decoder.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ..config import SamplingParams
from .annealing import Annealing, Noise
from .fixed_point import FixedPoint
from .pins import Pins
from .process import Process
from .step import BlockState, Denoiser, Step
from .uniform import Uniform
from .unmasking import Unmasking

PROCESSES = {"simplex": Annealing, "tokens": FixedPoint, "masks": Unmasking, "uniform": Uniform}


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
        own = {name: value for name, value in denoise.own.items() if getattr(params, name, None) == "own"}
        self.denoise, self.params, self.rng, self.pins = denoise, replace(params, **own), rng, pins
        self.ids = torch.zeros((denoise.batch_size, 0), dtype=torch.long, device=rng.device)
        self.ended = torch.zeros(denoise.batch_size, dtype=torch.bool, device=rng.device)
        # 1) a block starts as pure noise
        self.process: Process = PROCESSES[denoise.reads](denoise, self.params, rng, noise)
        self.block, self.state = 0, self.process.start(None, self.ended)

    def question(self) -> tuple[Tensor, BlockState] | None:
        """What the denoiser is asked next: ids so far (B, R) and the block, with what is pinned by now. None at the end."""
        if self.state is None:
            return None
        length, device = self.state.settled.shape[1], self.rng.device
        self.process.give(self.state, *(self.pins.of_all(self.params.block_length, length, device) if self.denoise.canvas
                                        else self.pins.of(self.block, length, device)))
        return self.ids, self.state

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
        block = self.block + (state.window.start // self.params.block_length if self.denoise.canvas else 0)  # shown as one
        shown = self.process.view(state, state.window)
        at, given = self.pins.of(block, shown.settled.shape[1], ids.device)
        self.pins.apply(block, prediction.logits, at, given, slice(None) if self.denoise.canvas else state.window)
        # 3) the prediction becomes tokens, which are made noisy again, a little less
        after = self.process.advance(state, prediction)
        then = self.process.view(after, state.window)
        pinned = torch.zeros_like(shown.settled[0])
        pinned[at] = True
        changed = shown.settled & False if shown.token_ids is None else then.token_ids != shown.token_ids
        finished = self.process.is_done(then)
        if finished:
            self.ended = self.ended | self.process.has_end(then)
        self.state = after
        before = torch.cat([ids, state.token_ids[:, :state.window.start]], 1) if self.denoise.canvas else ids
        if finished and (not self.denoise.canvas or after.window == state.window):
            # 4) the block's tokens join the context and the next block starts
            self.ids, self.block = torch.cat([ids, after.token_ids], dim=1), self.block + 1          # (B, R + L)
            over = bool(self.ended.all()) or self.ids.shape[1] >= self.params.max_new_tokens
            self.state = None if over else self.process.start(after, self.ended)
        return Step(block, before, shown, prediction, then, changed, pinned, finished, self.ended)
