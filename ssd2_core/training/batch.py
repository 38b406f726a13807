"""Many questions about one document in one row, each with its own noisy block. Knows nothing of where the data comes from.

A row is [document | question 1 | question 2 ... | block 1 | block 2 ...]. Every question sees the document and itself, every
block sees its own question and the document, nothing sees a neighbour: the document is encoded once for all of its questions.
The attention rule is the one of ``model.py`` ("segments"): a position sees what stands in the same or an earlier segment.
"""

import random
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .tokenizer import ASSISTANT, DOCUMENT, EOS, PAD, USER

NOISY = 10_000                 # segment number of noisy blocks: after every clean segment


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


def make_batch(rows: list[Row], L: int, rng: random.Random) -> Batch:
    """Lay rows out side by side, padded. An answer longer than L trains on one block of it, drawn at random."""
    laid = [_lay_row(row, L, rng) for row in rows]
    C = max(len(clean) for clean, _ in laid)
    Q = max(len(blocks) for _, blocks in laid)
    B, N = len(rows), Q * L
    out = {name: torch.zeros((B, C + N), dtype=torch.long) for name in ("group", "segment", "position")}
    out["group"].fill_(-1)
    ids, targets, weight = torch.full((B, C), PAD), torch.full((B, N), EOS), torch.zeros((B, N))
    for b, (clean, blocks) in enumerate(laid):
        if clean:
            table = torch.tensor(clean).T                                        # token, group, segment, position
            ids[b, :len(clean)] = table[0]
            for k, name in enumerate(("group", "segment", "position")):
                out[name][b, :len(clean)] = table[k + 1]
        for q, (group, start, target) in enumerate(blocks):
            here = slice(q * L, (q + 1) * L)
            end = len(target) if len(target) < L else L
            targets[b, here] = torch.tensor((target + [EOS] * L)[:L])
            weight[b, here] = torch.tensor([1.0] * end + [0.1] * (L - end))
            noisy = slice(C + q * L, C + (q + 1) * L)
            out["group"][b, noisy], out["segment"][b, noisy] = group, NOISY
            out["position"][b, noisy] = torch.arange(start, start + L)
    return Batch(ids, targets, weight, block_length=L, **out)


def _lay_row(row: Row, L: int, rng: random.Random) -> tuple[list[tuple[int, int, int, int]], list[tuple[int, int, list[int]]]]:
    """Clean positions as (token, group, segment, position) and blocks as (group, first position, target ids)."""
    clean, blocks = [], []
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
        blocks.append((number, position, target[which * L:(which + 1) * L]))
    return clean, blocks
