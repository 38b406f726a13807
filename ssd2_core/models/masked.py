"""Masked diffusion LMs as denoisers: LLaDA, Dream, A2D and ModernBERT-chat, each on the network that transformers has.

A position of the block that is not settled reads the mask token. What a token sees (``MaskedConfig.blocks``): everything, the
masks of the whole answer included, so that each step reads the whole text again; or its own and earlier blocks, whose keys and
values are kept. Sources: the public code of these models, named in docs/models.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from ..diffusion.step import BlockState
from .causal_rows import Ask, Row
from .context import blocked
from .language_model import LanguageExpert, LanguageModel
from .next_token import NextTokenConfig


@dataclass(kw_only=True)
class MaskedConfig(NextTokenConfig):
    """NextTokenConfig, and how a masked network reads.

    mask_token_id, pad_token_id: the latter is not read where it stands in finished blocks. blocks: whether a token sees its own
    and earlier blocks only. from_prompt: whether these are counted from the beginning of the prompt, so that its end is part of
    the first block of the answer (SDAR), and not from where the answer begins. shift: whether the prediction of a position is
    read one before it (Dream). caches: whether the network keeps keys and values; an encoder does not. own: SamplingParams of
    its public sampler. keeps_prefix: whether a canvas is read from its window on alone, once all of it was read at the window's
    first step. What stands before keeps the keys and values of that step: an approximation (Fast-dLLM, arXiv 2505.22618).
    """

    mask_token_id: int
    pad_token_id: int | None = None
    blocks: bool = False
    from_prompt: bool = False
    shift: bool = False
    caches: bool = True
    own: Mapping[str, str] = field(default_factory=dict)
    keeps_prefix: bool = False


class MaskedExpert(LanguageExpert):
    """Rows of a masked model as a Denoiser that reads masks."""

    reads = "masks"

    def __init__(self, model: "MaskedModel", rows: list[Row], bare: "MaskedExpert | None" = None):
        super().__init__(model, rows, bare)
        self.config: MaskedConfig = model.config
        self.mask_token_id, self.canvas, self.own = self.config.mask_token_id, not self.config.blocks, self.config.own
        self.keeps = self.canvas and self.config.caches and self.config.keeps_prefix
        if self.canvas and not self.keeps:
            self.read = partial(read_whole, is_decoder=self.config.caches)

    def asks(self, ids: Tensor, state: BlockState, wanted: int | None = None) -> list[Ask]:
        """Each row reads its context, finished blocks, and the block with its masks.

        wanted: at how many of the last tokens; all from the window on where it is None, and one more where predictions are
        shifted.
        """
        wanted = state.token_ids.shape[1] - state.window.start + self.config.shift if wanted is None else wanted
        block = state.token_ids.masked_fill(~state.settled, self.mask_token_id).tolist()
        texts = [(row, row.context, said, now) for row, said, now in zip(self.rows, ids.tolist(), block, strict=True)]
        if self.keeps:
            return [self.ask_from(row, [*context, *said, *now], wanted, len(now) - state.window.start)
                    for row, context, said, now in texts]
        if self.canvas:
            return [Ask(row, [*context, *said, *now], wanted) for row, context, said, now in texts]
        length = state.block_length
        return [self.ask_of_blocks(row, self.parts(context, said, now, length), wanted) for row, context, said, now in texts]

    def from_prompt(self, length: int) -> bool:
        """Whether blocks are counted from the beginning of the prompt: not where rows would differ."""
        return self.config.from_prompt and len({len(row.context) % length for row in self.rows}) == 1

    def lead(self, length: int) -> int:
        """How many tokens of the prompt stand behind its last whole block, and share theirs with the answer."""
        return len(self.rows[0].context) % length if self.from_prompt(length) else 0

    def parts(self, context: list[int], said: list[int], block: list[int], length: int) -> list[list[int]]:
        """A text in blocks, of which each sees itself and those before it."""
        pad = self.config.pad_token_id
        if self.from_prompt(length):
            text = [*context, *said, *block]
            return [text[at:at + length] for at in range(0, len(text), length)]
        first = len(context) % length
        done = [context[:first], *(context[at:at + length] for at in range(first, len(context), length))]
        done += [said[at:at + length] for at in range(0, len(said), length)]
        return [*filter(None, ([token for token in part if token != pad] for part in done)), block]

    @staticmethod
    def ask_from(row: Row, text: list[int], wanted: int, last: int) -> Ask:
        """What a row reads of a text that all its tokens see: the ``last`` tokens alone, if it has read what is before them."""
        return Ask(row, text, min(wanted, len(text)), [len(text)] * len(text), len(text) - last)

    @staticmethod
    def ask_of_blocks(row: Row, parts: list[list[int]], wanted: int) -> Ask:
        """What a row reads whose tokens see their own part and those before it."""
        text, sees = [token for part in parts for token in part], []
        for part in parts:
            sees += [len(sees) + len(part)] * len(part)
        return Ask(row, text, min(wanted, len(text)), sees)


class MaskedModel(LanguageModel):
    """A masked LM."""

    expert = MaskedExpert


@torch.no_grad()
def read_whole(lm: nn.Module, asks: Sequence[Ask], is_decoder: bool) -> list[Tensor]:
    """Logits (wanted, V) at the last tokens of each text, in a pass that sees all of it and keeps nothing.

    is_decoder: whether the network is a decoder's, which must be told that it sees what follows.
    """
    width, wanted = max(len(ask.text) for ask in asks), max(ask.wanted for ask in asks)
    ids = torch.tensor([[0] * (width - len(ask.text)) + ask.text for ask in asks], device=lm.device)             # (B, T)
    first = torch.tensor([width - len(ask.text) for ask in asks], device=lm.device).unsqueeze(-1)
    columns = torch.arange(width, device=lm.device).expand_as(ids)
    valid, positions = columns >= first, (columns - first).clamp_min(0)
    if is_decoder:
        logits = lm(input_ids=ids, attention_mask=blocked(valid.unsqueeze(1).expand(-1, width, -1), lm.dtype),
                    position_ids=positions, use_cache=False, logits_to_keep=wanted).logits
    else:
        logits = lm(input_ids=ids, attention_mask=valid.long(), position_ids=positions).logits
    return [row[-min(ask.wanted, len(ask.text)):] for row, ask in zip(logits, asks, strict=True)]
