"""Blocks of masked denoisers: every position is a mask until it is settled, the surest first.

A masked network reads the settled tokens and masks elsewhere, and predicts all masks at once; which of them settle says
``settling.chosen``. A next-token expert beside it reads the latest estimates, settled or not. Where the networks read the whole
answer at once (a canvas), it settles in windows of ``block_length`` positions, from left to right.
Sources: the public samplers of LLaDA, Dream, dllm and SDAR; noise as in fixed_point.py.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..config import SamplingParams
from .fixed_point import drawn, gumbel, leading, put
from .process import Process
from .settling import chosen, is_end, quota
from .simplex import entropy, log_probs
from .step import BlockState, Prediction


class Unmasking(Process):
    """The process of denoisers that read masks."""

    def start(self, last: BlockState | None, ended: Tensor) -> BlockState:
        """A block of masks; a canvas is several windows."""
        length = self.params.max_new_tokens if self.denoise.canvas else self.params.block_length
        if not self.denoise.canvas and (lead := self.denoise.lead(length)):      # the first block is shorter
            length, last = length - lead if last is None else length, None
        x_t = gumbel(last, self.denoise, self.params, self.rng, length)
        settled, nothing = x_t.new_zeros(x_t.shape[:2], dtype=torch.bool), x_t.new_zeros(x_t.shape[:2])
        return BlockState(x_t, x_t, nothing + 1, settled, 1, self.params.num_steps, token_ids=settled.long(), given=settled,
                          confidence=nothing, entropy=nothing, on_tokens=True, mask_token_id=self.denoise.mask_token_id,
                          window=slice(0, min(length, self.params.block_length)), block_length=self.params.block_length)

    def give(self, state: BlockState, at: Tensor, given: Tensor) -> None:
        """A window of nothing but given tokens takes one step."""
        state.token_ids[:, at], state.settled[:, at] = given, True
        state.given = state.given.index_fill(1, at, True)

    def advance(self, state: BlockState, prediction: Prediction) -> BlockState:
        """Some masks of the window have their token now."""
        params, at, log_p = self.params, state.window, log_probs(prediction.logits)
        doubt = entropy(log_p)
        if state.mask_token_id < log_p.shape[-1]:
            log_p[..., state.mask_token_id] = -torch.inf                # a mask is no token; the others' confidence knows of it
        held = state.settled[:, at]
        new = torch.where(held, state.token_ids[:, at], drawn(log_p, state.x_t[:, at], params))             # (B, W)
        found = log_p.gather(-1, new.unsqueeze(-1)).squeeze(-1).exp()
        confidence = torch.where(held, state.confidence[:, at], found)
        doubt = torch.where(held, state.entropy[:, at], doubt)
        kept = state.given[:, at] if params.remasking == "on" else held         # what stands whatever else is sure now
        count = quota((~held).sum(-1), state.step - 1, state.num_steps, params.mask_schedule, params.block_length)
        newly = chosen(surest(confidence, doubt, log_p, params.mask_order), confidence, doubt, kept,
                       count + (held & ~kept).sum(-1), params.settling, params.threshold)
        after = replace(state, step=state.step + 1, token_ids=put(state.token_ids, at, new),
                        settled=put(state.settled, at, kept | newly), confidence=put(state.confidence, at, confidence),
                        entropy=put(state.entropy, at, doubt))
        over = params.early_exit != "off" and end_behind(after, self.ends)
        after.u, after.chosen = (~after.settled).float(), after.token_ids
        if not over:
            onward(after, params)
        return after

    def view(self, state: BlockState, window: slice) -> BlockState:
        """A window of a canvas as a block."""
        return replace(state, x_t=state.x_t[:, window], u=state.u[:, window], settled=state.settled[:, window],
                       token_ids=state.token_ids[:, window], confidence=state.confidence[:, window],
                       entropy=state.entropy[:, window], chosen=None, given=None,
                       window=slice(0, window.stop - window.start))


def surest(confidence: Tensor, doubt: Tensor, log_p: Tensor, measure: str) -> Tensor:
    """How sure the prediction of each position is, (B, W): its probability, its entropy or the lead over the second one.

    "left": the first ones first, however sure.
    """
    if measure == "entropy":
        return -doubt
    if measure == "left":
        return -torch.arange(confidence.shape[-1], device=confidence.device).float().expand_as(confidence)
    if measure == "margin":
        best = log_p.topk(2).values.exp()
        return best[..., 0] - best[..., 1]
    return confidence


def end_behind(state: BlockState, ends: Sequence[int]) -> bool:
    """Settle what stands behind the first end of text that is certain, in place. -> whether all rows have one."""
    found = (is_end(state.token_ids, ends) & leading(state.settled)).long()
    behind = found.cumsum(-1) - found > 0
    state.settled = state.settled | behind
    state.token_ids = state.token_ids.masked_fill(behind, next(iter(ends), 0))
    return bool(found.any(-1).all())


def onward(state: BlockState, params: SamplingParams) -> None:
    """In place: the next window where this one is full; else steps of the schedule that would settle nothing are left out."""
    masks, (first, length) = (~state.settled[:, state.window]).sum(-1), (state.window.stop, state.settled.shape[1])
    if not bool(masks.any()):
        if first < length:
            state.window, state.step = slice(first, min(length, first + params.block_length)), 1
    elif params.mask_schedule == "linear" and params.settling in ("anneal", "count"):
        while not bool(quota(masks, state.step - 1, state.num_steps, params.mask_schedule).any()):
            state.step += 1
