"""Which positions of a block settle, and when nothing is left to decide in it."""

import torch
from torch import Tensor

from ..config import SamplingParams
from .step import BlockState

PATIENCE, STILL = 3, 0.05       # steps without a change, and how far a confidence may move in each
CERTAIN = 0.1                   # nats: an entropy below is no doubt; also how much doubt may settle in one step
SURE = 0.9                      # a probability from which on a position settles


def settle(after: BlockState, rule: str) -> Tensor:
    """The positions that have their token from now on (B, L): the surest of those that are open.

    "count": as many as leave an equal number for each step to come (LLaDA). "confidence": also all with a probability of SURE.
    "entropy": also all as long as the entropies of the surer ones add up to CERTAIN at most (DiffusionGemma).
    """
    left = after.num_steps - after.step + 1                                               # steps to come
    surest = after.entropy if rule == "entropy" else -after.confidence
    doubt, order = surest.masked_fill(after.settled, torch.inf).sort(-1)                  # settled ones stand last
    rank = order.argsort(-1)
    quota = ((~after.settled).sum(-1, keepdim=True) / (left + 1)).ceil()                  # (B, 1), at least one of those open
    newly = rank < quota
    if rule == "confidence":
        newly = newly | (after.confidence >= SURE)
    if rule == "entropy":
        newly = newly | ((doubt.cumsum(-1) - doubt) <= CERTAIN).gather(-1, rank)
    return after.settled | newly


def is_unchanged(before: BlockState, after: BlockState, eos: int | None) -> bool:
    """Whether no token and hardly a confidence has moved in any row, up to its end of text."""
    if before.token_ids is None:
        return False
    moved = (after.token_ids != before.token_ids) | ((after.confidence - before.confidence).abs() > STILL)
    return not bool((moved & is_text(after.token_ids, eos)).any())


def has_converged(after: BlockState, params: SamplingParams, eos: int | None) -> bool:
    """Whether nothing is left to decide: see ``SamplingParams.early_exit``."""
    if params.early_exit == "entropy":
        return not bool(((after.entropy > CERTAIN) & is_text(after.token_ids, eos)).any())
    return params.early_exit == "patience" and after.unchanged_steps >= PATIENCE


def is_text(token_ids: Tensor, eos: int | None) -> Tensor:
    """Positions up to the first EOS, itself included, (B, L)."""
    ends = (token_ids == eos).long() if eos is not None else torch.zeros_like(token_ids)
    return ends.cumsum(-1) - ends == 0
