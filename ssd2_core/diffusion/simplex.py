"""Simplex diffusion as pure functions. Knows nothing of models, experts or blocks that follow each other.

Letters, here and in every module: V vocabulary size, K simplex value (5.0 in SSD-LM), B batch, L block length, T number of
steps, t step from T down to 1, u = t/T in [0, 1], alpha_bar cumulative signal, x_t noisy logits (B, L, V), logits the
denoiser's prediction of the clean tokens (B, L, V).
Source: SSD-LM (arXiv 2210.17432), equations and public code.
"""

import math

import torch
from torch import Tensor

FLOOR = -1e4          # smallest log-probability: keeps a fused sum finite whatever an expert says
TOP_K_PREFIX = 256


def alpha_bar(u: float | Tensor, s: float = 1e-4) -> float | Tensor:
    """Cumulative signal at time u = t/T: f(u) / f(0) with f(u) = cos²((u + s) / (1 + s) · π/2). Cosine schedule of SSD-LM."""
    cos = torch.cos if isinstance(u, Tensor) else math.cos
    start = math.cos(s / (1 + s) * math.pi / 2) ** 2
    return cos((u + s) / (1 + s) * (math.pi / 2)) ** 2 / start


def to_simplex(token_ids: Tensor, vocab_size: int, K: float = 5.0) -> Tensor:
    """Almost-one-hot logits of tokens: +K at the token, -K elsewhere. (...,) ids -> (..., V)."""
    x = torch.full((*token_ids.shape, vocab_size), -K, device=token_ids.device, dtype=torch.float32)
    return x.scatter_(-1, token_ids.unsqueeze(-1), K)


def add_noise(x_0: Tensor, alpha_bar_t: float | Tensor, noise: Tensor) -> Tensor:
    """x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise, noise ~ N(0, K² I). All (B, L, V)."""
    signal = torch.as_tensor(alpha_bar_t, dtype=x_0.dtype, device=x_0.device)
    return signal.sqrt() * x_0 + (1 - signal).clamp_min(0).sqrt() * noise


def nucleus(logits: Tensor, top_p: float) -> Tensor:
    """Mask (..., V) of the smallest set of tokens with total probability above ``top_p``, the best one always in it.

    Looks at the TOP_K_PREFIX best tokens and sorts the whole vocabulary only where they do not reach ``top_p``.
    """
    k = min(TOP_K_PREFIX, logits.shape[-1])
    probs = logits.softmax(-1)
    best, index = probs.topk(k, dim=-1)
    if k < logits.shape[-1] and bool((best.sum(-1) <= top_p).any()):
        best, index = probs.sort(dim=-1, descending=True)
    before = best.cumsum(-1) - best                                      # probability of all better tokens
    keep = before <= top_p
    keep[..., 0] = True
    return torch.zeros_like(probs, dtype=torch.bool).scatter_(-1, index, keep)


def choose(logits: Tensor, kind: str, top_p: float = 0.9, rng: torch.Generator | None = None) -> Tensor:
    """SSD-LM's projections: what the predicted logits (..., V) say is clean, token ids (...) or for "multihot" a mask (..., V).

    kind: "greedy" the argmax; "sampling" a top-p sample drawn with ``rng``; "multihot" the whole nucleus.
    """
    if kind == "greedy":
        return logits.argmax(-1)
    keep = nucleus(logits, top_p)
    if kind == "multihot":
        return keep
    if kind != "sampling":
        raise ValueError(f"projection must be greedy, sampling or multihot, not {kind!r}.")
    probs = logits.masked_fill(~keep, -torch.inf).softmax(-1)
    return torch.multinomial(probs.flatten(0, -2), 1, generator=rng).view(probs.shape[:-1])


def lift(x: Tensor, chosen: Tensor, amount: float) -> None:
    """Add ``amount`` in place where ``chosen`` (see ``choose``) stands in x (..., V)."""
    if chosen.dtype == torch.bool:
        x.add_(chosen, alpha=amount)
    else:
        x.scatter_add_(-1, chosen.unsqueeze(-1), torch.full((*chosen.shape, 1), amount, dtype=x.dtype, device=x.device))


def clean(chosen: Tensor, vocab_size: int, K: float) -> Tensor:
    """x̂_0 in {-K, +K} of what ``choose`` gave, (..., V)."""
    return (chosen.to(torch.float32) * 2 - 1) * K if chosen.dtype == torch.bool else to_simplex(chosen, vocab_size, K)


def log_probs(logits: Tensor) -> Tensor:
    """log_softmax in fp32, floored at FLOOR. (B, L, V) -> (B, L, V)."""
    found = logits.log_softmax(-1, dtype=torch.float32)
    return found.clamp_min(FLOOR) if found.requires_grad else found.clamp_min_(FLOOR)


def entropy(log_probs: Tensor) -> Tensor:
    """Entropy in nats of log-probabilities, (..., V) -> (...)."""
    return -(log_probs.exp() * log_probs).sum(-1)
