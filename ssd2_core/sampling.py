"""Semi-autoregressive simplex diffusion, the whole method on one screen. Knows nothing of networks, text or pages.

Source: SSD-LM (arXiv 2210.17432), Algorithm 2 and its public decoder; letters in simplex.py.
"""

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from .config import SamplingParams
from .ensemble import FLOOR, Denoiser, Prediction, disagreement, log_probs, shares
from .frames import TOGETHER
from .simplex import alpha_bar, choose, clean, entropy, lift

Noise = Callable[[tuple[int, ...]], Tensor]
PATIENCE, STILL = 3, 0.05       # steps without a change, and how far a confidence may move in each
CANDIDATES, SUPPORT = 3, 16     # best tokens that are shown, and that disagreement is measured on
CERTAIN = 0.1                   # nats: an entropy below is no doubt


@dataclass
class Step:
    """One denoising step of one block, as tensors.

    block: from 0. step: from 1 to num_steps (so t = num_steps - step + 1). alpha_bar: of the input of this step.
    ids: tokens before this block (B, R). token_ids, rival_ids: best and second candidates (B, L).
    confidence: probability of token_ids (B, L). entropy: nats (B, L). changed: differs from the step before (B, L).
    share, weight: (B, L) by expert. prediction: the denoiser's own words.
    candidates: by expert and TOGETHER, (log-probabilities, ids) of the best tokens, both (B, L, 3). disagreement: (B, L), nats.
    pinned: tokens that were given (L,).
    chosen: what was projected, see ``simplex.choose``. finished: this was the last step of
    the block, maybe an early one.
    ended: the rows that have an EOS by now (B,), only meaningful when finished.
    """

    block: int
    step: int
    num_steps: int
    alpha_bar: float
    ids: Tensor
    token_ids: Tensor
    rival_ids: Tensor
    confidence: Tensor
    entropy: Tensor
    changed: Tensor
    share: dict[str, Tensor]
    weight: dict[str, Tensor]
    candidates: dict[str, tuple[Tensor, Tensor]]
    disagreement: Tensor
    pinned: Tensor
    prediction: Prediction
    chosen: Tensor
    simplex_value: float
    finished: bool
    ended: Tensor

    @property
    def projected(self) -> Tensor:
        """x̂_0 in {-K, +K}, (B, L, V)."""
        return clean(self.chosen, self.prediction.logits.shape[-1], self.simplex_value)


@dataclass
class Ask:
    """What a denoiser is asked next: ids so far (B, R), the noisy block x_t (B, L, V), u = t/T."""

    ids: Tensor
    x_t: Tensor
    u: float


class Pins:
    """Tokens that are given, by block and position; they may be put while a generation runs."""

    def __init__(self):
        self._at: dict[int, dict[int, int]] = {}
        self._open: dict[int, list[int]] = {}

    def put(self, block: int, position: int, token_ids: Iterable[int]) -> None:
        """Give tokens from a position on."""
        self._at.setdefault(block, {}).update(enumerate(token_ids, position))

    def keep_open(self, block: int, position: int) -> None:
        """No end of text at this position: more is given behind it."""
        self._open.setdefault(block, []).append(position)

    def apply(self, block: int, logits: Tensor, eos: int | None, at: Tensor, given: Tensor) -> None:
        """Write what is given, and what cannot be, into predicted logits (B, L, V), in place. at, given: of ``of``."""
        if eos is not None and block in self._open:
            logits[:, self._open[block], eos] = FLOOR
        logits[:, at] = clean(given, logits.shape[-1], -FLOOR / 2) + FLOOR / 2           # 0 at the given token, FLOOR elsewhere

    def of(self, block: int, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Positions and ids of the given tokens within a block of this length, both (N,)."""
        found = sorted((at, token) for at, token in self._at.get(block, {}).items() if at < length)
        table = torch.tensor(found, dtype=torch.long, device=device).view(-1, 2)
        return table[:, 0], table[:, 1]


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


def _is_settled(kind: str, step: dict, before: dict | None, eos: int | None) -> bool:
    """Whether nothing is left to decide in any row, up to its end of text: see ``SamplingParams.early_exit``."""
    if kind == "off" or (kind == "patience" and before is None):
        return False
    ids = step["token_ids"]
    ends = (ids == eos).long() if eos is not None else torch.zeros_like(ids)
    counts = ends.cumsum(-1) - ends == 0                                                  # (B, L), the end itself included
    if kind == "entropy":
        return not bool(((step["entropy"] > CERTAIN) & counts).any())
    moved = (step["confidence"] - before["confidence"]).abs() > STILL
    return not bool(((step["changed"] | moved) & counts).any())


def _describe(prediction: Prediction, previous: Tensor | None, pinned: Tensor) -> dict:
    """Tokens, candidates, confidence, entropy and shares of one prediction. pinned: positions (N,)."""
    log_p = log_probs(prediction.logits)
    together = log_p.topk(CANDIDATES)                                   # (B, L, 3)
    best, token_ids = together.values[..., 0], together.indices[..., 0]
    tops = {name: part.topk(SUPPORT) for name, part in prediction.parts.items()}
    given = torch.zeros(token_ids.shape[1], dtype=torch.bool, device=token_ids.device)
    given[pinned] = True
    return {
        "token_ids": token_ids, "rival_ids": together.indices[..., 1], "confidence": best.exp(), "entropy": entropy(log_p),
        "changed": torch.zeros_like(token_ids, dtype=torch.bool) if previous is None else token_ids != previous,
        "share": shares(prediction, token_ids) if prediction.parts else {}, "weight": prediction.weights, "pinned": given,
        "candidates": {TOGETHER: (together.values, together.indices),
                       **{name: (t.values[..., :CANDIDATES], t.indices[..., :CANDIDATES]) for name, t in tops.items()}},
        "disagreement": disagreement(prediction, [top.indices for top in tops.values()])}
