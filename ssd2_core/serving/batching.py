"""One network pass for the rows of several runs: other contexts, other steps, other block lengths. Knows no worker.

Rows join and leave between steps. Their cached contexts are laid side by side, and that is kept for as long as the same rows go
on with the same contexts.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..diffusion.ensemble import Ensemble, ask_together
from ..diffusion.sampling import Generation
from ..diffusion.step import BlockState, Denoiser
from ..models.context import BoundExpert, Context

KEPT = 8                        # joined contexts that are kept, the one unused for longest leaves
Known = dict[Denoiser, Tensor]
Pass = tuple[BoundExpert, Tensor, BlockState]


class Batcher:
    """Answers what the next steps of many runs ask their networks, one pass for each network."""

    def __init__(self):
        self._joined: dict[tuple, tuple[Context, list[Context]]] = {}

    @torch.no_grad()
    def logits(self, runs: Iterable[tuple[Ensemble, Generation]]) -> Known:
        """Logits (1, L, V) by expert, as an Ensemble takes them; a network that a single row wants is left to its own step."""
        groups: dict[int, list[Pass]] = {}
        others: list[tuple[Denoiser, Tensor, BlockState]] = []
        for ensemble, generation in runs:
            ids, state = generation.question() or (None, None)
            for expert in ensemble.passes(state.time) if state else ():
                if isinstance(expert, BoundExpert) and expert.batch_size == 1 and not expert.context.full:
                    groups.setdefault(id(expert.model), []).append((expert, ids, state))
                else:
                    others.append((expert, ids, state))
        known = ask_together(others)
        for passes in groups.values():
            if len(passes) > 1:
                known |= self._pass(passes)
        return known

    def clear(self) -> None:
        """Let go of all joined contexts."""
        self._joined.clear()

    def _pass(self, passes: list[Pass]) -> Known:
        for expert, ids, _ in passes:
            expert.context.follow(ids.to(expert.device))
        blocks = [expert.embed(state) for expert, _, state in passes]                   # (1, L_i, H) each
        lengths = torch.tensor([block.shape[1] for block in blocks], device=blocks[0].device)
        longest = int(lengths.max())
        block = torch.cat([pad(one, (0, 0, 0, longest - one.shape[1])) for one in blocks])
        real = torch.arange(longest, device=block.device) < lengths.unsqueeze(-1)       # (B, L)
        logits = self._join([expert.context for expert, _, _ in passes]).denoise(block, real)
        return {expert: logits[row:row + 1, :lengths[row]].to(state.x_t.device)
                for row, (expert, _, state) in enumerate(passes)}

    def _join(self, contexts: list[Context]) -> Context:
        key = tuple((id(context), context.length) for context in contexts)
        found = self._joined.pop(key, None) or (Context.concat(contexts), contexts)     # holds them: so their ids stay
        self._joined[key] = found                                                       # last: used last
        while len(self._joined) > KEPT:
            del self._joined[next(iter(self._joined))]
        return found[0]
