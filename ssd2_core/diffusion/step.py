"""What one denoising step decided, as tensors, described for whoever looks."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import TOGETHER
from .ensemble import Prediction, disagreement, log_probs, shares
from .simplex import clean, entropy

PATIENCE, STILL = 3, 0.05       # steps without a change, and how far a confidence may move in each

CANDIDATES, SUPPORT = 3, 16     # best tokens that are shown, and that disagreement is measured on

CERTAIN = 0.1                   # nats: an entropy below is no doubt


@dataclass
class Step:
    """One denoising step of one block, as tensors.

    block: from 0. step: from 1 to num_steps (so t = num_steps - step + 1). alpha_bar: of the input of this step.
    ids: tokens before this block (B, R). token_ids, rival_ids: best and second candidates (B, L).
    confidence: probability of token_ids (B, L). entropy: nats (B, L). changed: differs from the step before (B, L).
    share, weight: (B, L) by expert. prediction: the denoiser's own words.
    candidates: by expert and TOGETHER, (log-probabilities, ids) of the best tokens, both (B, L, 3). disagreement: (B, L), nats.
    pinned: tokens that were given (L,).
    chosen: what was projected, see ``simplex.choose``. finished: this was the last step of
    the block, maybe an early one.
    ended: the rows that have an EOS by now (B,), only meaningful when finished.
    """

    block: int
    step: int
    num_steps: int
    alpha_bar: float
    ids: Tensor
    token_ids: Tensor
    rival_ids: Tensor
    confidence: Tensor
    entropy: Tensor
    changed: Tensor
    share: dict[str, Tensor]
    weight: dict[str, Tensor]
    candidates: dict[str, tuple[Tensor, Tensor]]
    disagreement: Tensor
    pinned: Tensor
    prediction: Prediction
    chosen: Tensor
    simplex_value: float
    finished: bool
    ended: Tensor

    @property
    def projected(self) -> Tensor:
        """x̂_0 in {-K, +K}, (B, L, V)."""
        return clean(self.chosen, self.prediction.logits.shape[-1], self.simplex_value)


def _is_settled(kind: str, step: dict, before: dict | None, eos: int | None) -> bool:
    """Whether nothing is left to decide in any row, up to its end of text: see ``SamplingParams.early_exit``."""
    if kind == "off" or (kind == "patience" and before is None):
        return False
    ids = step["token_ids"]
    ends = (ids == eos).long() if eos is not None else torch.zeros_like(ids)
    counts = ends.cumsum(-1) - ends == 0                                                  # (B, L), the end itself included
    if kind == "entropy":
        return not bool(((step["entropy"] > CERTAIN) & counts).any())
    moved = (step["confidence"] - before["confidence"]).abs() > STILL
    return not bool(((step["changed"] | moved) & counts).any())


def _describe(prediction: Prediction, previous: Tensor | None, pinned: Tensor) -> dict:
    """Tokens, candidates, confidence, entropy and shares of one prediction. pinned: positions (N,)."""
    log_p = log_probs(prediction.logits)
    together = log_p.topk(CANDIDATES)                                   # (B, L, 3)
    best, token_ids = together.values[..., 0], together.indices[..., 0]
    tops = {name: part.topk(SUPPORT) for name, part in prediction.parts.items()}
    given = torch.zeros(token_ids.shape[1], dtype=torch.bool, device=token_ids.device)
    given[pinned] = True
    return {
        "token_ids": token_ids, "rival_ids": together.indices[..., 1], "confidence": best.exp(), "entropy": entropy(log_p),
        "changed": torch.zeros_like(token_ids, dtype=torch.bool) if previous is None else token_ids != previous,
        "share": shares(prediction, token_ids) if prediction.parts else {}, "weight": prediction.weights, "pinned": given,
        "candidates": {TOGETHER: (together.values, together.indices),
                       **{name: (t.values[..., :CANDIDATES], t.indices[..., :CANDIDATES]) for name, t in tops.items()}},
        "disagreement": disagreement(prediction, [top.indices for top in tops.values()])}
