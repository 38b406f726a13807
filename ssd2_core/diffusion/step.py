"""What a step starts from, what is predicted, and what it decided: plain data with tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from .simplex import alpha_bar


@dataclass
class BlockState:
    """All that is known of a block before a step; nothing is remembered elsewhere.

    x_t: noisy logits (B, L, V), overwritten when the step after the next is made; spare: where the next one is written.
    For denoisers that read tokens: the noise that samples are drawn with, the same in all steps; empty for the greedy choice.
    u: time of each position (B, L), 1 for pure noise and 0 for none. settled: has its token from here on (B, L). step: from 1
    to num_steps, so t = num_steps - step + 1. Of the step before, None before the first: previous: fused logits (B, L, V), for
    self-conditioning; token_ids: latest estimate, its confidence (probability) and the entropy in nats there, all (B, L);
    chosen: what was projected, see ``simplex.choose``. unchanged_steps: in which nothing has moved, (B,) by row where rows end
    alone. window: positions that are predicted, all but for denoisers that read tokens (``on_tokens``). mask_token_id: what
    stands for a position that is not settled where a denoiser reads masks; None where none does. given: positions (B, L) whose
    token a visitor gave. noisy_ids: what a uniform denoiser reads, (B, L). over: rows (B,) with nothing left to decide though
    not all is settled. block_length: of the blocks to come; the first one may be shorter. blank: positions (B, L) without an
    estimate, where a denoiser of tokens reads a draft mask; None where it has none.
    """

    x_t: Tensor
    spare: Tensor
    u: Tensor
    settled: Tensor
    step: int
    num_steps: int
    previous: Tensor | None = None
    token_ids: Tensor | None = None
    confidence: Tensor | None = None
    entropy: Tensor | None = None
    chosen: Tensor | None = None
    unchanged_steps: int | Tensor = 0
    window: slice = field(default_factory=lambda: slice(None))
    on_tokens: bool = False
    mask_token_id: int | None = None
    given: Tensor | None = None
    noisy_ids: Tensor | None = None
    over: Tensor | None = None
    block_length: int = 0
    blank: Tensor | None = None

    @property
    def time(self) -> float:
        """t/T of the schedule."""
        return (self.num_steps - self.step + 1) / self.num_steps


@dataclass
class Prediction:
    """What a denoiser says about the clean block.

    logits: (B, L, V). parts: log-probabilities (B, L, V) by expert; none for a single network. weights: (B, L), their sum is 1.
    """

    logits: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)


class Denoiser(Protocol):
    """Anything that predicts a clean block: a bound expert, an ensemble.

    reads: "simplex" for x_t, "tokens" for the latest estimates, "masks" or "uniform" for settled tokens and mask_token_id or
    random tokens elsewhere. ends: ids that end an answer; the first stands behind an end, too. canvas: whether it reads the
    whole answer at once. bare: the same without documents. own: settings of its own sampler: SamplingParams for those that are
    "own", and others. draft_masks: how many positions it can guess beyond the first unknown one, see ``models.drafts``; 0 for
    none. Those that have a ``network`` in common have ``together(questions)``, one pass for all: ``ensemble.ask_together``.
    """

    reads: str
    vocab_size: int
    ends: Sequence[int]
    simplex_value: float
    device: torch.device
    batch_size: int
    bare: "Denoiser | None"
    canvas: bool
    mask_token_id: int | None
    own: Mapping[str, object]
    draft_masks: int

    def lead(self, length: int) -> int:
        """Positions of the first of blocks of a length that the end of the prompt takes, where they are counted from there."""

    def __call__(self, ids: Tensor, state: BlockState) -> Prediction:
        """ids so far (B, R) and the block -> logits (B, L, V) of its window, parts by expert."""


@dataclass
class Step:
    """One denoising step of one block: from ``state`` by way of ``prediction`` to ``after``.

    block: from 0. ids: tokens before this block (B, R). changed: the token differs from the step before (B, L). pinned: tokens
    that were given (L,). finished: the last step of the block, maybe an early one. ended: rows (B,) that have an EOS by then.
    The x_t of ``state`` stands until the next step is made.
    """

    block: int
    ids: Tensor
    state: BlockState
    prediction: Prediction
    after: BlockState
    changed: Tensor
    pinned: Tensor
    finished: bool
    ended: Tensor

    @property
    def step(self) -> int:
        """From 1 to num_steps."""
        return self.state.step

    @property
    def token_ids(self) -> Tensor:
        """Best candidates (B, L)."""
        return self.after.token_ids

    @property
    def alpha_bar(self) -> float:
        """Cumulative signal of what the networks saw, over all positions."""
        return float(alpha_bar(self.state.u.double()).mean())
