"""An expert bound to what it has read: its cached context, and one network as a Denoiser. Knows no text and no configs on disk.

``model`` is an SSD2Model everywhere here; its module stands above this one.
"""

import torch
from torch import Tensor

from ..diffusion.step import BlockState, Prediction
from .kv_cache import BlockCache


def blocked(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """Additive attention mask (B, 1, Q, S) from booleans (B, Q, S): 0 where allowed, the lowest number elsewhere."""
    mask = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return mask.masked_fill_(~allowed, torch.finfo(dtype).min).unsqueeze(1)


class Context:
    """Clean context of B rows, left-padded, with its cached keys and values; blocks that were generated are appended."""

    def __init__(self, model, rows: list[list[int]]):
        self.model, device = model, model.device
        width = max(max(len(row) for row in rows), 1)
        pad = [[0] * (width - len(row)) + list(row) for row in rows]
        self.first_ids = torch.tensor(pad, dtype=torch.long, device=device)                         # (B, C)
        lengths = torch.tensor([len(row) for row in rows], device=device)
        self.first_valid = torch.arange(width, device=device) >= width - lengths.unsqueeze(-1)      # (B, C)
        self.full = model.config.context_mode == "full"
        self.reset()

    def reset(self) -> None:
        """Forget generated blocks and the cache."""
        self.cache = None if self.full else BlockCache()
        self.ids, self.valid = self.first_ids[:, :0], self.first_valid[:, :0]
        self.generated = 0
        self._append(self.first_ids, self.first_valid, self.model.segments(self.first_ids))

    @property
    def length(self) -> int:
        """Positions so far, padding included."""
        return self.valid.shape[1]

    def follow(self, ids: Tensor) -> None:
        """Bring the context up to the tokens generated so far, (B, R)."""
        new = ids[:, self.generated:]
        if ids.shape[1] < self.generated:
            self.reset()
            new = ids
        if new.shape[1]:
            segment = self.model.segments(new) if self.model.config.context_mode == "causal" else torch.zeros_like(new)
            self._append(new, torch.ones_like(new, dtype=torch.bool), segment)
            self.generated += new.shape[1]

    def _append(self, ids: Tensor, valid: Tensor, segment: Tensor) -> None:
        """Encode clean tokens that follow everything so far; later segments see earlier ones, never the reverse."""
        before = self.valid
        self.ids, self.valid = torch.cat([self.ids, ids], 1), torch.cat([before, valid], 1)
        self.positions = (self.valid.long().cumsum(-1) - 1).clamp_min(0)
        if self.full or not ids.shape[1]:
            return
        within = (segment.unsqueeze(-1) >= segment.unsqueeze(1)) & valid.unsqueeze(1)               # (B, Q, Q)
        within = within | torch.eye(ids.shape[1], dtype=torch.bool, device=ids.device)
        allowed = torch.cat([before.unsqueeze(1).expand(-1, ids.shape[1], -1), within], -1)
        self.model.encode(ids, blocked(allowed, self.model.dtype), self.positions[:, -ids.shape[1]:], self.cache)

    @classmethod
    def concat(cls, contexts: list["Context"]) -> "Context":
        """Cached contexts of single rows, none of them "full", as one of B rows, to be read only; it is left-padded anew."""
        one, width = cls.__new__(cls), max(context.length for context in contexts)
        one.model, one.full, one.generated = contexts[0].model, False, 0
        left = [(width - context.length, 0) for context in contexts]
        pad = torch.nn.functional.pad
        one.ids = torch.cat([pad(context.ids, by) for context, by in zip(contexts, left, strict=True)])
        one.valid = torch.cat([pad(context.valid, by) for context, by in zip(contexts, left, strict=True)])
        one.cache = BlockCache()
        for index, layers in enumerate(zip(*(context.cache.layers for context in contexts), strict=True)):
            keys = torch.cat([pad(layer.keys, (0, 0, *by)) for layer, by in zip(layers, left, strict=True)])
            values = torch.cat([pad(layer.values, (0, 0, *by)) for layer, by in zip(layers, left, strict=True)])
            one.cache.update(keys, values, index)
        return one

    def denoise(self, block: Tensor, real: Tensor | None = None) -> Tensor:
        """Logits (B, L, V) of embedded noisy positions (B, L, H) after this context. real: no padding (B, L)."""
        real = block.new_ones(block.shape[:2], dtype=torch.bool) if real is None else real
        start, shift = self.valid.long().sum(-1, keepdim=True), self.model.config.label_shift
        if shift and not self.full:                       # the last clean token leads: position i is read from i - 1
            start = start - 1
            block = torch.cat([self.model.get_input_embeddings()(self.ids[:, -1:]), block], 1)
            real = torch.cat([torch.ones_like(real[:, :1]), real], 1)
        length = block.shape[1]
        positions = start + torch.arange(length, device=block.device)
        seen = torch.cat([self.valid, real], 1)                                                     # (B, C + R + L)
        if not self.full:
            mask = blocked(seen.unsqueeze(1).expand(-1, length, -1), block.dtype)
            hidden = self.model.trunk(block, mask, positions, self.cache)
            self.cache.crop(-length)
            return self.model.head(hidden[:, :-1] if shift else hidden)
        hidden = torch.cat([self.model.lm.get_input_embeddings()(self.ids), block], 1)
        mask = blocked(seen.unsqueeze(1).expand(-1, hidden.shape[1], -1), block.dtype)
        hidden = self.model.trunk(hidden, mask, torch.cat([self.positions, positions], 1))
        return self.model.head(hidden[:, -length - 1:-1] if shift else hidden[:, -length:])


class BoundExpert:
    """A network and the context of its rows: a Denoiser. bare: the same network without the documents, for contrast."""

    reads, canvas, mask_token_id, own, draft_masks = "simplex", False, None, {}, 0

    def __init__(self, model, context: Context, bare: "BoundExpert | None" = None):
        self.model, self.context, self.bare = model, context, bare
        self.vocab_size, self.simplex_value = model.lm.config.vocab_size, model.config.simplex_value
        self.ends, self.device = model.config.ends, model.device
        self.batch_size = context.first_ids.shape[0]

    def lead(self, length: int) -> int:
        """Nothing of a block is the prompt's."""
        return 0

    @torch.no_grad()
    def __call__(self, ids: Tensor, state: BlockState) -> Prediction:
        """ids so far (B, R) and the block -> logits (B, L, V)."""
        self.context.follow(ids.to(self.device))
        return Prediction(self.context.denoise(self.embed(state)).to(state.x_t.device))

    def embed(self, state: BlockState) -> Tensor:
        """The network's input at the block's positions, (B, L, H)."""
        previous = None if state.previous is None else state.previous.to(self.device)
        return self.model.embed_block(state.x_t.to(self.device), state.u.to(self.device), previous)


@torch.no_grad()
def bind_rows(model, rows: list[list[int]], bare_rows: list[list[int]] | None = None) -> BoundExpert:
    """The network with B contexts of any lengths as one Denoiser over B rows (left-padded)."""
    bare = None if bare_rows is None else BoundExpert(model, Context(model, bare_rows))
    return BoundExpert(model, Context(model, rows), bare)
