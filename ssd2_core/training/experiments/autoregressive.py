"""The autoregressive counterpart of a compact expert: same network, same data, the next token instead of a block out of noise.

It serves one comparison: what fusing experts token by token gains, against fusing them at every denoising step.
"""

import torch
from torch import Tensor
from transformers import DynamicCache

from ...models.context import Context, blocked
from ...models.ssd2 import SSD2Model
from ..batch import Batch


def next_token_loss(model: SSD2Model, batch: Batch, rng: torch.Generator, self_condition: bool) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each answer token after the ones before it. -> (loss, accuracy). The last two arguments are not used."""
    C, (B, N), L = batch.clean.shape[1], batch.targets.shape, batch.block_length
    mask, cache = causal_mask(batch), DynamicCache()
    allowed = blocked(mask, model.dtype)
    model.encode(batch.clean, allowed[..., :C, :C], batch.position[:, :C], cache)
    targets = batch.targets.view(B, N // L, L)
    shown = torch.cat([torch.full_like(targets[..., :1], start_token(model)), targets[..., :-1]], -1).view(B, N)
    logits = model.head(model.trunk(model.get_input_embeddings()(shown), allowed[..., C:, :], batch.position[:, C:], cache))
    each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), reduction="none").view(B, N)
    counted = batch.loss_weight == 1
    accuracy = ((logits.argmax(-1) == batch.targets) & counted).sum() / counted.sum()
    return (each * batch.loss_weight).sum() / batch.loss_weight.sum(), accuracy


def start_token(model: SSD2Model) -> int:
    """The token that stands for "the answer begins": the last kind of segment."""
    return model.config.segment_token_ids[-1]


def causal_mask(batch: Batch) -> Tensor:
    """Who sees whom, as in training on noise, but a block's tokens see only those before them, (B, C + N, C + N)."""
    C = batch.clean.shape[1]
    allowed = batch.mask()
    before = batch.position[:, C:].unsqueeze(1) <= batch.position[:, C:].unsqueeze(2)
    allowed[:, C:, C:] &= before
    return allowed


@torch.no_grad()
def answer_tokens(experts: dict[str, tuple[SSD2Model, list[list[int]]]], weights: dict[str, float], count: int) -> Tensor:
    """Greedy tokens (B, count): at each one the experts' log-probabilities are averaged with ``weights``.

    experts: by name, a model and its context ids per question, as diffusion experts get them.
    """
    contexts = {name: Context(model, rows) for name, (model, rows) in experts.items()}
    any_model, rows = next(iter(experts.values()))
    ids = torch.full((len(rows), 1), start_token(any_model))
    for _ in range(count):
        fused = sum(w * _last(contexts[name], ids).log_softmax(-1) for name, w in weights.items() if w)
        ids = torch.cat([ids, fused.argmax(-1, keepdim=True)], 1)
    return ids[:, 1:]


def _last(context: Context, ids: Tensor) -> Tensor:
    """Logits (B, V) of the token after ``ids`` (B, Q)."""
    model, Q = context.model, ids.shape[1]
    positions = context.valid.long().sum(-1, keepdim=True) + torch.arange(Q)
    causal = torch.ones((Q, Q), dtype=torch.bool).tril().expand(ids.shape[0], Q, Q)
    allowed = torch.cat([context.valid.unsqueeze(1).expand(-1, Q, -1), causal], -1)
    hidden = model.trunk(model.get_input_embeddings()(ids), blocked(allowed, model.dtype), positions, context.cache)
    context.cache.crop(-Q)
    return model.head(hidden[:, -1:])[:, 0]
