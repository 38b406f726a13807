"""Tokens that are given by a visitor, by block and position."""

from collections.abc import Iterable

import torch
from torch import Tensor

from .simplex import FLOOR, clean


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
