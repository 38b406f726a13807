"""Fuses the predictions of several experts into one. Knows nothing of networks: an expert is any Denoiser.

Product of experts in log space: logits = sum_k w_k · log_softmax(logits_k), sum_k w_k = 1, w_core = 1 - sum(lam).
Source: our design after the abstract of SSD-2 (arXiv 2305.14771).
"""

from collections.abc import Callable, Collection, Iterable, Mapping

import torch
from torch import Tensor

from ..config import CORE, EnsembleParams
from ..errors import ModelError
from .simplex import FLOOR, log_probs
from .step import BlockState, Denoiser, Prediction
from .weights import RULES, adapt, base_weights

Guide = Callable[[Tensor, float], Tensor]


def contrast(with_documents: Tensor, without: Tensor, alpha: float) -> Tensor:
    """(1 + alpha) log p(·|documents, instruction) - alpha log p(·|instruction), renormalised. All (B, L, V)."""
    return log_probs((1 + alpha) * log_probs(with_documents) - alpha * log_probs(without))


def combine(parts: dict[str, Tensor], weights: dict[str, Tensor]) -> Tensor:
    """logits = sum_k w_k log p_k; parts (B, L, V), weights (B, L) -> (B, L, V)."""
    (first, one), *others = parts.items()
    fused = weights[first].unsqueeze(-1) * one
    for name, part in others:
        fused.addcmul_(weights[name].unsqueeze(-1), part)       # in place: what takes long here is memory
    return fused


def ask_together(questions: Iterable[tuple[Denoiser, Tensor, BlockState]]) -> dict[Denoiser, Tensor]:
    """Logits of each expert for its ids and block, one call for those that share a network; others are left to themselves."""
    groups: dict[int, list] = {}
    for question in questions:
        network = getattr(question[0], "network", None)
        if network is not None:
            groups.setdefault(id(network), []).append(question)
    found: dict[Denoiser, Tensor] = {}
    for group in groups.values():
        found |= group[0][0].together(group)
    return found


class Ensemble:
    """Several experts as one Denoiser: ``Ensemble({"core": bound, "me": bound}, EnsembleParams(lam={"me": 0.5}))``.

    ``params`` may be replaced between steps and acts at the next one. ``dropped``: experts left out because they gave values
    that are not finite. ``forwards``: network passes so far. An expert of weight 0 is not run. guide: (fused logits, strength)
    -> logits. silent: experts that have nothing to say, whatever their weight. never: ids that none of them may say. Experts
    that read tokens or masks may have more tokens than the others: those are left out.
    """

    def __init__(self, experts: Mapping[str, Denoiser], params: EnsembleParams, guide: Guide | None = None,
                 silent: Collection[str] = (), never: Collection[int] = ()):
        unknown = set(params.lam) - set(experts)
        if unknown:
            raise ModelError(f"There is a weight for {sorted(unknown)[0]!r}, which is not one of {', '.join(experts)}.")
        sizes, kinds = {name: one.vocab_size for name, one in experts.items()}, {one.reads for one in experts.values()}
        if len(set(sizes.values())) > 1 and "simplex" in kinds:
            raise ModelError(f"Experts must share one vocabulary; these have {sizes} entries.")
        if "simplex" in kinds and len(kinds) > 1 or {"masks", "uniform"} <= kinds:
            raise ModelError(f"Experts that read {' and '.join(sorted(kinds))} cannot write one answer together; choose one "
                             "kind, or next-token models beside masked or uniform ones.")
        masks = {expert.mask_token_id for expert in experts.values()} - {None}
        if len(masks) > 1:
            raise ModelError(f"Masked experts must have one mask token; these have the ids {sorted(masks)}.")
        self.experts, self.params, self.guide, self.silent = dict(experts), params, guide, frozenset(silent)
        self.dropped, self.forwards = [], 0
        first = next(iter(experts.values()))
        self.never = torch.tensor(sorted(never), dtype=torch.long, device=first.device)
        self.vocab_size, self.ends, self.simplex_value = min(sizes.values()), first.ends, first.simplex_value
        self.device, self.batch_size, self.bare = first.device, first.batch_size, None
        order = sorted(experts, key=lambda name: name != CORE)      # how a block settles is the leader's own, if not chosen
        leader = next((experts[name] for name in order if experts[name].reads != "tokens"), first)
        self.reads, self.canvas, self.own, self.lead = leader.reads, leader.canvas, leader.own, leader.lead
        self.mask_token_id, self.draft_masks = next(iter(masks), None), min(one.draft_masks for one in experts.values())

    def __call__(self, ids: Tensor, state: BlockState, known: Mapping[Denoiser, Tensor] | None = None) -> Prediction:
        """ids so far (B, R) and the block -> Prediction with the parts of each expert. known: logits computed in a batch."""
        parts, known = {}, dict(known or {})                      # of experts: log-probabilities, or None where they are lost
        while True:
            weights = self._weights(state.time)
            known |= ask_together((one, ids, state) for one in self.passes(state.time) if one not in known)
            parts |= {n: self._ask(n, ids, state, known) for n, w in weights.items() if w > 0 and n not in parts}
            lost = sorted(name for name, part in parts.items() if part is None)
            if not lost:
                break
            self.dropped += lost
            parts = {name: part for name, part in parts.items() if part is not None}
        if self.params.weights in RULES and len(parts) > 1:
            spread = adapt(parts, weights, self.params.tau, self.params.weights)
        else:
            total = sum(weights[name] for name in parts)
            spread = {name: torch.full_like(state.u[:, state.window], weights[name] / total) for name in parts}
        if self.reads in ("masks", "uniform"):
            spread = self._after_estimates(spread, state)
        prediction = Prediction(combine(parts, spread), parts, spread)
        if len(self.never):
            prediction.logits[..., self.never] = FLOOR
        if self.params.guidance and self.guide is not None:
            prediction.logits = self.guide(prediction.logits, self.params.guidance)
        return prediction

    def _after_estimates(self, weights: dict[str, Tensor], state: BlockState) -> dict[str, Tensor]:
        """Weights (B, W) without those of next-token experts where nothing is estimated before a position yet."""
        known = torch.nn.functional.pad((state.settled | (state.confidence > 0))[:, :-1], (1, 0), value=True)[:, state.window]
        found = {name: weight * known if self.experts[name].reads == "tokens" else weight for name, weight in weights.items()}
        total = sum(found.values())
        return {name: torch.where(total > 0, weight / total, weights[name]) for name, weight in found.items()}

    def passes(self, time: float) -> list[Denoiser]:
        """The experts that the step at t/T will ask, with those without documents that they are contrasted with."""
        asked = [self.experts[name] for name, weight in self._weights(time).items() if weight > 0]
        return [*asked, *(expert.bare for expert in asked if self._is_contrasted(expert))]

    def _weights(self, time: float) -> dict[str, float]:
        left = [name for name in self.experts if name not in self.dropped and name not in self.silent]
        if not left:
            raise ModelError("Every expert gave values that are not finite; choose other models.")
        return base_weights(left, self.params, time)

    def _is_contrasted(self, expert: Denoiser) -> bool:
        return self.params.alpha > 0 and expert is not self.experts.get(CORE) and expert.bare is not None

    def _ask(self, name: str, ids: Tensor, state: BlockState, known: Mapping[Denoiser, Tensor]) -> Tensor | None:
        """Log-probabilities (B, L, V) of an expert; None where they are not finite."""
        expert = self.experts[name]
        found = []
        for one in (expert, expert.bare) if self._is_contrasted(expert) else (expert,):
            found.append((known[one] if one in known else one(ids, state).logits)[..., :self.vocab_size])
            self.forwards += 1
            if not bool(found[-1].sum(dtype=torch.float32).isfinite()):     # as is each number then, without as many booleans
                return None
        return log_probs(found[0] if len(found) == 1 else contrast(*found, self.params.alpha))
