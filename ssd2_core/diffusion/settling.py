"""Which positions of a block settle, and when nothing is left to decide in it.

How many settle in a step, by schedule (M masks left, step j of s from 0):
"even": ceil(M / (s - j)), so the first steps take what does not divide (LLaDA). "block": the same as if the block held nothing
but masks at first, whatever stands in it (SDAR). "linear": what a linear noise schedule
leaves, rounded half to even after fp32 arithmetic (dllm). "dream": the same from time 1 to EPSILON, rounded down, all that is
left in the last step.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..config import SamplingParams
from .step import BlockState

PATIENCE, STILL = 3, 0.05       # steps without a change, and how far a confidence may move in each
DOUBT = 0.1                     # nats: an entropy below is no doubt; also how much doubt may settle in one step
EPSILON = 1e-3                  # time of the last step in Dream's schedule


def settle(after: BlockState, rule: str, threshold: float) -> Tensor:
    """The positions that have their token from now on (B, L): the surest of those that are open.

    "count": as many as leave an equal number for each step to come (LLaDA). "confidence": also all with a probability of
    ``threshold`` (Fast-dLLM).
    "entropy": also all as long as the entropies of the surer ones add up to DOUBT at most (DiffusionGemma).
    """
    count = quota((~after.settled).sum(-1), after.step - 2, after.num_steps)
    surest = -after.entropy if rule == "entropy" else after.confidence
    return after.settled | chosen(surest, after.confidence, after.entropy, after.settled, count, rule, threshold)


def chosen(surest: Tensor, confidence: Tensor, doubt: Tensor, settled: Tensor, count: Tensor, rule: str, threshold: float,
           bound: float = DOUBT) -> Tensor:
    """The open positions (B, W) that settle now: the ``count`` (B,) surest, and more as the rule says, see ``settle``.

    surest, confidence (probability), doubt (entropy in nats), settled: all (B, W). bound: of the rule by entropy.
    """
    order = (-surest).masked_fill(settled, torch.inf).sort(dim=-1, stable=True).indices   # settled ones stand last
    rank = order.argsort(-1)
    newly = rank < count.unsqueeze(-1)
    if rule == "confidence":
        newly = newly | (confidence >= threshold)
    if rule == "entropy":
        doubts = doubt.masked_fill(settled, torch.inf).sort(-1)
        newly = newly | ((doubts.values.cumsum(-1) - doubts.values) <= bound).gather(-1, doubts.indices.argsort(-1))
    return newly & ~settled


def quota(masks: Tensor, done: int, steps: int, schedule: str = "even", length: int = 0) -> Tensor:
    """How many of ``masks`` (B,) settle in the step after ``done`` of ``steps``; all of them in the last. -> (B,).

    length: of a whole block, for the schedule of that name.
    """
    left = steps - done
    if left <= 1:
        return masks
    if schedule == "linear":
        time, later = (torch.tensor(value, dtype=torch.float32) for value in (left / steps, (left - 1) / steps))
        stays = (1 - (1 - later)) / (1 - (1 - time))
        return (masks.double() * (1 - stays.double())).round().long().minimum(masks)
    if schedule == "dream":
        times = torch.linspace(1, EPSILON, steps + 1)
        return (masks.float() * (1 - times[done + 1] / times[done]).to(masks.device)).long()
    if schedule == "block":
        return masks.clamp_max(length // steps + (done < length % steps))
    return -(-masks // left)


def is_unchanged(before: BlockState, after: BlockState, ends: Sequence[int]) -> bool:
    """Whether no token and hardly a confidence has moved in any row, up to its end of text."""
    if before.token_ids is None:
        return False
    moved = (after.token_ids != before.token_ids) | ((after.confidence - before.confidence).abs() > STILL)
    return not bool((moved & is_text(after.token_ids, ends)).any())


def has_converged(after: BlockState, params: SamplingParams, ends: Sequence[int]) -> bool:
    """Whether nothing is left to decide: see ``SamplingParams.early_exit``."""
    if params.early_exit == "entropy":
        return not bool(((after.entropy > DOUBT) & is_text(after.token_ids, ends)).any())
    return params.early_exit == "patience" and after.unchanged_steps >= PATIENCE


def is_text(token_ids: Tensor, ends: Sequence[int]) -> Tensor:
    """Positions up to the first end of text, itself included, (B, L)."""
    found = is_end(token_ids, ends).long()
    return found.cumsum(-1) - found == 0


def is_end(token_ids: Tensor, ends: Sequence[int]) -> Tensor:
    """Where an answer ends, (B, L). ends: ids that do."""
    found = torch.zeros_like(token_ids, dtype=torch.bool)
    for end in ends:
        found = found | (token_ids == end)
    return found
