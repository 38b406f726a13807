"""Muon: momentum whose matrices are made orthogonal before each step (Jordan et al., 2024), in float32.

``torch.optim.Muon`` computes in bfloat16, which most CPUs only emulate: there one step of it costs more than the gradient.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.775, 2.0315)       # of the quintic Newton-Schulz step


def orthogonal(stack: Tensor, steps: int = 5) -> Tensor:
    """The nearest matrices with singular values around 1, by Newton-Schulz iteration. (n, rows, columns) -> same."""
    a, b, c = COEFFICIENTS
    wide = stack.shape[-2] <= stack.shape[-1]
    x = stack if wide else stack.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay, its steps scaled to the size of AdamW's (Liu et al., 2025)."""

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float = 0.05, momentum: float = 0.95):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One step for every matrix; those of one shape are done together."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    alike[p.shape].append(p)
            for shape, matrices in alike.items():
                updates = orthogonal(torch.stack([self._momentum(p, group["momentum"]) for p in matrices]))
                scale = group["lr"] * 0.2 * max(shape) ** 0.5
                for p, update in zip(matrices, updates, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-scale)

    def _momentum(self, p: Tensor, beta: float) -> Tensor:
        state = self.state[p]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        buffer = state["momentum"]
        buffer.lerp_(p.grad, 1 - beta)
        return p.grad.lerp(buffer, beta)


def muon_and_adamw(model: nn.Module, learning_rate: float, weight_decay: float = 0.05) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between embedding and head, at AdamW's scale of steps, and AdamW for all else."""
    embedding = model.get_input_embeddings().weight
    inner = [p for p in model.parameters() if p.ndim == 2 and min(p.shape) > 1 and p is not embedding]
    other = [p for p in model.parameters() if not any(p is q for q in inner)]
    return [Muon(inner, lr=learning_rate, weight_decay=weight_decay),
            torch.optim.AdamW(other, lr=learning_rate, weight_decay=0.0, betas=(0.9, 0.98))]
