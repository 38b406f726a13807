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
from .kv_cache import BlockCache
from .lora import GatedLora, HeldAdapter, adapter_tensors


@dataclass
class NextTokenConfig:
    """What a prompt, a card and a block must know of a next-token expert; see SSD2Config for the names they share.

    memorised: texts are in its weights, so that it has something to say without a document.
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
        """The network with B contexts of any lengths as one Denoiser over B rows (left-padded)."""
        bare = None if bare_rows is None else self.bind_rows(bare_rows)
        return NextTokenExpert(self, CausalRows(self.lm, rows, [self.adapter] * len(rows)), slice(0, len(rows)), bare)


class CausalRows:
    """Left-padded contexts of rows over one LM, each with an adapter or none, with cached keys and values.

    The cache is a memory only: what it holds is compared with what is asked, so each call is a function of its arguments.
    """

    def __init__(self, lm: nn.Module, rows: Sequence[list[int]], adapters: Sequence[str | None]):
        self.lm, self.rows, self.adapters = lm, rows, list(adapters)
        width = max(max(len(row) for row in rows), 1)
        self.context = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], device=lm.device)   # (B, C)
        lengths = torch.tensor([len(row) for row in rows], device=lm.device)
        self.valid = torch.arange(width, device=lm.device) >= width - lengths.unsqueeze(-1)                     # (B, C)
        self.cache, self.read = BlockCache(), self.context[:, :0]
        self.memo: tuple[BlockState, Tensor] | None = None

    def logits(self, ids: Tensor, state: BlockState) -> Tensor:
        """Logits (B, W, V) in fp32 of the block's open positions; several experts ask for the same state and share a pass."""
        if self.memo is None or self.memo[0] is not state:
            self.memo = state, self._logits(ids, state)
        return self.memo[1]

    @torch.no_grad()
    def _logits(self, ids: Tensor, state: BlockState) -> Tensor:
        first, last = state.window.start, state.window.stop
        said = torch.cat([ids, state.token_ids[:, :max(last - 1, 0)]], 1).to(self.context.device)
        said = said.repeat(len(self.rows) // said.shape[0], 1)                          # the same block for each expert's rows
        wanted = torch.cat([self.context, said], 1)                                     # (B, C + R + last - 1)
        known = self._known(wanted, wanted.shape[1] - (last - first))
        new = wanted[:, known:]
        valid = torch.cat([self.valid, torch.ones_like(said, dtype=torch.bool)], 1)
        positions = (valid.long().cumsum(-1) - 1).clamp_min(0)[:, known:]
        with GatedLora.rows(self.lm, self.adapters):
            out = self.lm(input_ids=new, attention_mask=valid.long(), position_ids=positions, past_key_values=self.cache,
                          use_cache=True, logits_to_keep=last - first)
        self.read = wanted
        return out.logits.float()

    def _known(self, wanted: Tensor, most: int) -> int:
        """How many leading columns of ``wanted`` the cache has read, ``most`` at most; it forgets the rest."""
        both = min(self.read.shape[1], wanted.shape[1], most)
        same = (self.read[:, :both] == wanted[:, :both]).all(0)
        known = int(same.long().cumprod(0).sum())
        if self.read.shape[1] > known:
            self.cache.crop(known - self.read.shape[1])
            self.read = self.read[:, :known]
        return known


class NextTokenExpert:
    """Some rows of a CausalRows as a Denoiser that reads tokens. bare: the same network without the documents."""

    reads = "tokens"

    def __init__(self, model: NextTokenModel, rows: CausalRows, at: slice, bare: "NextTokenExpert | None" = None):
        self.model, self.rows, self.at, self.bare = model, rows, at, bare
        self.vocab_size, self.eos_token_id = model.config.vocab_size, model.config.eos_token_id
        self.simplex_value, self.device = model.config.simplex_value, model.device
        self.batch_size = at.stop - at.start

    def __call__(self, ids: Tensor, state: BlockState) -> Prediction:
        """ids so far (B, R) and the block -> logits (B, W, V) of its open positions."""
        return Prediction(self.rows.logits(ids, state)[self.at].to(ids.device))


def side_by_side(experts: Mapping[str, Denoiser]) -> dict[str, Denoiser]:
    """The same experts, those over one LM as rows of one pass."""
    out = dict(experts)
    groups: dict[int, list[str]] = {}
    for name, expert in experts.items():
        if isinstance(expert, NextTokenExpert):
            groups.setdefault(id(expert.model.lm), []).append(name)
    for names in (names for names in groups.values() if len(names) > 1):
        parts = [experts[name].rows for name in names]
        joined = CausalRows(parts[0].lm, [row for part in parts for row in part.rows],
                            [adapter for part in parts for adapter in part.adapters])
        at = 0
        for name in names:
            one = experts[name]
            out[name] = NextTokenExpert(one.model, joined, slice(at, at + one.batch_size), one.bare)
            at += one.batch_size
    return out
