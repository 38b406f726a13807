"""Batches for the denoising losses: rows of clean tokens with noisy blocks beside them. Knows nothing of where they come from.

A row is [clean tokens | block 1 | block 2 ...]. How a recipe lays one out, it says by a group, a segment and a position for
each token: a position sees what is of its own group or of group 0, and in the same or an earlier segment.
"""

import random
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .tokenizer import ASSISTANT, DOCUMENT, EOS, PAD, USER

NOISY = 10_000                  # segment number of the compact experts' blocks: after every clean segment
PAST_END_WEIGHT = 0.1           # of the end-of-text tokens that fill up the last block


@dataclass
class Batch:
    """Clean tokens (B, C), noisy targets (B, N) with N = questions x L, and what the mask needs for both (B, C + N)."""

    clean: Tensor
    targets: Tensor
    loss_weight: Tensor
    group: Tensor
    segment: Tensor
    position: Tensor
    block_length: int

    def mask(self) -> Tensor:
        """Who sees whom, (B, C + N, C + N) booleans. Group -1 is padding, group 0 the document that all questions share."""
        group, segment = self.group, self.segment
        same = (group.unsqueeze(1) == group.unsqueeze(2)) | (group.unsqueeze(1) == 0)
        allowed = same & (segment.unsqueeze(1) <= segment.unsqueeze(2)) & (group >= 0).unsqueeze(1)
        return allowed | torch.eye(group.shape[1], dtype=torch.bool, device=group.device)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on ``device``."""
        moved = {f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name != "block_length"}
        return Batch(**moved, block_length=self.block_length)


@dataclass(frozen=True)
class Layout:
    """One row: clean (C, 4) and noisy (N, 4), each token's id, group, segment and position; weight (N,) of each noisy one."""

    clean: Tensor
    noisy: Tensor
    weight: Tensor


def make_batch(rows: list[Layout], L: int, eos: int = EOS, pad: int = PAD) -> Batch:
    """Rows side by side, padded. eos, pad: tokens where a row has no block, and where it has no clean token."""
    C, N = max(len(row.clean) for row in rows), max(L, *(len(row.noisy) for row in rows))
    table, weight = torch.zeros((4, len(rows), C + N), dtype=torch.long), torch.zeros((len(rows), N))
    table[0, :, :C], table[0, :, C:], table[1] = pad, eos, -1
    for b, row in enumerate(rows):
        table[:, b, :len(row.clean)], table[:, b, C:C + len(row.noisy)] = row.clean.T, row.noisy.T
        weight[b, :len(row.noisy)] = row.weight
    token, group, segment, position = table
    return Batch(token[:, :C].contiguous(), token[:, C:].contiguous(), weight, group, segment, position, L)


@dataclass(frozen=True)
class Item:
    """Token ids of one question and of its answer, without special tokens; earlier turns as (question, answer) pairs."""

    question: list[int]
    answer: list[int]
    history: tuple[tuple[list[int], list[int]], ...] = ()


@dataclass(frozen=True)
class Row:
    """A document (may be empty) and the items asked about it."""

    document: list[int]
    items: list[Item]

    def __len__(self) -> int:
        return len(self.document) + sum(len(i.question) + 2 for i in self.items)


def lay_out(row: Row, L: int, rng: random.Random) -> Layout:
    """[document | question 1 | question 2 ... | block 1 | block 2 ...]: the document is encoded once for all of its questions.

    Every question sees the document and itself, every block its own question and the document, nothing sees a neighbour. An
    answer longer than L trains on one block of it, drawn at random.
    """
    clean, noisy, weight = [], [], []
    document = [DOCUMENT, *row.document] if row.document else []
    clean += [(token, 0, 1, p) for p, token in enumerate(document)]
    for number, item in enumerate(row.items, start=1):
        position, segment = len(document), 1
        parts = []
        for question, answer in item.history:
            parts += [[USER, *question], [ASSISTANT, *answer, EOS]]
        parts += [[USER, *item.question], [ASSISTANT]]
        target = [*item.answer, EOS]
        which = rng.randrange((len(target) + L - 1) // L)
        parts += [target[k * L:(k + 1) * L] for k in range(which)]
        for part in parts:
            segment += 1
            clean += [(token, number, segment, position + p) for p, token in enumerate(part)]
            position += len(part)
        block = target[which * L:(which + 1) * L]
        weight += [1.0] * len(block) + [PAST_END_WEIGHT] * (L - len(block))
        noisy += [(token, number, NOISY, position + p) for p, token in enumerate(block + [EOS] * (L - len(block)))]
    return Layout(torch.tensor(clean).view(-1, 4), torch.tensor(noisy).view(-1, 4), torch.tensor(weight))
