"""The simplex diffusion loss over a Batch. Source: SSD-LM (arXiv 2210.17432), with self-conditioning."""

from collections.abc import Callable

import torch
from torch import Tensor
from transformers import DynamicCache

from ..model import SSD2Model, blocked
from ..simplex import add_noise, alpha_bar, to_simplex
from .layout import Batch


def draw_times(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Noise times u in (0.1, 1], denser near 1, where nothing of the answer shows and everything must be decided."""
    return 1 - 0.9 * torch.rand(shape, generator=rng).square()


def diffusion_loss(model: SSD2Model, batch: Batch, rng: torch.Generator, self_condition: bool) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the clean block tokens, mean over weighted positions. -> (loss, accuracy over the answer's tokens).

    Each block has its own time. self_condition: a first prediction without gradient becomes the second input.
    """
    B, N = batch.targets.shape
    V, K, L = model.lm.config.vocab_size, model.config.simplex_value, batch.block_length
    u = draw_times((B, N // L), rng).repeat_interleave(L, dim=1)                            # (B, N)
    noise = K * torch.randn((B, N, V), generator=rng)
    x_t = add_noise(to_simplex(batch.targets, V, K), alpha_bar(u).unsqueeze(-1), noise)     # (B, N, V)
    predict = predictor(model, batch, x_t, u)
    previous = None
    if self_condition:
        with torch.no_grad():
            previous = predict(None)
    logits = predict(previous)
    each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), reduction="none").view(B, N)
    loss = (each * batch.loss_weight).sum() / batch.loss_weight.sum()
    with torch.no_grad():
        counted = batch.loss_weight == 1
        accuracy = ((logits.argmax(-1) == batch.targets) & counted).sum() / counted.sum()
    return loss, accuracy


def predictor(model: SSD2Model, batch: Batch, x_t: Tensor, u: Tensor) -> Callable[[Tensor | None], Tensor]:
    """previous logits (B, N, V) or None -> logits (B, N, V). Clean tokens see no block, so they are encoded once."""
    clean = model.get_input_embeddings()(batch.clean)
    C, N = batch.clean.shape[1], batch.targets.shape[1]
    mask, cache = blocked(batch.mask(), clean.dtype), DynamicCache()
    model.trunk(clean, mask[..., :C, :C], batch.position[:, :C], cache)

    def predict(previous: Tensor | None) -> Tensor:
        hidden = model.trunk(model.embed_block(x_t, u, previous), mask[..., C:, :], batch.position[:, C:], cache)
        cache.crop(-N)
        return model.head(hidden)

    return predict
