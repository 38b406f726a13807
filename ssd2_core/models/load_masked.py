"""Loads masked diffusion LMs in their public layouts onto the networks of transformers. No code of a model is ever run."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedConfig

from ..errors import ModelError
from ..registry.cards import read_card
from ..registry.vocabulary import count, table_of
from ..text.chat_template import read_chat_template
from ..text.ends import ends_of
from ..text.prompts import prompt_format
from .device_map import load_weights
from .masked import MaskedConfig, MaskedModel
from .next_token import NextTokenConfig
from .public_layouts import LAYOUTS, PublicLayout, sees_blocks


def network_config(folder: Path, model_id: str) -> tuple[dict, PublicLayout, PreTrainedConfig]:
    """The config.json of the checkpoint in ``folder``, its layout, and the config of its network. Raises ModelError."""
    raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    layout = LAYOUTS.get(raw.get("model_type", ""))
    if layout is None:
        raise ModelError(f"{model_id} ({raw.get('model_type')}) is no masked diffusion LM that is known here.")
    try:
        return raw, layout, layout.config(raw)
    except KeyError as error:
        raise ModelError(f"The config.json of {model_id} has no {error.args[0]}, which a {layout.title} model needs.") from None


def load_network(folder: Path, model_id: str, layout: PublicLayout, config: PreTrainedConfig, dtype: str,
                 where: dict) -> torch.nn.Module:
    """The network in ``folder`` with its weights, renamed while they are read. Raises ModelError."""
    loader = AutoModelForCausalLM if layout.caches else AutoModelForMaskedLM
    return load_weights(loader, model_id, config, dtype, where, pretrained_model_name_or_path=folder, trust_remote_code=False,
                        key_mapping=dict(layout.names) or None).requires_grad_(False)


def load_masked(folder: Path, model_id: str, tokenizer: Tokenizer, dtype: str, where: dict) -> MaskedModel:
    """The expert in ``folder``. dtype, where: as for ``from_pretrained``. Raises ModelError."""
    raw, layout, config = network_config(folder, model_id)
    table = table_of(folder / "tokenizer.json")
    mask = mask_id(raw, layout, table, model_id)
    size = max(count(table), mask + 1)
    check_rows(model_id, size, config.vocab_size)
    lm = load_network(folder, model_id, layout, config, dtype, where)
    return MaskedModel(lm, MaskedConfig(
        **about(folder, model_id, tokenizer, config, size), mask_token_id=mask,
        pad_token_id=None if layout.from_prompt else raw.get("pad_token_id"), from_prompt=layout.from_prompt,
        blocks=sees_blocks(layout, f"{model_id} {folder.resolve().name}"), shift=layout.shift, caches=layout.caches,
        own=layout.own))


def check_rows(model_id: str, size: int, rows: int) -> None:
    """Raise ModelError where a network has no row for each of ``size`` tokens."""
    if size > rows:
        raise ModelError(f"{model_id} has the token id {size - 1}, its network only {rows} rows; they do not belong together.")


def about(folder: Path, model_id: str, tokenizer: Tokenizer, config: PreTrainedConfig, size: int) -> dict:
    """What a NextTokenConfig must know of the checkpoint in ``folder``. size: tokens that it may say."""
    card, ends = read_card(folder, model_id, "folder"), ends_of(folder, tokenizer)
    template = read_chat_template(folder, tokenizer, model_id, next(iter(ends), None))
    positions = getattr(config, "max_position_embeddings", None) or NextTokenConfig.max_context
    return {"role": card.role, "vocab_size": size, "eos_token_id": template.eos if template else prompt_format(tokenizer).eos,
            "more_ends": ends, "title": card.title, "license": card.license, "chat_template": template,
            "tokenizer_hash": card.tokenizer_hash, "num_parameters": card.parameters, "max_positions": positions,
            "max_context": min(NextTokenConfig.max_context, positions)}


def mask_id(raw: dict, layout: PublicLayout, table: dict[str, int], model_id: str) -> int:
    """The id of the mask token: as config or tokenizer say, or the next free one where it is added on loading (A2D)."""
    if isinstance(raw.get("mask_token_id"), int):
        return raw["mask_token_id"]
    for name in layout.masks:
        if name in table:
            return table[name]
    if layout.blocks is None:
        return count(table)
    raise ModelError(f"{model_id} has no mask token: neither its config.json nor its tokenizer names "
                     f"{' or '.join(layout.masks)}.")
