"""Any causal LM of transformers as a denoiser, as it is: causal within the block, reading the latest estimates.

Position i of a block reads the estimate of token i - 1 (position 0 the last clean token) and predicts token i. That is Jacobi
iteration of autoregressive decoding: what it comes to rest at is the model's own autoregressive answer.
Several models over one base are rows of one forward pass; each row has its own low-rank adapter, or none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..diffusion.step import BlockState, Denoiser, Prediction
from .causal_rows import Ask, Row, read
from .lora import HeldAdapter, adapter_tensors


@dataclass
class NextTokenConfig:
    """What a prompt, a card and a block must know of a next-token expert; see SSD2Config for the names they share.

    memorised: texts are in its weights, so that it has something to say without a document.
    vocab_size: tokens of the tokenizer; what a network predicts beyond them to fill up a round number is left out.
    max_positions: of context and answer together, where the LM has a table of them; None where they are computed.
    chat_template: a text.chat_template.ChatTemplate that decides the prompt; None where prompt_style does.
    """

    role: str
    vocab_size: int
    eos_token_id: int
    max_context: int = 2048
    history_turns: int = 8
    title: str = ""
    summary: str = ""
    license: str = ""
    base: str = ""
    lora: Mapping | None = None
    prompt_style: str = "auto"
    tokenizer_hash: str = ""
    num_parameters: int = 0
    block_length: int = 16
    simplex_value: float = 0.0
    max_positions: int | None = None
    chat_template: object | None = None
    memorised: bool = False


class NextTokenModel:
    """A causal LM, or one of the adapters on it. ``bind`` gives it a context and makes it a Denoiser.

    lm: transformers' causal LM, which other experts may share. adapter: which of its adapters acts; None for the base alone.
    held: what keeps the adapter on the LM.
    """

    def __init__(self, lm: nn.Module, config: NextTokenConfig, adapter: str | None = None, held: HeldAdapter | None = None):
        self.lm, self.config, self.adapter, self.held = lm, config, adapter, held
        self.positions: int = getattr(lm.config.get_text_config(), "max_position_embeddings", None) or config.max_context

    @property
    def device(self) -> torch.device:
        return self.lm.device

    @property
    def dtype(self) -> torch.dtype:
        return self.lm.dtype

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """All weights that decide what this expert says: the LM's, and those of its own adapter."""
        yield from self.lm.named_parameters()
        if self.adapter is not None:
            yield from adapter_tensors(self.lm, self.adapter).items()

    def bind(self, context_ids: list[int], bare_context_ids: list[int] | None = None) -> "NextTokenExpert":
        """This network with one row's context, as a Denoiser; the bare context (no documents) serves contrast."""
        return self.bind_rows([context_ids], None if bare_context_ids is None else [bare_context_ids])

    def bind_rows(self, rows: list[list[int]], bare_rows: list[list[int]] | None = None) -> "NextTokenExpert":
        """The network with B contexts of any lengths as one Denoiser over B rows; an empty one is read as token 0."""
        bare = None if bare_rows is None else self.bind_rows(bare_rows)
        return NextTokenExpert(self, [Row(list(row) or [0], self.adapter) for row in rows], bare)


class NextTokenExpert:
    """Rows of a next-token model as a Denoiser that reads tokens. bare: the same network without the documents."""

    reads, canvas, mask_token_id, own = "tokens", False, None, {}

    def __init__(self, model: NextTokenModel, rows: list[Row], bare: "NextTokenExpert | None" = None):
        self.model, self.rows, self.bare = model, rows, bare
        self.vocab_size, self.eos_token_id = model.config.vocab_size, model.config.eos_token_id
        self.simplex_value, self.device = model.config.simplex_value, model.device
        self.network, self.batch_size = model.lm, len(rows)

    def __call__(self, ids: Tensor, state: BlockState) -> Prediction:
        """ids so far (B, R) and the block -> logits (B, W, V) of its open positions."""
        return Prediction(self.together([(self, ids, state)])[self])

    @staticmethod
    def together(questions: Sequence[tuple["NextTokenExpert", Tensor, BlockState]]) -> dict[Denoiser, Tensor]:
        """Logits (B, W, V) of experts over one LM, whatever answers they belong to: their rows share its passes."""
        asks: list[Ask] = []
        for expert, ids, state in questions:
            first, last = state.window.start, state.window.stop
            said = torch.cat([ids, state.token_ids[:, :max(last - 1, 0)]], 1).tolist()      # (B, R + last - 1)
            asks += [Ask(row, row.context + one, last - first) for row, one in zip(expert.rows, said, strict=True)]
        found = iter(read(questions[0][0].network, asks))
        return {expert: torch.stack([next(found) for _ in expert.rows])[..., :expert.vocab_size].to(ids.device)
                for expert, ids, _ in questions}
