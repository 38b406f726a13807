"""Semi-autoregressive simplex diffusion, the whole method on one screen. Knows nothing of networks, text or pages.

Source: SSD-LM (arXiv 2210.17432), Algorithm 2 and its public decoder; letters in simplex.py.
"""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import SamplingParams
from .ensemble import Denoiser, Prediction
from .pins import Pins
from .simplex import alpha_bar, choose, clean, lift
from .step import PATIENCE, Step, _describe, _is_settled

Noise = Callable[[tuple[int, ...]], Tensor]




@dataclass
class Ask:
    """What a denoiser is asked next: ids so far (B, R), the noisy block x_t (B, L, V), u = t/T."""

    ids: Tensor
    x_t: Tensor
    u: float




class Steps:
    """The steps of one generation as an iterator. ``ask``: the denoiser's next input, so that a batch can answer ahead."""

    def __init__(self, course: Generator[Ask | Step, Prediction | None, None], denoise: Denoiser):
        self._course, self._denoise, self._ask = course, denoise, None

    def __iter__(self) -> "Steps":
        return self

    @torch.no_grad()
    def __next__(self) -> Step:
        ask = self.ask
        if ask is None:
            raise StopIteration
        self._ask = None
        return self._course.send(self._denoise(ask.ids, ask.x_t, ask.u))

    @property
    def ask(self) -> Ask | None:
        """None when all steps are done."""
        if self._ask is None:
            with torch.no_grad():
                self._ask = next(self._course, None)
        return self._ask

    def close(self) -> None:
        """End the generation here."""
        self._course.close()


def generate(denoise: Denoiser, params: SamplingParams, rng: torch.Generator, *, vocab_size: int | None = None,
             eos_token_id: int | None = None, simplex_value: float | None = None, batch_size: int | None = None,
             noise: Noise | None = None, pins: Pins | None = None) -> Steps:
    """Denoise block after block: every step as it happens, until each row has an EOS or max_new_tokens is reached.

    Facts that are not given are read from the denoiser (``denoise.vocab_size`` and so on). noise: instead of
    draws from ``rng``: gives N(0, I) of shape (B, L, V); asked once per block for x_T and once per step before its forward.
    pins: tokens that stand from their block's next step on, without noise; a block of pins alone takes one step.
    """
    course = _course(denoise, params, rng, vocab_size, eos_token_id, simplex_value, batch_size, noise, pins or Pins())
    return Steps(course, denoise)


def _course(denoise, params, rng, vocab_size, eos_token_id, simplex_value, batch_size, noise, pins):
    """The method: yields an Ask, takes the Prediction for it, yields the Step that it made."""
    V = vocab_size or denoise.vocab_size
    K = simplex_value or getattr(denoise, "simplex_value", 5.0)
    eos = eos_token_id if eos_token_id is not None else getattr(denoise, "eos_token_id", None)
    B = batch_size or getattr(denoise, "batch_size", 1)
    T, L = params.num_steps, params.block_length
    ids = torch.zeros((B, 0), dtype=torch.long, device=rng.device)
    ended = torch.zeros(B, dtype=torch.bool, device=rng.device)
    x_t, x_next = torch.empty((2, B, L, V), device=rng.device).unbind(0)

    def fill(x: Tensor, mean: float, scale: float) -> None:
        """x ~ N(mean, (K · scale)² I), in place."""
        if noise is None:
            x.normal_(mean, K * scale, generator=rng)
        else:
            x.copy_(noise((B, L, V))).mul_(K * scale).add_(mean)

    for block in range(math.ceil(params.max_new_tokens / L)):
        # 1) a block starts as pure noise on the simplex of the vocabulary
        fill(x_t, 0.0, 1.0)                                                               # (B, L, V)
        previous, calm = None, 0
        for t in range(T, 0, -1):
            # 2) every expert looks at the same noisy block and predicts the clean one
            signal = math.sqrt(alpha_bar((t - 1) / T))
            fill(x_next, -K * signal, math.sqrt(max(0.0, 1 - signal**2)))                 # noise around -K everywhere ...
            at, given = pins.of(block, L, rng.device)                                     # (N,) positions, (N,) ids
            x_t[:, at] = clean(given, V, K)
            prediction = yield Ask(ids, x_t, t / T)
            pins.apply(block, prediction.logits, eos, at, given)
            # 3) the prediction goes back to the simplex and is made noisy again, a little less
            chosen = choose(prediction.logits, params.projection, params.top_p, rng)      # (B, L) or (B, L, V)
            lift(x_next, chosen, 2 * K * signal)                                          # ... and around +K where it is clean
            x_t, x_next = x_next, x_t
            step = _describe(prediction, previous and previous["token_ids"], at)
            calm = calm + 1 if _is_settled(params.early_exit, step, previous, eos) else 0
            enough = PATIENCE if params.early_exit == "patience" else 1
            previous, finished = step, t == 1 or calm >= enough or len(at) == L
            if finished and eos is not None:
                ended = ended | (step["token_ids"] == eos).any(-1)
            yield Step(block=block, step=T - t + 1, num_steps=T, alpha_bar=alpha_bar(t / T), ids=ids, chosen=chosen,
                       prediction=prediction, simplex_value=K, finished=finished, ended=ended, **step)
            if finished:
                break
        # 4) the block's tokens join the context and the next block starts
        ids = torch.cat([ids, previous["token_ids"]], dim=1)                              # (B, R + L)
        if bool(ended.all()):
            return
