"""Blocks of uniform denoisers: random tokens that are replaced by predicted ones where the prediction is sure enough.

All positions of a block are judged anew in each step, so a token that was accepted may be given up again; what the block comes
to is the last prediction. Source: DiffusionGemma as transformers has it (entropy-bound sampler, arXiv 2505.24857).
"""

from dataclasses import replace

import torch
from torch import Tensor

from ..config import SamplingParams
from .process import Process
from .settling import DOUBT, chosen
from .simplex import entropy, log_probs, nucleus
from .step import BlockState, Denoiser, Prediction

COOL = {"t_min": 0.4, "t_max": 0.8}     # temperatures of the last step and before the first
STABLE, CERTAIN = 1, 0.005              # steps without a change, and mean entropy (nats), at which a row is complete


class Uniform(Process):
    """The process of denoisers that read random tokens. ``denoise.own`` may say other temperatures and limits than above."""

    def __init__(self, denoise: Denoiser, params: SamplingParams, rng: torch.Generator, noise: object = None):
        super().__init__(denoise, params, rng, noise)
        self.rule = "entropy" if params.settling == "anneal" else params.settling

    def start(self, last: BlockState | None, ended: Tensor) -> BlockState:
        """Random tokens (B, L) everywhere, and no estimate."""
        noisy = self.random()
        nothing, none = noisy.float() * 0, torch.zeros_like(noisy, dtype=torch.bool)
        return BlockState(nothing, nothing, nothing + 1, none, 1, self.params.num_steps, token_ids=noisy, noisy_ids=noisy,
                          confidence=nothing, entropy=nothing, given=none, over=none[:, 0], unchanged_steps=ended.long() * 0,
                          window=slice(0, noisy.shape[1]))

    def random(self) -> Tensor:
        """Random tokens (B, L)."""
        return torch.randint(0, self.denoise.vocab_size, (self.denoise.batch_size, self.params.block_length),
                             device=self.rng.device, generator=self.rng)

    def give(self, state: BlockState, at: Tensor, given: Tensor) -> None:
        """A given token stands, and is read."""
        state.noisy_ids = state.noisy_ids.index_copy(1, at, given.expand(len(state.noisy_ids), -1))
        state.given = state.given.index_fill(1, at, True)
        state.settled = state.settled | state.given

    def advance(self, state: BlockState, prediction: Prediction) -> BlockState:
        """The surest predictions are read in the next step, random tokens elsewhere; rows that are over stay as they are."""
        log_p = log_probs(prediction.logits / self.temperature(state))                                       # (B, L, V)
        drawn, best, doubt = self.drawn(log_p), log_p.argmax(-1), entropy(log_p)
        confidence = log_p.gather(-1, best.unsqueeze(-1)).squeeze(-1).exp()
        accepted = self.accepted(state, confidence, doubt)
        read = torch.where(accepted, torch.where(state.given, state.noisy_ids, drawn), self.random())
        then = {"token_ids": best, "noisy_ids": read, "settled": accepted, "confidence": confidence, "entropy": doubt,
                "previous": log_p}
        if bool(state.over.any()):
            then = {name: torch.where(state.over.view(-1, *[1] * (new.dim() - 1)), getattr(state, name), new)
                    for name, new in then.items()}
        after = replace(state, step=state.step + 1, **then)
        stood = (after.token_ids == state.token_ids).all(-1) & (state.step > 1)
        after.unchanged_steps = torch.where(stood, state.unchanged_steps + 1, 0)
        if self.params.early_exit != "off":
            is_sure = doubt.mean(-1) < self.denoise.own.get("confidence_threshold", CERTAIN)
            stands = after.unchanged_steps >= self.denoise.own.get("stability_threshold", STABLE)
            after.over = state.over | is_sure & stands
        after.u, after.chosen = (~after.settled).float(), after.token_ids
        return after

    def temperature(self, state: BlockState) -> float:
        """It falls with the steps that are left."""
        low, high = (self.denoise.own.get(name, value) for name, value in COOL.items())
        return self.params.temperature * (low + (high - low) * state.time)

    def drawn(self, log_p: Tensor) -> Tensor:
        """What may be read in the next step: the best tokens, or samples. -> (B, L)."""
        if self.params.projection != "sampling":
            return log_p.argmax(-1)
        likely = log_p.masked_fill(~nucleus(log_p, self.params.top_p), -torch.inf) if self.params.top_p < 1 else log_p
        return torch.multinomial(likely.softmax(-1).flatten(0, 1), 1, generator=self.rng).view(log_p.shape[:2])

    def accepted(self, state: BlockState, confidence: Tensor, doubt: Tensor) -> Tensor:
        """Positions (B, L) whose prediction is read in the next step: as ``settle`` says, but that all are judged anew."""
        kept = state.settled if self.params.remasking == "off" else state.given
        open_now = (~kept).sum(-1)                                                           # (B,)
        count = torch.ones_like(open_now)
        if self.rule == "count":
            there, free = (kept & ~state.given).sum(-1), (~state.given).sum(-1)
            count = -(-free * state.step // state.num_steps) - there
        by = -doubt if self.rule == "entropy" else confidence
        bound = self.denoise.own.get("entropy_bound", DOUBT)
        return kept | chosen(by, confidence, doubt, kept, count, self.rule, self.params.threshold, bound)

    def is_done(self, state: BlockState) -> bool:
        """After the last step, or when all rows are complete."""
        return state.step > state.num_steps or bool(state.over.all()) or bool(state.given.all())
