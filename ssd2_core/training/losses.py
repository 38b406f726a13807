"""The simplex diffusion loss over a Batch. Source: SSD-LM (arXiv 2210.17432), with self-conditioning."""

import random
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from ..diffusion.simplex import add_noise, alpha_bar, to_simplex
from ..models.context import blocked
from ..models.ssd2 import SSD2Model
from .batch import Batch
from .loop import Moment

Loss = Callable[[SSD2Model, Batch, torch.Generator, bool], tuple[Tensor, Tensor]]


class BatchLoss(nn.Module):
    """A loss of a model as one forward, which is what data-parallel wrappers expect.

    loss: (model, batch, generator, self_condition) -> (loss, accuracy). self_condition: step -> whether it trains with a first
    prediction as its input; in half of the steps, by lot, when left out.
    """

    def __init__(self, model: SSD2Model, loss: Loss, seed: int = 0, self_condition: Callable[[int], bool] | None = None):
        super().__init__()
        self.model, self.loss, self.seed, self.self_condition = model, loss, seed, self_condition or self.by_lot

    def by_lot(self, step: int) -> bool:
        """The same on all devices, which must do the same work."""
        return random.Random(self.seed * 7 + step).random() < 0.5

    def forward(self, batch: Batch, moment: Moment, self_condition: bool | None = None) -> dict[str, Tensor]:
        """-> {"loss", "accuracy" over the answer's tokens}. The noise is the same for the same moment."""
        seed = self.seed * 1_000_003 + moment.step + ((moment.part * 64 + moment.process) << 40)
        half = self.self_condition(moment.step) if self_condition is None else self_condition
        rng = torch.Generator(device=batch.targets.device).manual_seed(seed)
        loss, accuracy = self.loss(self.model, batch, rng, half and self.model.config.self_conditioning)
        return {"loss": loss, "accuracy": accuracy}


def draw_times(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Noise times u in (0.1, 1], denser near 1, where nothing of the answer shows and everything must be decided."""
    return 1 - 0.9 * torch.rand(shape, generator=rng, device=rng.device).square()


def diffusion_loss(model: SSD2Model, batch: Batch, rng: torch.Generator, self_condition: bool) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the clean block tokens, mean over weighted positions. -> (loss, accuracy over the answer's tokens).

    Each block has its own time. self_condition: a first prediction without gradient becomes the second input.
    """
    B, N = batch.targets.shape
    V, K, L = model.lm.config.vocab_size, model.config.simplex_value, batch.block_length
    u = draw_times((B, N // L), rng).repeat_interleave(L, dim=1)                            # (B, N)
    noise = K * torch.randn((B, N, V), generator=rng, device=rng.device)
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
    C, shift = batch.clean.shape[1], model.config.label_shift
    laid = with_lead(batch) if shift else batch
    mask, cache = blocked(laid.mask(), model.dtype), DynamicCache()
    model.encode(batch.clean, mask[..., :C, :C], batch.position[:, :C], cache)

    def predict(previous: Tensor | None) -> Tensor:
        hidden = model.embed_block(x_t, u, previous)
        if shift:
            hidden = after_lead(model, batch, hidden)
        hidden = model.trunk(hidden, mask[..., C:, :], laid.position[:, C:], cache)
        cache.crop(-hidden.shape[1])
        if shift:                                       # each position is read one earlier; the last of a block goes unread
            hidden = hidden.unflatten(1, (-1, batch.block_length + 1))[:, :, :-1].flatten(1, 2)
        return model.head(hidden)

    return predict


def with_lead(batch: Batch) -> Batch:
    """The batch with one more position at the head of each block: the clean token before it, as a part of the block."""
    C, L = batch.clean.shape[1], batch.block_length

    def wider(table: Tensor, step: int) -> Tensor:
        blocks = table[:, C:].unflatten(1, (-1, L))
        return torch.cat([table[:, :C], torch.cat([blocks[..., :1] - step, blocks], -1).flatten(1, 2)], 1)

    return replace(batch, group=wider(batch.group, 0), segment=wider(batch.segment, 0),
                   position=wider(batch.position, 1).clamp_min(0))


def after_lead(model: SSD2Model, batch: Batch, hidden: Tensor) -> Tensor:
    """Block inputs (B, N, H) with the clean token before each block at its head, (B, N + blocks, H)."""
    C, L = batch.clean.shape[1], batch.block_length
    before = (batch.position[:, C::L] - 1).clamp_min(0)
    lead = model.get_input_embeddings()(batch.clean.gather(1, before)).unsqueeze(2)                # (B, blocks, 1, H)
    return torch.cat([lead.to(hidden.dtype), hidden.unflatten(1, (-1, L))], 2).flatten(1, 2)
