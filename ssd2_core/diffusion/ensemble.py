"""Fuses the predictions of several experts into one. Knows nothing of networks: an expert is any Denoiser.

Product of experts in log space: logits = sum_k w_k · log_softmax(logits_k), sum_k w_k = 1, w_core = 1 - sum(lam).
Source: our design after the abstract of SSD-2 (arXiv 2305.14771).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..config import CORE, EnsembleParams
from ..errors import ModelError
from .simplex import entropy

FLOOR = -1e4          # smallest log-probability: keeps a fused sum finite whatever an expert says


@dataclass
class Prediction:
    """What a denoiser says about the clean block.

    logits: (B, L, V). parts: log-probabilities (B, L, V) by expert; empty for a single network.
    weights: (B, L) by expert, sums to 1 over experts.
    """

    logits: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)


Guide = Callable[[Tensor, float], Tensor]
Denoiser = Callable[[Tensor, Tensor, float], Prediction]


def log_probs(logits: Tensor) -> Tensor:
    """log_softmax in fp32, floored at FLOOR. (B, L, V) -> (B, L, V)."""
    return logits.float().log_softmax(-1).clamp_min(FLOOR)


def contrast(with_documents: Tensor, without: Tensor, alpha: float) -> Tensor:
    """(1 + alpha) log p(·|documents, instruction) - alpha log p(·|instruction), renormalised. All (B, L, V)."""
    return log_probs((1 + alpha) * log_probs(with_documents) - alpha * log_probs(without))


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


def adapt(parts: dict[str, Tensor], weights: dict[str, float], tau: float) -> dict[str, Tensor]:
    """Per position: w_k ∝ w_k · exp(-H_k / tau), H_k the expert's entropy in nats, so the surer expert gains. -> (B, L).

    For one user: w_user = sigmoid(logit(lam) + (H_core - H_user) / tau).
    """
    prior = {n: torch.tensor(weights[n], dtype=torch.float32).log() for n in parts}
    scores = torch.stack([prior[n].to(p.device) - entropy(p) / tau for n, p in parts.items()])
    return dict(zip(parts, scores.softmax(0).unbind(0), strict=True))


def combine(parts: dict[str, Tensor], weights: dict[str, Tensor]) -> Tensor:
    """logits = sum_k w_k log p_k; parts (B, L, V), weights (B, L) -> (B, L, V)."""
    return sum(weights[n].unsqueeze(-1) * p for n, p in parts.items())


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


class Ensemble:
    """Several experts as one Denoiser: ``Ensemble({"core": bound, "me": bound}, EnsembleParams(lam={"me": 0.5}))``.

    ``params`` may be replaced between steps and acts at the next one. ``dropped``: experts left out because they gave
    values that are not finite. ``forwards``: network passes so far. An expert of weight 0 is not run.
    """

    def __init__(self, experts: dict[str, Denoiser], params: EnsembleParams):
        unknown = set(params.lam) - set(experts)
        if unknown:
            raise ModelError(f"There is a weight for {sorted(unknown)[0]!r}, which is not one of {', '.join(experts)}.")
        sizes = {n: e.vocab_size for n, e in experts.items() if hasattr(e, "vocab_size")}
        if len(set(sizes.values())) > 1:
            raise ModelError(f"Experts must share one vocabulary; these have {sizes} entries.")
        self.experts, self.params = dict(experts), params
        self.dropped: list[str] = []
        self.forwards = 0
        self.guide: Guide | None = None                         # (fused logits, strength) -> logits
        self.given: dict[tuple[str, bool], Tensor] = {}         # by (expert, without documents): logits computed in a batch
        first = next(iter(experts.values()))
        for name in ("vocab_size", "eos_token_id", "simplex_value", "device", "batch_size"):
            if hasattr(first, name):
                setattr(self, name, getattr(first, name))

    def __call__(self, ids: Tensor, x_t: Tensor, u: float) -> Prediction:
        """ids so far (B, R), x_t (B, L, V), u = t/T -> Prediction with the parts of each expert."""
        params = self.params
        weights = base_weights([n for n in self.experts if n not in self.dropped], params, u)
        parts = self._ask(weights, ids, x_t, u)
        lost = set(weights) - set(parts) - {n for n, w in weights.items() if w <= 0}
        if lost:
            self.dropped += sorted(lost)
            weights = base_weights([n for n in self.experts if n not in self.dropped], params, u)
            parts = parts or self._ask(weights, ids, x_t, u)
        if not parts:
            raise ModelError("Every expert gave values that are not finite; choose other models.")
        active = {n: max(weights[n], 0.0) for n in parts}
        total = sum(active.values()) or 1.0
        active = {n: w / total for n, w in active.items()}
        if params.weights == "adaptive" and len(parts) > 1:
            spread = adapt(parts, active, params.tau)
        else:
            spread = {n: torch.full(x_t.shape[:2], w, device=x_t.device, dtype=torch.float32) for n, w in active.items()}
        prediction = Prediction(combine(parts, spread), parts, spread)
        if params.guidance and self.guide is not None:
            prediction.logits = self.guide(prediction.logits, params.guidance)
        for expert in self.experts.values():
            if hasattr(expert, "remember"):
                expert.remember(prediction.logits)
        self.given = {}
        return prediction

    def wanted(self, u: float) -> list[tuple[str, bool]]:
        """The (expert, without documents) passes that the step at u = t/T will make."""
        weights = base_weights([n for n in self.experts if n not in self.dropped], self.params, u)
        names = [n for n, w in weights.items() if w > 0]
        return [(n, False) for n in names] + [(n, True) for n in names if self._has_contrast(n)]

    def _has_contrast(self, name: str) -> bool:
        return self.params.alpha > 0 and name != CORE and getattr(self.experts[name], "has_contrast", False)

    def _ask(self, weights: dict[str, float], ids: Tensor, x_t: Tensor, u: float) -> dict[str, Tensor]:
        """Log-probabilities (B, L, V) of every expert with a weight, without those that are not finite."""
        parts = {}
        for name, weight in weights.items():
            if weight <= 0:
                continue
            expert, given = self.experts[name], self.given.pop((name, False), None)
            logits = (expert(ids, x_t, u) if given is None else expert.take(given)).logits
            self.forwards += 1
            finite = bool(logits.isfinite().all())
            if finite and self._has_contrast(name):
                bare = self.given.pop((name, True), None)
                bare = expert.without_documents(ids, x_t, u).logits if bare is None else bare
                self.forwards += 1
                finite = bool(bare.isfinite().all())
                logits = contrast(logits, bare, self.params.alpha)
            if finite:
                parts[name] = log_probs(logits)
        return parts
