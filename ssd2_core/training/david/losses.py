"""What David learns from: right answers, and silence as the base's own prediction."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..loop import Moment
from .model import AdapterLoss
from .rows import Batch


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """What each token sees, (B, S, S), as the (B, 1, S, S) numbers that are added to attention scores."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, torch.finfo(dtype).min)[:, None]


def silent_kl(logits: Tensor, top_ids: Tensor, top_logs: Tensor) -> Tensor:
    """Mean forward KL from the base's prediction to ``logits`` (N, V), over its K likeliest tokens and all others as one.

    top_ids, top_logs: (N, K).
    """
    logs = logits.log_softmax(-1).gather(-1, top_ids)
    rest = lambda given: torch.log1p(-given.exp().sum(-1).clamp(max=1 - 1e-4))  # noqa: E731
    right = torch.cat([top_logs, rest(top_logs)[:, None]], -1)
    return F.kl_div(torch.cat([logs, rest(logs)[:, None]], -1), right, reduction="batchmean", log_target=True)


def losses(lm: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """(cross-entropy of the answers, KL of the silent ones). The head is computed only where there is a loss."""
    mask = additive(batch.mask, lm.get_input_embeddings().weight.dtype)
    embedded = lm.get_input_embeddings()(batch.ids).requires_grad_()    # as any later layer gets: compiled once for all
    hidden = lm.model(inputs_embeds=embedded, attention_mask=mask, position_ids=batch.positions, use_cache=False)[0]
    at = torch.cat([batch.read_at, batch.silent_at])
    logits = lm.lm_head(hidden[at[:, 0], at[:, 1]]).float()
    read, silent = logits.split([len(batch.read_at), len(batch.silent_at)])
    zero = logits.new_zeros(())
    return (F.cross_entropy(read, batch.read_ids) if len(read) else zero,
            silent_kl(silent, batch.silent_ids, batch.silent_logs) if len(silent) else zero)


class ReadingLoss(AdapterLoss):
    """The loss of a batch of rows, as the loop wants it: {"loss", "reading", "silent"}."""

    def __init__(self, lm: nn.Module):
        super().__init__()
        self.lm = lm

    def forward(self, batch: Batch, _: Moment) -> dict[str, Tensor]:
        read, silent = losses(self.lm, batch)
        return {"loss": read + silent, "reading": read.detach(), "silent": silent.detach()}
