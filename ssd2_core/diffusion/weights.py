"""Rules that give each expert its weight at every position, as pure functions. Knows nothing of networks.

All say: w_k ∝ prior_k · exp(score_k / tau), so equal scores leave the prior, and for one user
w_user = sigmoid(logit(lam) + (score_user - score_core) / tau). What is given are log-probabilities (B, L, V) by expert.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..config import CORE, EnsembleParams
from .simplex import entropy

Parts = Mapping[str, Tensor]


def base_weights(names: list[str], params: EnsembleParams, u: float) -> dict[str, float]:
    """Weight of each expert before any adaptation: lam of the users (scheduled over u = t/T), the rest for the core.

    Without a core among ``names`` the users' weights are scaled to sum to 1.
    """
    fade = 1.0 if params.weights != "schedule" else params.schedule_end + (1 - params.schedule_end) * u
    users = {n: params.lam.get(n, 0.0) * fade for n in names if n != CORE}
    if CORE in names:
        return {n: 1.0 - sum(users.values()) if n == CORE else users[n] for n in names}
    total = sum(users.values())
    return {n: w / total if total > 0 else 1 / len(users) for n, w in users.items()}


def certainty(parts: Parts) -> dict[str, Tensor]:
    """-H_k, H_k the expert's entropy in nats: the surer expert gains. Our design. -> (B, L) each."""
    return {name: -entropy(part) for name, part in parts.items()}


def margin(parts: Parts) -> dict[str, Tensor]:
    """Best probability less the second one, in [0, 1]: the more decided expert gains.

    Source: the peakedness of CoCoA (arXiv 2508.17670), alone and for every expert. -> (B, L) each.
    """
    best = {name: part.topk(2).values.exp() for name, part in parts.items()}
    return {name: top[..., 0] - top[..., 1] for name, top in best.items()}


def divergence(parts: Parts) -> dict[str, Tensor]:
    """Jensen-Shannon divergence from the core in bits, in [0, 1], 0 for the core: a user gains where it says something else.

    Without a core there is nothing to differ from: 0 for all. Source: AdaCAD (arXiv 2409.07394), which sets the strength of its
    contrast so. -> (B, L) each.
    """
    core = parts.get(CORE)
    return {name: torch.zeros_like(part[..., 0]) if core is None or name == CORE else jensen_shannon(core, part)
            for name, part in parts.items()}


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """H(m) - (H(p) + H(q)) / 2 in bits, m = (p + q) / 2; p, q log-probabilities (..., V) -> (...)."""
    mixed = torch.logaddexp(p, q) - math.log(2)
    return ((entropy(mixed) - (entropy(p) + entropy(q)) / 2) / math.log(2)).clamp(0, 1)


RULES = {"adaptive": certainty, "divergence": divergence, "margin": margin}


def adapt(parts: Parts, prior: Mapping[str, float], tau: float, rule: str = "adaptive") -> dict[str, Tensor]:
    """The weight of each expert (B, L) under one of RULES; they sum to 1. prior: before any look at a prediction."""
    scores = RULES[rule](parts)
    logs = torch.stack([math.log(prior[name]) + score / tau for name, score in scores.items()])
    return dict(zip(scores, logs.softmax(0).unbind(0), strict=True))
