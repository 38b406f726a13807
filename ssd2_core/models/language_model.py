"""LMs of transformers as experts: what next-token and masked ones have in common."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from ..diffusion.step import BlockState, Denoiser, Prediction
from .causal_rows import Ask, Row, read
from .drafts import masks_of
from .lora import HeldAdapter, adapter_tensors


class LanguageExpert:
    """Rows of a model as a Denoiser. bare: the same network without the documents."""

    reads, canvas, mask_token_id, own = "tokens", False, None, {}
    read: Callable[[nn.Module, Sequence[Ask]], list[Tensor]] = staticmethod(read)       # how a network is asked

    def __init__(self, model: "LanguageModel", rows: list[Row], bare: "LanguageExpert | None" = None):
        self.model, self.rows, self.bare = model, rows, bare
        self.vocab_size, self.ends = model.config.vocab_size, model.config.ends
        self.simplex_value, self.device = model.config.simplex_value, model.device
        self.network, self.batch_size = model.lm, len(rows)

    @property
    def draft_masks(self) -> int:
        """Of the draft adapter that its network has by now."""
        masks = masks_of(self.network)
        return 0 if masks is None else len(masks)

    def lead(self, length: int) -> int:
        """Nothing of a block is the prompt's."""
        return 0

    def asks(self, ids: Tensor, state: BlockState) -> list[Ask]:
        """What each row reads; the first of the logits that it wants are those of the block's window."""
        raise NotImplementedError

    def __call__(self, ids: Tensor, state: BlockState) -> Prediction:
        """ids so far (B, R) and the block -> logits (B, W, V) of its window."""
        return Prediction(self.together([(self, ids, state)])[self])

    @staticmethod
    def together(questions: Sequence[tuple["LanguageExpert", Tensor, BlockState]]) -> dict[Denoiser, Tensor]:
        """Logits (B, W, V) of experts over one LM, whatever answers they belong to: their rows share its passes."""
        first, logits = questions[0][0], {}
        found = iter(first.read(first.network, [ask for expert, ids, state in questions for ask in expert.asks(ids, state)]))
        for expert, ids, state in questions:
            width = state.window.stop - state.window.start
            rows = torch.stack([next(found)[:width] for _ in expert.rows])
            logits[expert] = rows[..., :expert.vocab_size].to(ids.device)
        return logits


class LanguageModel:
    """An LM, or one of the adapters on it. ``bind`` gives it a context and makes it a Denoiser.

    lm: transformers' network, which other experts may share. adapter: which of its adapters acts; None for the base alone.
    held: what keeps the adapter on the LM.
    """

    expert: type[LanguageExpert]

    def __init__(self, lm: nn.Module, config, adapter: str | None = None, held: HeldAdapter | None = None):
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

    def bind(self, context_ids: list[int], bare_context_ids: list[int] | None = None) -> LanguageExpert:
        """This network with one row's context, as a Denoiser; the bare context (no documents) serves contrast."""
        return self.bind_rows([context_ids], None if bare_context_ids is None else [bare_context_ids])

    def bind_rows(self, rows: list[list[int]], bare_rows: list[list[int]] | None = None) -> LanguageExpert:
        """The network with B contexts of any lengths as one Denoiser over B rows; an empty one is read as token 0."""
        bare = None if bare_rows is None else self.bind_rows(bare_rows)
        return self.expert(self, [Row(list(row) or [0], self.adapter) for row in rows], bare)
