"""One step of learning drafts: a clean pass of the base, whose keys and values the masks read, and a pass of masks alone.

The base is frozen and its tokens see no mask, so nothing of the clean pass has a gradient: only masks cost a backward pass.
Letters: B answers, S tokens, G groups of K masks in each, H hidden size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.cache_utils import DynamicCache

from ..david.losses import additive
from ..david.model import AdapterLoss, bypassed
from ..loop import Moment
from .answers import Answer

FALL = 0.8                              # weight of the loss at each next mask of a group
IGNORED = -100


@dataclass(frozen=True)
class MaskBatch:
    """ids: (B, S), padded on the right. known: (B, G), the place of the last token that each group sees.

    targets: (B, G, K), what follows each mask; IGNORED beyond the answer's end. reads: whose answers they are.
    """

    ids: Tensor
    known: Tensor
    targets: Tensor
    reads: str

    def to(self, device: torch.device | str) -> "MaskBatch":
        """The same batch on ``device``."""
        return MaskBatch(self.ids.to(device), self.known.to(device), self.targets.to(device), self.reads)


def make_batch(answers: list[Answer], groups: int, masks: int, pad: int, reads: str, rng: torch.Generator) -> MaskBatch:
    """Groups of masks at random places of each answer."""
    longest = max(map(len, answers))
    ids = torch.tensor([[*one.prompt, *one.said, *[pad] * (longest - len(one))] for one in answers])
    begin = torch.tensor([len(one.prompt) - 1 for one in answers])[:, None]
    end = torch.tensor([len(one) for one in answers])[:, None]
    known = begin + (torch.rand(len(answers), groups, generator=rng) * (end - 2 - begin)).long()        # (B, G)
    at = known[..., None] + 2 + torch.arange(masks)                                                     # (B, G, K)
    inside = at < end[..., None]
    targets = ids.gather(1, at.clamp(max=longest - 1).flatten(1)).view(at.shape).masked_fill(~inside, IGNORED)
    return MaskBatch(ids, known, targets, reads)


def mask_logits(lm: nn.Module, batch: MaskBatch) -> Tensor:
    """What is predicted at every mask, (B, G, K, V)."""
    count, groups, masks = *batch.known.shape, batch.targets.shape[-1]
    device = batch.ids.device
    cache = DynamicCache(config=lm.config.get_text_config())
    with torch.no_grad(), bypassed(lm):
        lm.model(input_ids=batch.ids, past_key_values=cache, use_cache=True)
    width, size = batch.ids.shape[1], groups * masks
    known = batch.known.repeat_interleave(masks, 1)                                                     # (B, G K)
    group, order = torch.arange(size, device=device) // masks, torch.arange(size, device=device) % masks
    clean = torch.arange(width, device=device) <= known[..., None]                                     # (B, G K, S)
    own = (group[:, None] == group) & (order[:, None] >= order)                                         # (G K, G K)
    sees = torch.cat([clean, own.expand(count, size, size)], -1)
    dtype = lm.get_input_embeddings().weight.dtype
    embedded = lm.draft_masks.to(dtype).repeat(groups, 1).expand(count, -1, -1)
    hidden = lm.model(inputs_embeds=embedded, attention_mask=additive(sees, dtype), position_ids=known + 1 + order,
                      past_key_values=cache, use_cache=True)[0]
    return lm.lm_head(hidden).float().view(count, groups, masks, -1)


def draft_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of logits (B, G, K, V), weighted by FALL to the power of the mask's place."""
    each = F.cross_entropy(logits.flatten(0, 2), targets.flatten(), ignore_index=IGNORED, reduction="none").view(targets.shape)
    weight = FALL ** torch.arange(targets.shape[-1], device=targets.device) * (targets != IGNORED)
    return (each * weight).sum() / weight.sum().clamp_min(1e-6)


def hits(logits: Tensor, targets: Tensor) -> Tensor:
    """Share of right predictions by the mask's place, (K,)."""
    right, counted = logits.argmax(-1) == targets, targets != IGNORED
    return right.flatten(0, 1).sum(0) / counted.flatten(0, 1).sum(0).clamp_min(1)


class DraftLoss(AdapterLoss):
    """The loss of a batch, as the loop wants it: {"loss", "first"}, the share of right first masks of a group.

    lms: networks by name that share what is trained; a batch says whose answers it holds.
    """

    def __init__(self, lms: dict[str, nn.Module]):
        super().__init__()
        self.lms = nn.ModuleDict(lms)

    def forward(self, batch: MaskBatch, _: Moment) -> dict[str, Tensor]:
        logits = mask_logits(self.lms[batch.reads], batch)
        return {"loss": draft_loss(logits, batch.targets), "first": hits(logits.detach(), batch.targets)[0]}
