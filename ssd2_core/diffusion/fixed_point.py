"""Blocks of denoisers that read tokens: a causal LM's own answer as the fixed point of its predictions (Jacobi iteration).

Position i is predicted from the estimates before it, so a position whose predecessors all stood still is final: each step
settles at least one, and after at most L steps nothing moves. Sampling keeps this, for its Gumbel noise g is drawn once for the
block: token_i = argmax(log p_i / temperature + g_i) is an exact sample of the softmax, and the seed decides the answer.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ..config import SamplingParams
from .process import Process
from .settling import is_end
from .simplex import entropy, log_probs, nucleus
from .step import BlockState, Denoiser, Prediction


class FixedPoint(Process):
    """The process of denoisers that read tokens."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.masks = min(self.params.drafts, self.denoise.draft_masks)

    def start(self, last: BlockState | None, ended: Tensor) -> BlockState:
        """A block of which nothing is known: no estimate but the end of text, which stands in rows that have ``ended``."""
        x_t = gumbel(last, self.denoise, self.params, self.rng, self.params.block_length)
        settled = ended.unsqueeze(-1).expand(x_t.shape[:2]).clone()
        u, nothing = (~settled).float(), torch.zeros(x_t.shape[:2], device=x_t.device)
        ids = torch.full_like(settled, next(iter(self.ends), 0), dtype=torch.long)
        state = BlockState(x_t, x_t, u, settled, 1, x_t.shape[1], token_ids=ids, confidence=nothing, entropy=nothing,
                           on_tokens=True, blank=torch.ones_like(settled) if self.masks else None)
        state.window = self.window(state)
        return state

    def give(self, state: BlockState, at: Tensor, given: Tensor) -> None:
        """What follows a token that was another one is open again."""
        moved = (state.token_ids[:, at] != given) & state.settled[:, at]
        for position in at[moved.any(0)].tolist():
            state.settled[:, position + 1:] = False
        state.token_ids[:, at], state.settled[:, at] = given, True
        state.window = self.window(state)

    def window(self, state: BlockState) -> slice:
        """What is predicted: a few positions ahead; with drafts, what they guess, the one after it, and one for each mask."""
        if state.blank is None:
            return window_of(state.settled, self.params.lookahead)
        guessed = leading(state.settled | ~state.blank).sum(-1) - leading(state.settled).sum(-1)
        return window_of(state.settled, guessed + 1 + self.masks)

    def advance(self, state: BlockState, prediction: Prediction) -> BlockState:
        """Each position whose predecessors were right is settled."""
        at, log_p = state.window, log_probs(prediction.logits)
        old, held = state.token_ids[:, at], state.settled[:, at]
        new = torch.where(held, old, drawn(log_p, state.x_t[:, at], self.params))             # (B, W)
        blank = torch.zeros_like(held) if state.blank is None else state.blank[:, at] & ~held
        right = (held | (new == old) & ~blank).long().cumprod(-1)
        final = torch.cat([torch.ones_like(right[:, :1]), right[:, :-1]], -1).bool()          # all before it stood still
        sure = log_p.gather(-1, new.unsqueeze(-1)).squeeze(-1).exp()
        after = replace(
            state, step=state.step + 1, settled=put(state.settled, at, held | final), token_ids=put(state.token_ids, at, new),
            confidence=put(state.confidence, at, torch.where(held, state.confidence[:, at], sure)),
            entropy=put(state.entropy, at, torch.where(held, state.entropy[:, at], entropy(log_p))))
        if self.ends:                                               # what stands behind a final end of text is nothing
            found = (is_end(after.token_ids, self.ends) & leading(after.settled)).long()
            behind = found.cumsum(-1) - found > 0
            after.token_ids, after.settled = after.token_ids.masked_fill(behind, self.ends[0]), after.settled | behind
        if state.blank is not None:                                 # what was read after a wrong draft is no draft
            miss = right.sum(-1, keepdim=True)                                                      # (B, 1), in the window
            wrong = ~blank.gather(-1, miss.clamp(max=blank.shape[-1] - 1))
            after.blank = put(state.blank, at, wrong & (torch.arange(blank.shape[-1], device=miss.device) > miss))
            after.confidence = after.confidence.masked_fill(after.blank & ~after.settled, 0.0)
        after.u, after.chosen = (~after.settled).float(), after.token_ids
        after.window = self.window(after)
        return after


def gumbel(last: BlockState | None, denoise: Denoiser, params: SamplingParams, rng: torch.Generator, length: int) -> Tensor:
    """The noise of samples, g = -log(E), E ~ Exp(1): (B, L, V), or (B, L, 0) for the greedy choice. last: as for a Process."""
    width = 0 if is_greedy(params) else denoise.vocab_size
    x_t = last.x_t if last else torch.empty((denoise.batch_size, length, width), device=rng.device)
    return x_t.exponential_(generator=rng).log_().neg_()


def drawn(log_p: Tensor, noise: Tensor, params: SamplingParams) -> Tensor:
    """The tokens that predictions (B, W, V) say, under fixed noise (B, W, V) or greedily. -> (B, W)."""
    if is_greedy(params):
        return log_p.argmax(-1)
    scaled = log_p / params.temperature
    return (scaled.masked_fill(~nucleus(scaled, params.top_p), -torch.inf) + noise).argmax(-1)


def is_greedy(params: SamplingParams) -> bool:
    """Whether no noise is needed at all."""
    return params.projection != "sampling"


def leading(settled: Tensor) -> Tensor:
    """Settled positions with nothing open before them, (B, L)."""
    return settled.long().cumprod(-1).bool()


def window_of(settled: Tensor, ahead: int | Tensor) -> slice:
    """From the first position that is open in any row to where the furthest one looks. ahead: positions, or by row (B,)."""
    length = settled.shape[1]
    done = leading(settled).sum(-1)
    is_open = done < length                                         # rows that are whole need no prediction
    if not bool(is_open.any()):
        return slice(length - 1, length)
    return slice(int(done[is_open].min()), min(length, int((done + ahead)[is_open].max())))


def put(values: Tensor, at: slice, new: Tensor) -> Tensor:
    """Values (B, L) with others in a window."""
    out = values.clone()
    out[:, at] = new.to(out.dtype)
    return out
