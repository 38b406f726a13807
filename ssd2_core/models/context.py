"""An expert bound to what it has read: its cached context, and one network as a Denoiser. Knows no text and no configs on disk.

``model`` is an SSD2Model everywhere here; its module stands above this one.
"""

import torch
from torch import Tensor

from ..diffusion.ensemble import Prediction
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

    def follow(self, ids: Tensor) -> bool:
        """Bring the context up to the tokens generated so far, (B, R). True when that changed something."""
        new = ids[:, self.generated:]
        if ids.shape[1] == self.generated:
            return False
        if ids.shape[1] < self.generated:
            self.reset()
            new = ids
        if new.shape[1]:
            segment = self.model.segments(new) if self.model.config.context_mode == "causal" else torch.zeros_like(new)
            self._append(new, torch.ones_like(new, dtype=torch.bool), segment)
            self.generated += new.shape[1]
        return True

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

    def denoise(self, block: Tensor) -> Tensor:
        """Logits (B, L, V) of embedded noisy positions (B, L, H) after this context."""
        start, shift = self.valid.long().sum(-1, keepdim=True), self.model.config.label_shift
        if shift and not self.full:                       # the last clean token leads: position i is read from i - 1
            start = start - 1
            block = torch.cat([self.model.get_input_embeddings()(self.ids[:, -1:]), block], 1)
        length = block.shape[1]
        positions = start + torch.arange(length, device=block.device)
        seen = torch.cat([self.valid, self.valid.new_ones(block.shape[:2])], 1)                     # (B, C + R + L)
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
    """A network and the context of its rows: a Denoiser. Made per run; it remembers the previous prediction of its block."""

    def __init__(self, model, context: Context, bare: Context | None):
        self.model, self.context, self.bare = model, context, bare
        self.vocab_size, self.simplex_value = model.lm.config.vocab_size, model.config.simplex_value
        self.eos_token_id, self.device = model.config.eos_token_id, model.device
        self.batch_size = context.first_ids.shape[0]
        self.has_contrast = bare is not None
        self.previous: Tensor | None = None
        self.last_u = 0.0

    def __call__(self, ids: Tensor, x_t: Tensor, u: float) -> Prediction:
        """ids so far (B, R), x_t (B, L, V), u = t/T -> logits (B, L, V). Remembers them for self-conditioning."""
        self.begin(ids, u)
        return self.take(self._run(self.context, x_t, u))

    def begin(self, ids: Tensor, u: float) -> None:
        """Bring the context up to ``ids``; the first step of a block remembers no prediction."""
        if self.context.follow(ids.to(self.device)) or u >= self.last_u:
            self.previous = None
        self.last_u = u

    def take(self, logits: Tensor) -> Prediction:
        """The logits of this step, however they were computed."""
        self.latest_input, self.previous = self.previous, logits
        return Prediction(logits)

    def without_documents(self, ids: Tensor, x_t: Tensor, u: float) -> Prediction:
        """The same step from the bare context, for contrast; call it after the step itself."""
        self.bare.follow(ids.to(self.device))
        current, self.previous = self.previous, self.latest_input
        logits = self._run(self.bare, x_t, u)
        self.previous = current
        return Prediction(logits)

    def remember(self, logits: Tensor) -> None:
        """Condition the next step on what the ensemble predicted instead of on this expert's own words."""
        if self.previous is not None:
            self.previous = logits

    @torch.no_grad()
    def _run(self, context: Context, x_t: Tensor, u: float) -> Tensor:
        return context.denoise(self.embedded(x_t, u)).to(x_t.device)

    def embedded(self, x_t: Tensor, u: float) -> Tensor:
        """The network's input at the block's positions, (B, L, V) -> (B, L, H)."""
        time = torch.full(x_t.shape[:2], u, device=self.device, dtype=torch.float32)
        previous = None if self.previous is None else self.previous.to(self.device)
        return self.model.embed_block(x_t.to(self.device), time, previous)


@torch.no_grad()
def bind_rows(model, rows: list[list[int]], bare_rows: list[list[int]] | None = None) -> BoundExpert:
    """The network with B contexts of any lengths as one Denoiser over B rows (left-padded)."""
    bare = None if bare_rows is None else Context(model, bare_rows)
    return BoundExpert(model, Context(model, rows), bare)
