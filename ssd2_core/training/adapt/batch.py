"""Long sequences for adapted models: clean tokens on the left, every block of the learnt part as a noisy copy beside them.

Clean tokens see what stands before them, as the base always read; a noisy block sees all clean tokens before it and itself in
both directions. So every block of a sequence is trained at once.
"""

from dataclasses import dataclass

import torch

from ..batch import PAST_END_WEIGHT, Layout


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


def lay_out(sequence: Sequence, L: int, eos: int) -> Layout:
    """[clean tokens | block 1 | block 2 ...]. Raises ValueError where nothing is learnt or nothing stands before it."""
    if not 0 < sequence.start < len(sequence.ids):
        raise ValueError("a sequence needs a clean token before its learnt part, and a learnt part.")
    blocks = blocks_of(sequence, L, eos)
    clean = torch.tensor(sequence.ids[:blocks[-1][0] if blocks else sequence.start])
    order = torch.arange(len(clean))
    targets = torch.tensor([token for _, ids, _ in blocks for token in ids], dtype=torch.long)
    at = torch.arange(len(targets))
    noisy = torch.stack([targets, at // L + 1, 2 * (sequence.start + at - at % L) - 1, sequence.start + at], -1)
    return Layout(torch.stack([clean, torch.zeros_like(order), 2 * order, order], -1), noisy,
                  torch.tensor([one for _, _, weights in blocks for one in weights]))
