"""Tokens that are given by a visitor, by block and position."""

from collections.abc import Iterable

import torch
from torch import Tensor

from .simplex import FLOOR, clean


class Pins:
    """Tokens that are given, by block and position; they may be put while a generation runs."""

    def __init__(self):
        self._at: dict[int, dict[int, int]] = {}
        self._forbidden: dict[int, dict[int, Tensor]] = {}

    def put(self, block: int, position: int, token_ids: Iterable[int]) -> None:
        """Give tokens from a position on."""
        self._at.setdefault(block, {}).update(enumerate(token_ids, position))

    def forbid(self, block: int, position: int, token_ids: Tensor) -> None:
        """None of these tokens (N,) at this position, as the end of text where more is given behind it."""
        self._forbidden.setdefault(block, {})[position] = token_ids

    def apply(self, block: int, logits: Tensor, at: Tensor, given: Tensor, window: slice = slice(None)) -> None:
        """Write what is given, and what cannot be, into a window's logits (B, W, V), in place. at, given: of ``of``."""
        first, last = window.start or 0, (window.start or 0) + logits.shape[1]
        for one, token_ids in self._forbidden.get(block, {}).items():
            if first <= one < last:
                logits[:, one - first, token_ids.to(logits.device)] = FLOOR
        inside = (at >= first) & (at < last)
        fixed = clean(given[inside], logits.shape[-1], -FLOOR / 2) + FLOOR / 2           # 0 at the given token, FLOOR elsewhere
        logits[:, at[inside] - first] = fixed.to(logits)

    def of(self, block: int, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Positions and ids of the given tokens within a block of this length, both (N,)."""
        return _table(self._at.get(block, {}).items(), length, device)

    def of_all(self, block_length: int, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """The same of all blocks, as positions within the whole answer of ``length``."""
        return _table(((block * block_length + at, token) for block, found in self._at.items() for at, token in found.items()),
                      length, device)


def _table(given: Iterable[tuple[int, int]], length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(position, id) pairs below ``length`` in order, as two tensors (N,)."""
    table = torch.tensor(sorted(pair for pair in given if pair[0] < length), dtype=torch.long, device=device).view(-1, 2)
    return table[:, 0], table[:, 1]
