"""A step for whoever looks at it: candidates, who decided, where the experts disagree. Made only where somebody looks."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import TOGETHER
from .simplex import log_probs
from .step import BlockState, Prediction, Step

CANDIDATES, SUPPORT = 3, 16     # best tokens that are shown, and that disagreement is measured on


@dataclass
class Description:
    """A step for whoever looks at it. runner_up_ids: second candidates (B, L). share, disagreement: see the functions, (B, L).

    candidates: by expert and TOGETHER, (log-probabilities, ids) of the best tokens, both (B, L, 3).
    input_ids, input_mass: what the networks saw, and its probability there, both (B, L); see ``seen``.
    """

    runner_up_ids: Tensor
    share: dict[str, Tensor]
    candidates: dict[str, tuple[Tensor, Tensor]]
    disagreement: Tensor
    input_ids: Tensor
    input_mass: Tensor


def describe(step: Step) -> Description:
    """Candidates, shares and disagreement at the positions that a step predicted."""
    prediction = step.prediction
    together = log_probs(prediction.logits).topk(CANDIDATES)                            # (B, L, 3)
    tops = {name: part.topk(SUPPORT) for name, part in prediction.parts.items()}
    shown = {name: (top.values[..., :CANDIDATES], top.indices[..., :CANDIDATES]) for name, top in tops.items()}
    share = shares(prediction, step.token_ids[:, step.state.window]) if prediction.parts else {}
    return Description(together.indices[..., 1], share,
                       {TOGETHER: (together.values, together.indices), **shown},
                       disagreement(prediction, [top.indices for top in tops.values()]), *seen(step.state))


def seen(state: BlockState) -> tuple[Tensor, Tensor]:
    """What the networks see at a step: token ids and their probabilities, (B, L) each. Ask before the next step is made.

    Of noisy logits the likeliest token of softmax(x_t), which is what a network embeds; of tokens the latest estimates, with
    mass 0 where there is none yet; of masks the mask where a position is not settled, and of random tokens these, with mass 0.
    """
    if state.mask_token_id is not None:
        return state.token_ids.masked_fill(~state.settled, state.mask_token_id), state.settled.float()
    if state.noisy_ids is not None:
        return state.noisy_ids, state.settled.float()
    if state.on_tokens:
        return state.token_ids, state.confidence if state.blank is None else state.confidence * (state.settled | ~state.blank)
    mass, ids = state.x_t.softmax(-1).max(-1)
    return ids, mass


def shares(prediction: Prediction, token_ids: Tensor) -> dict[str, Tensor]:
    """Who decided: s_k = w_k p_k(y) / sum_j w_j p_j(y) for the tokens y (B, L). In [0, 1], sums to 1 over experts."""
    chosen = token_ids.unsqueeze(-1)
    scores = {n: prediction.weights[n].log() + p.gather(-1, chosen).squeeze(-1) for n, p in prediction.parts.items()}
    return dict(zip(scores, torch.stack(list(scores.values())).softmax(0).unbind(0), strict=True))


def disagreement(prediction: Prediction, supports: list[Tensor]) -> Tensor:
    """Jensen-Shannon divergence of the experts under their weights, (B, L) nats: sum_k w_k KL(p_k || sum_j w_j p_j).

    supports: ids (B, L, n) of each expert's best tokens. What is in none of them counts as one token, so it is a lower bound.
    """
    if len(prediction.parts) < 2:
        return torch.zeros(prediction.logits.shape[:2], device=prediction.logits.device)
    ids = torch.cat(supports, -1).sort(-1).values                                       # (B, L, N), some of them twice
    first = torch.cat([torch.ones_like(ids[..., :1], dtype=torch.bool), ids[..., 1:] != ids[..., :-1]], -1)
    found = {n: p.gather(-1, ids).exp() * first for n, p in prediction.parts.items()}
    found = {n: torch.cat([p, (1 - p.sum(-1, keepdim=True)).clamp_min(0)], -1) for n, p in found.items()}
    mixed = sum(prediction.weights[n].unsqueeze(-1) * p for n, p in found.items())
    apart = {n: torch.special.xlogy(p, p) - torch.special.xlogy(p, mixed) for n, p in found.items()}
    return sum(prediction.weights[n] * d.sum(-1) for n, d in apart.items()).clamp_min(0)
