"""Long sequences for adapted models: clean tokens on the left, every block of the learnt part as a noisy copy beside them.

A row is [clean tokens | block 1 | block 2 ...]. Clean tokens see what stands before them, as the base always read; a noisy
block sees all clean tokens before it and itself in both directions. So every block of a sequence is trained at once.
"""

from dataclasses import dataclass

import torch

from ..batch import Batch

PAST_END_WEIGHT = 0.1           # of the end-of-text tokens that fill up the last block


@dataclass(frozen=True)
class Sequence:
    """Token ids, of which those from ``start`` on are learnt. ends: the text ends there, and is filled up with end-of-text."""

    ids: list[int]
    start: int
    ends: bool = True


def blocks_of(sequence: Sequence, L: int, eos: int) -> list[tuple[int, list[int], list[float]]]:
    """(start, L target ids, L loss weights) of each block; a text that goes on loses an unfinished last block."""
    out = []
    for start in range(sequence.start, len(sequence.ids), L):
        ids = sequence.ids[start:start + L]
        missing = L - len(ids)
        if missing and not sequence.ends:
            break
        out.append((start, ids + [eos] * missing, [1.0] * len(ids) + [PAST_END_WEIGHT] * missing))
    return out


def make_batch(sequences: list[Sequence], L: int, eos: int, pad: int) -> Batch:
    """Lay sequences out side by side, padded. Every sequence has at least one clean token before its learnt part."""
    if any(not 0 < s.start < len(s.ids) for s in sequences):
        raise ValueError("a sequence needs a clean token before its learnt part, and a learnt part.")
    laid = [blocks_of(s, L, eos) for s in sequences]
    C = max(max((start for start, _, _ in blocks), default=1) for blocks in laid)
    Q = max(1, max(len(blocks) for blocks in laid))
    B, N = len(sequences), Q * L
    clean, targets, weight = torch.full((B, C), pad), torch.full((B, N), eos), torch.zeros((B, N))
    group, segment, position = (torch.full((B, C + N), value, dtype=torch.long) for value in (-1, 0, 0))
    for b, (sequence, blocks) in enumerate(zip(sequences, laid, strict=True)):
        length = min(C, len(sequence.ids))
        clean[b, :length] = torch.tensor(sequence.ids[:length])
        group[b, :length], segment[b, :length] = 0, 2 * torch.arange(length)
        position[b, :length] = torch.arange(length)
        if not blocks:
            continue
        at = torch.arange(len(blocks) * L)
        learnt, here, noisy = sequence.start + at, slice(0, len(at)), slice(C, C + len(at))
        targets[b, here] = torch.tensor([token for _, ids, _ in blocks for token in ids])
        weight[b, here] = torch.tensor([one for _, _, weights in blocks for one in weights])
        group[b, noisy], position[b, noisy] = at // L + 1, learnt
        segment[b, noisy] = 2 * (learnt - at % L) - 1
    return Batch(clean, targets, weight, group, segment, position, L)
