"""Masked diffusion LMs as denoisers: LLaDA, Dream, A2D and ModernBERT-chat, each on the network that transformers has.

A position of the block that is not settled reads the mask token. What a token sees (``MaskedConfig.blocks``): everything, the
masks of the whole answer included, so that each step reads the whole text again; or its own and earlier blocks, whose keys and
values are kept. Sources: the public code of these models, named in docs/models.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..diffusion.step import BlockState, Denoiser, Prediction
from .causal_rows import Ask, Row, read
from .next_token import NextTokenConfig


@dataclass(kw_only=True)
class MaskedConfig(NextTokenConfig):
    """NextTokenConfig, and how a masked network reads.

    mask_token_id, pad_token_id: the latter is not read where it stands in finished blocks. blocks: whether a token sees its own
    and earlier blocks only. shift: whether the prediction of a position is read one before it (Dream). caches: whether the
    network keeps keys and values; an encoder does not. own: SamplingParams of its public sampler.
    """

    mask_token_id: int
    pad_token_id: int | None = None
    blocks: bool = False
    shift: bool = False
    caches: bool = True
    own: Mapping[str, str] = field(default_factory=dict)


class MaskedModel:
    """A masked LM. ``bind`` gives it a context and makes it a Denoiser. See NextTokenModel for the names they share."""

    def __init__(self, lm: nn.Module, config: MaskedConfig):
        self.lm, self.config, self.adapter = lm, config, None
        self.positions: int = getattr(lm.config, "max_position_embeddings", None) or config.max_context

    @property
    def device(self) -> torch.device:
        return self.lm.device

    @property
    def dtype(self) -> torch.dtype:
        return self.lm.dtype

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The LM's weights."""
        yield from self.lm.named_parameters()

    def bind(self, context_ids: list[int], bare_context_ids: list[int] | None = None) -> "MaskedExpert":
        """This network with one row's context, as a Denoiser; the bare context (no documents) serves contrast."""
        return self.bind_rows([context_ids], None if bare_context_ids is None else [bare_context_ids])

    def bind_rows(self, rows: list[list[int]], bare_rows: list[list[int]] | None = None) -> "MaskedExpert":
        """The network with B contexts of any lengths as one Denoiser over B rows; an empty one is read as token 0."""
        bare = None if bare_rows is None else self.bind_rows(bare_rows)
        return MaskedExpert(self, [Row(list(row) or [0], None) for row in rows], bare)


class MaskedExpert:
    """Rows of a masked model as a Denoiser that reads masks. bare: the same network without the documents."""

    reads = "masks"

    def __init__(self, model: MaskedModel, rows: list[Row], bare: "MaskedExpert | None" = None):
        self.model, self.rows, self.bare, self.config = model, rows, bare, model.config
        self.vocab_size, self.eos_token_id = model.config.vocab_size, model.config.eos_token_id
        self.mask_token_id, self.canvas = model.config.mask_token_id, not model.config.blocks
        self.simplex_value, self.device, self.own = model.config.simplex_value, model.device, model.config.own
        self.network, self.batch_size = model.lm, len(rows)

    def __call__(self, ids: Tensor, state: BlockState) -> Prediction:
        """ids so far (B, R) and the block -> logits (B, W, V) of its window."""
        return Prediction(self.together([(self, ids, state)])[self])

    @staticmethod
    def together(questions: Sequence[tuple["MaskedExpert", Tensor, BlockState]]) -> dict[Denoiser, Tensor]:
        """Logits (B, W, V) of experts over one LM, whatever answers they belong to: their rows share its passes."""
        asks, shift = [], questions[0][0].config.shift
        for expert, ids, state in questions:
            asks += expert.asks(ids, state, state.token_ids.shape[1] - state.window.start + shift)
        config = questions[0][0].config
        found = iter((read if config.caches else encode)(questions[0][0].network, asks))
        logits = {}
        for expert, ids, state in questions:
            rows = torch.stack([next(found)[:state.window.stop - state.window.start] for _ in expert.rows])
            logits[expert] = rows[..., :expert.vocab_size].to(ids.device)
        return logits

    def asks(self, ids: Tensor, state: BlockState, wanted: int) -> list[Ask]:
        """What each row reads: context, finished blocks and the block with its masks."""
        block = state.token_ids.masked_fill(~state.settled, self.mask_token_id).tolist()
        found = []
        for row, said, now in zip(self.rows, ids.tolist(), block, strict=True):
            parts = self.parts(row.context, said, now)
            text, ends = [token for part in parts for token in part], []
            for part in parts:
                ends += [len(ends) + len(part)] * len(part)
            found.append(Ask(row, text, min(wanted, len(text)), ends))
        return found

    def parts(self, context: list[int], said: list[int], block: list[int]) -> list[list[int]]:
        """A text in parts, of which each sees itself and those before it. Blocks of the context end where the answer begins."""
        if self.canvas:
            return [[*context, *said, *block]]
        length, pad = len(block), self.config.pad_token_id
        first = len(context) % length
        edges = range(first, len(context), length)
        done = [context[:first], *(context[at:at + length] for at in edges)]
        done += [said[at:at + length] for at in range(0, len(said), length)]
        return [*filter(None, ([token for token in part if token != pad] for part in done)), block]


@torch.no_grad()
def encode(lm: nn.Module, asks: list[Ask]) -> list[Tensor]:
    """Logits (wanted, V) at the last tokens of each text, of a network that keeps nothing and sees all."""
    lengths = torch.tensor([len(ask.text) for ask in asks], device=lm.device)
    width = int(lengths.max())
    ids = torch.tensor([ask.text + [0] * (width - len(ask.text)) for ask in asks], device=lm.device)
    valid = torch.arange(width, device=lm.device) < lengths.unsqueeze(-1)                               # (B, T)
    logits = lm(input_ids=ids, attention_mask=valid.long()).logits
    return [row[len(ask.text) - ask.wanted:len(ask.text)] for row, ask in zip(logits, asks, strict=True)]
