"""Texts that one LM reads as rows of one pass, each with its own adapter, and the keys and values of what it has read.

Every row begins at column 0, so a token's position is its column and rows of different lengths need no padding: each pass
writes where each row goes on. Rows join and leave between passes; what they have read moves with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicLayer

from .context import blocked
from .drafts import given, places_of
from .lora import GatedLora

LAYERS = ("full_attention", "sliding_attention")        # kinds of layers that ``masks`` knows
ROOM = 128                      # columns that a shelf grows by
TOGETHER = 32                   # tokens up to which rows are read together, whatever each of them needs


class Shelf(Cache):
    """Keys and values (rows, columns, heads, size) of some rows by layer; a pass of transformers writes and reads them."""

    def __init__(self, count: int):
        super().__init__(layer_class_to_replicate=DynamicLayer)
        self.count, self.buffers = count, []
        self.into = self.width = None

    def open(self, columns: Tensor, width: int) -> None:
        """Let the next pass write its tokens to columns (B, N), and see the first ``width``."""
        if self.buffers and self.buffers[0][0].shape[1] < width:
            self.buffers = [tuple(longer(each, width + ROOM) for each in layer) for layer in self.buffers]
        self.into, self.width = columns, width

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args, **kwargs) -> tuple[Tensor, Tensor]:
        """Put new keys and values (B, heads, N, size) where they belong. -> all that the pass sees, (B, heads, width, size)."""
        if layer_idx == len(self.buffers):                              # zeros, for NaN hides behind no mask
            self.buffers.append(tuple(new.new_zeros(self.count, self.width + ROOM, new.shape[1], new.shape[3])
                                      for new in (key_states, value_states)))
        seen = []
        for buffer, new in zip(self.buffers[layer_idx], (key_states, value_states), strict=True):
            first = torch.arange(self.count, device=new.device).unsqueeze(-1) * buffer.shape[1]
            flat = (first + self.into.to(new.device)).flatten()
            buffer.flatten(0, 1).index_copy_(0, flat, new.transpose(1, 2).flatten(0, 1))
            seen.append(buffer[:, :self.width].transpose(1, 2))
        return tuple(seen)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Positions are always given, so there is nothing that this would be added to."""
        return 0


def longer(buffer: Tensor, columns: int) -> Tensor:
    """The same with more columns."""
    return torch.nn.functional.pad(buffer, (0, 0, 0, 0, 0, columns - buffer.shape[1]))


@dataclass(eq=False)
class Row:
    """A context with an adapter or none. read: tokens whose keys and values lie in row ``index`` of ``shelf``."""

    context: list[int]
    adapter: str | None
    read: list[int] = field(default_factory=list)
    shelf: Shelf | None = None
    index: int = 0

    def known(self, text: Sequence[int]) -> int:
        """How many leading tokens of a text it has read."""
        return next((i for i, (one, other) in enumerate(zip(self.read, text, strict=False)) if one != other),
                    min(len(self.read), len(text)))


@dataclass
class Ask:
    """A row, the text that it is to read, and at how many of the last tokens its predictions are wanted.

    sees: how many leading tokens of the text each of them sees; None: those before it and itself (causal). kept: leading tokens
    whose keys and values stay as they are, although what these tokens see has changed; none where one of them is new itself.
    rest: tokens that are new to it, that see something new, or whose predictions are wanted.
    """

    row: Row
    text: list[int]
    wanted: int
    sees: list[int] | None = None
    kept: int = 0

    def __post_init__(self):
        known = self.row.known(self.text)
        if self.kept:
            known = self.kept = self.kept if known >= self.kept else 0
        while self.sees and known > self.kept and self.sees[known - 1] > known:
            known -= 1
        self.rest = len(self.text) - min(known, len(self.text) - self.wanted)


@torch.no_grad()
def read(lm: nn.Module, asks: list[Ask]) -> list[Tensor]:
    """Logits (wanted, V) after the last tokens of each text, in as few passes as do not make short rows wait for long ones."""
    found: dict[int, Tensor] = {}
    for group in grouped(asks):
        logits = one_pass(lm, group)
        found |= {id(ask): row[-ask.wanted:] for ask, row in zip(group, logits, strict=True)}
    return [found[id(ask)] for ask in asks]


def grouped(asks: list[Ask]) -> list[list[Ask]]:
    """Those that a pass should take: none of them has to read far more than another, and none reads what it is to keep."""
    groups: list[list[Ask]] = []
    for ask in sorted(asks, key=lambda ask: (bool(ask.kept), ask.rest)):
        group = groups[-1] if groups else None
        alike = group and bool(ask.kept) == bool(group[0].kept) and (not ask.kept or ask.rest == group[0].rest)
        if alike and ask.rest <= max(TOGETHER, 2 * group[0].rest):
            group.append(ask)
        else:
            groups.append([ask])
    place = {id(ask): i for i, ask in enumerate(asks)}                  # an adapter has neighbouring rows
    return [sorted(group, key=lambda ask: (ask.row.adapter or "", place[id(ask)])) for group in groups]


def one_pass(lm: nn.Module, asks: list[Ask]) -> Tensor:
    """Logits (B, most that is wanted, V)."""
    count, wanted = max(ask.rest for ask in asks), max(ask.wanted for ask in asks)
    shelf, width = shelf_of([ask.row for ask in asks]), max(len(ask.text) for ask in asks)
    # a text that is shorter than what the pass reads begins several times at its first token
    at = [[max(i, 0) for i in range(len(ask.text) - count, len(ask.text))] for ask in asks]
    columns = torch.tensor(at, device=lm.device)                                                       # (B, N)
    ids = torch.tensor([[ask.text[i] for i in each] for ask, each in zip(asks, at, strict=True)])
    places = places_of(ids)                                             # found before the ids are on a device: nothing waits
    new, places = ids.to(lm.device), None if places is None else places.to(lm.device)
    for ask, each in zip(asks, at, strict=True):                        # should the pass fail, only this is certain
        ask.row.read = ask.row.read[:each[0]]
    shelf.open(columns, width)
    sees = columns + 1 if asks[0].sees is None else torch.tensor(
        [[ask.sees[i] for i in each] for ask, each in zip(asks, at, strict=True)], device=lm.device)
    with GatedLora.rows(lm, [ask.row.adapter for ask in asks], places):
        out = lm(**given(lm, new, places), attention_mask=masks(lm.config.get_text_config(), columns, sees, width, lm.dtype),
                 position_ids=columns, past_key_values=shelf, use_cache=True, logits_to_keep=wanted)
    for ask in asks:
        ask.row.read = ask.text
    return out.logits


def shelf_of(rows: list[Row]) -> Shelf:
    """The shelf of exactly these rows in this order: the one they lie on, or a new one with what each has read."""
    shelf = rows[0].shelf
    in_place = all(row.shelf is shelf and row.index == i for i, row in enumerate(rows))
    if shelf is not None and in_place and shelf.count == len(rows):
        return shelf
    shelf, columns = Shelf(len(rows)), max(len(row.read) for row in rows) + ROOM
    kept = [row.shelf.buffers if row.read else [] for row in rows]
    for layer in range(max(map(len, kept))):
        like = next(buffers[layer] for buffers in kept if buffers)
        pair = tuple(each.new_zeros(len(rows), columns, *each.shape[2:]) for each in like)
        for i, (row, buffers) in enumerate(zip(rows, kept, strict=True)):
            for new, old in zip(pair, buffers[layer] if buffers else (), strict=False):
                new[i, :len(row.read)] = old[row.index, :len(row.read)]
        shelf.buffers.append(pair)
    for i, row in enumerate(rows):
        row.shelf, row.index = shelf, i
    return shelf


def masks(config, columns: Tensor, sees: Tensor, width: int, dtype: torch.dtype) -> Tensor | dict[str, Tensor]:
    """What the tokens at columns (B, N) of each row see of its first ``width``, the first ``sees`` (B, N); (B, 1, N, width).

    By kind of layer where an LM has several: those with a sliding window see so many tokens, themselves included.
    """
    column = torch.arange(width, device=columns.device)
    seen = column < sees.unsqueeze(-1)                                                                 # (B, N, width)
    window, kinds = getattr(config, "sliding_window", None), set(getattr(config, "layer_types", None) or ())
    whole = blocked(seen, dtype)
    if window is None or kinds == {"full_attention"}:
        return whole
    near = blocked(seen & ((columns.unsqueeze(-1) - column).abs() < window), dtype)
    return dict(zip(LAYERS, (whole, near), strict=True)) if kinds else near
