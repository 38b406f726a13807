"""Any causal LM of transformers as a denoiser, as it is: causal within the block, reading the latest estimates.

Position i of a block reads the estimate of token i - 1 (position 0 the last clean token) and predicts token i. That is Jacobi
iteration of autoregressive decoding: what it comes to rest at is the model's own autoregressive answer.
Several models over one base are rows of one forward pass; each row has its own low-rank adapter, or none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..diffusion.step import BlockState
from .causal_rows import Ask
from .drafts import with_masks
from .language_model import LanguageExpert, LanguageModel


@dataclass
class NextTokenConfig:
    """What a prompt, a card and a block must know of a next-token expert; see SSD2Config for the names they share.

    memorised: texts are in its weights, so that it has something to say without a document.
    eos_token_id, more_ends: what ends an answer as its prompt is written, and other ids that do, as the checkpoint says.
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
    more_ends: Sequence[int] = ()

    @property
    def ends(self) -> tuple[int, ...]:
        """Ids that end an answer."""
        return tuple(i for i in dict.fromkeys((self.eos_token_id, *self.more_ends)) if i is not None)


class NextTokenExpert(LanguageExpert):
    """Rows of a next-token model as a Denoiser that reads tokens."""

    def asks(self, ids: Tensor, state: BlockState) -> list[Ask]:
        """Each row reads its context, what was said, and the estimates before the last open position."""
        first, last = state.window.start, state.window.stop
        read = state.token_ids if state.blank is None else with_masks(state.token_ids, state.blank & ~state.settled)
        said = torch.cat([ids, read[:, :max(last - 1, 0)]], 1).tolist()                     # (B, R + last - 1)
        return [Ask(row, row.context + one, last - first) for row, one in zip(self.rows, said, strict=True)]


class NextTokenModel(LanguageModel):
    """A causal LM, or one of the adapters on it."""

    expert = NextTokenExpert
