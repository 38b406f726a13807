"""Loads DiffusionGemma: its text part, from safetensors. No code of a model is ever run."""

import json
from pathlib import Path

from tokenizers import Tokenizer
from transformers import DiffusionGemmaConfig

from ..errors import ModelError
from ..registry.vocabulary import count, table_of
from .device_map import load_weights
from .load_masked import about, check_rows
from .uniform import TextDiffusionGemma, UniformConfig, UniformModel

OWN = ("t_min", "t_max", "stability_threshold", "confidence_threshold")


def uniform_config(folder: Path, model_id: str) -> DiffusionGemmaConfig:
    """The config of the network in ``folder``. Raises ModelError."""
    config = DiffusionGemmaConfig.from_pretrained(folder)
    if not (config.text_config.num_experts and config.text_config.top_k_experts):
        raise ModelError(f"The config.json of {model_id} names no experts (num_experts, top_k_experts); DiffusionGemma "
                         "has them.")
    return config


def load_uniform(folder: Path, model_id: str, tokenizer: Tokenizer, dtype: str, where: dict) -> UniformModel:
    """The expert in ``folder``. dtype, where: as for ``from_pretrained``. Raises ModelError."""
    config = uniform_config(folder, model_id)
    size = count(table_of(folder / "tokenizer.json"))
    check_rows(model_id, size, config.text_config.vocab_size)
    lm = load_weights(TextDiffusionGemma, model_id, config, dtype, where, pretrained_model_name_or_path=folder,
                      trust_remote_code=False).requires_grad_(False)
    images = (config.boi_token_id, config.eoi_token_id, config.image_token_id)
    never = tuple(i for i in dict.fromkeys(images) if i is not None and i < size)
    return UniformModel(lm, UniformConfig(**about(folder, model_id, tokenizer, config.text_config, size),
                                          own=own_settings(folder), never=never))


def own_settings(folder: Path) -> dict[str, float]:
    """What its generation_config.json says of its sampler."""
    path = folder / "generation_config.json"
    said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found = {name: said.get(name) for name in OWN} | {"entropy_bound": (said.get("sampler_config") or {}).get("entropy_bound")}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}
