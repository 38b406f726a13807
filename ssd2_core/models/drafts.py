"""Drafts: what follows the first unknown token, guessed at learned masks by an adapter that acts on these alone.

A mask stands for a token that is not known yet; the network predicts there what follows it, as everywhere. At every place that
holds a token the network is its base, untouched, so a draft that the base's own prediction repeats is what it would have
written, however bad the drafts are. Among token ids, mask j of a run of masks is -(j + 1).
Source: the gated adapter of "Your LLM Knows the Future" (arXiv 2507.11851); ours is written after its description.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import ModelError
from .lora import DRAFTS, add_adapter, remove_adapter

FOLDER = "drafts"                       # in the folder of a core
MASKS = "masks"                         # the tensor beside the adapter's: (masks, hidden size)


def masks_of(lm: nn.Module) -> Tensor | None:
    """The embeddings of an LM's draft masks, (masks, H); None where it has none."""
    return getattr(lm, "draft_masks", None)


def with_masks(token_ids: Tensor, blank: Tensor) -> Tensor:
    """Token ids (B, L), with masks where nothing is estimated, (B, L); the first of each run of them is -1."""
    count = blank.long().cumsum(-1)
    before = torch.where(blank, 0, count).cummax(-1).values             # of masks up to the last token
    return torch.where(blank, before - count, token_ids)


def places_of(ids: Tensor) -> Tensor | None:
    """Where masks stand among the ids (B, N) of a pass, all rows in a row; None where none does."""
    masked = (ids < 0).flatten()
    return masked.nonzero().squeeze(-1) if bool(masked.any()) else None


def given(lm: nn.Module, ids: Tensor, places: Tensor | None) -> dict[str, Tensor]:
    """What a network is given for ids (B, N): these, or embeddings where there are masks, at ``places``; see ``places_of``.

    A run that is longer than there are masks ends in the last one again and again.
    """
    if places is None:
        return {"input_ids": ids}
    masks = masks_of(lm)
    embedded = lm.get_input_embeddings()(ids.clamp_min(0))
    which = (-ids - 1).clamp(0, len(masks) - 1)
    return {"inputs_embeds": torch.where((ids < 0).unsqueeze(-1), masks.to(embedded)[which], embedded)}


def add_drafts(lm: nn.Module, settings: dict, tensors: dict[str, Tensor]) -> None:
    """Give ``lm`` a draft adapter. settings: of the adapter, as for ``add_adapter``. Raises ModelError."""
    tensors = dict(tensors)
    masks = tensors.pop(MASKS, None)
    size = lm.get_input_embeddings().weight.shape[-1]
    if masks is None or masks.dim() != 2 or not len(masks) or masks.shape[-1] != size:
        raise ModelError(f"Drafts need a tensor {MASKS!r} of masks by {size}, "
                         f"not {'none' if masks is None else list(masks.shape)}.")
    try:
        add_adapter(lm, DRAFTS, settings, tensors)
    except ModelError:
        remove_adapter(lm, DRAFTS)
        raise
    lm.draft_masks = masks.float()


def load_drafts(lm: nn.Module, folder: Path, base: str) -> None:
    """Give ``lm`` the drafts in a core's folder, if there are any and it has none yet. Raises ModelError.

    base: what the core's config.json calls its base; drafts of another one are refused.
    """
    home = folder / FOLDER
    if not (home / "config.json").is_file() or masks_of(lm) is not None:
        return
    about = json.loads((home / "config.json").read_text(encoding="utf-8"))
    if about.get("base") != base:
        raise ModelError(f"The drafts in {home} are of {about.get('base')!r}, not of {base!r}; train drafts for this base.")
    add_drafts(lm, about["lora"], load_file(home / "model.safetensors"))


def save_drafts(folder: Path, base: str, settings: dict, tensors: dict[str, Tensor]) -> None:
    """Write drafts into a core's folder, in half precision. tensors: as for ``add_drafts``."""
    home = folder / FOLDER
    home.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().half().contiguous() for name, tensor in tensors.items()}, home / "model.safetensors")
    (home / "config.json").write_text(json.dumps({"base": base, "lora": settings}, indent=2) + "\n", encoding="utf-8")
