"""One network pass for the rows of several runs: other contexts, other steps, other block lengths. Knows no worker.

Rows join and leave between steps. Their cached contexts are laid side by side, left-padded, and that is kept for as long as the
same rows go on with the same contexts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..diffusion.ensemble import Ensemble
from ..diffusion.sampling import Ask
from ..models.context import BoundExpert, Context, blocked
from ..models.kv_cache import BlockCache
from ..models.ssd2 import SSD2Model

KEPT = 8                        # joined contexts that are kept, the one unused for longest leaves


@dataclass
class Pass:
    """One network pass that a run's next step wants. key: (expert, without documents)."""

    ensemble: Ensemble
    key: tuple[str, bool]
    bound: BoundExpert
    context: Context
    ask: Ask


class Joined:
    """Cached contexts of single rows as one cache of B rows. Holds them, so that their identity stays theirs."""

    def __init__(self, contexts: list[Context]):
        self.contexts = contexts
        width = max(context.length for context in contexts)
        device = contexts[0].valid.device
        pad = [width - context.length for context in contexts]
        padded = [torch.nn.functional.pad(c.valid, (p, 0)) for c, p in zip(contexts, pad, strict=True)]
        self.valid = torch.cat(padded)                                                              # (B, C)
        self.last_ids = torch.cat([context.ids[:, -1:] for context in contexts])
        self.start = self.valid.long().sum(-1, keepdim=True)
        self.cache = BlockCache()
        for layer in range(len(contexts[0].cache.layers)):
            parts = [(c.cache.layers[layer].keys, c.cache.layers[layer].values) for c in contexts]
            keys, values = (torch.cat([torch.nn.functional.pad(t[k], (0, 0, p, 0)) for t, p in zip(parts, pad, strict=True)])
                            for k in (0, 1))
            self.cache.update(keys, values, layer)
        self.device = device

    def denoise(self, model: SSD2Model, blocks: list[Tensor]) -> list[Tensor]:
        """Logits (1, L_i, V) of each row's embedded block (1, L_i, H); shorter blocks are padded on the right."""
        lengths, shift = [block.shape[1] for block in blocks], model.config.label_shift
        longest = max(lengths)
        block = torch.cat([torch.nn.functional.pad(b, (0, 0, 0, longest - b.shape[1])) for b in blocks])
        real = torch.arange(longest, device=self.device) < torch.tensor(lengths, device=self.device).unsqueeze(-1)     # (B, L)
        start = self.start
        if shift:
            start = start - 1
            block = torch.cat([model.get_input_embeddings()(self.last_ids), block], 1)
            real = torch.cat([torch.ones_like(real[:, :1]), real], 1)
        Q = block.shape[1]
        seen = torch.cat([self.valid, real], 1).unsqueeze(1).expand(-1, Q, -1)
        mask = blocked(seen, block.dtype)
        hidden = model.trunk(block, mask, start + torch.arange(Q, device=self.device), self.cache)
        self.cache.crop(-Q)
        hidden = hidden[:, :-1] if shift else hidden
        logits = model.head(hidden)
        return [logits[row:row + 1, :length] for row, length in enumerate(lengths)]


class Batcher:
    """Answers the next steps of many runs ahead of time: the ensembles find the logits in ``given``."""

    def __init__(self):
        self._joined: dict[tuple, Joined] = {}

    @torch.no_grad()
    def prefetch(self, runs: Iterable[tuple[Ensemble, Ask]]) -> None:
        """One pass per network for all ``runs`` that use it; a network that a single row wants is left to its own step."""
        groups: dict[int, list[Pass]] = {}
        for ensemble, ask in runs:
            for name, bare in ensemble.wanted(ask.u):
                bound = ensemble.experts[name]
                if not isinstance(bound, BoundExpert) or bound.batch_size != 1 or bound.context.full:
                    continue
                context = bound.bare if bare else bound.context
                groups.setdefault(id(bound.model), []).append(Pass(ensemble, (name, bare), bound, context, ask))
        for passes in groups.values():
            if len(passes) > 1:
                self._pass(passes[0].bound.model, passes)

    def clear(self) -> None:
        """Let go of all joined contexts."""
        self._joined.clear()

    def _pass(self, model: SSD2Model, passes: list[Pass]) -> None:
        for one in passes:
            if one.key[1]:
                one.context.follow(one.ask.ids.to(model.device))
            else:
                one.bound.begin(one.ask.ids, one.ask.u)
        blocks = [one.bound.embedded(one.ask.x_t, one.ask.u) for one in passes]
        joined = self._join([one.context for one in passes])
        for one, logits in zip(passes, joined.denoise(model, blocks), strict=True):
            one.ensemble.given[one.key] = logits.to(one.ask.x_t.device)

    def _join(self, contexts: list[Context]) -> Joined:
        key = tuple((id(context), context.length) for context in contexts)
        found = self._joined.pop(key, None) or Joined(contexts)
        self._joined[key] = found                       # last: used last
        while len(self._joined) > KEPT:
            del self._joined[next(iter(self._joined))]
        return found
