"""Folders of trained experts: what is written there, and what says whether a checkpoint belongs to a model."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer

from ..models.ssd2 import SSD2Config, SSD2Model
from ..registry.cards import tokenizer_hash


def save_folder(model: SSD2Model, tokenizer: Tokenizer, folder: Path) -> None:
    """Write config.json, model.safetensors (half precision on disk, loaded as fp32) and tokenizer.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    model.config.tokenizer_hash = tokenizer_hash(folder / "tokenizer.json")
    model.to(torch.float16).save_pretrained(folder)
    model.to(torch.float32)
    config = json.loads((folder / "config.json").read_text())
    config["dtype"] = "float32"
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def identity(config: SSD2Config) -> dict:
    """What a checkpoint's config must share with the run that goes on from it: all but its words and counts."""
    said = json.loads(config.to_json_string(use_diff=False))
    return {k: v for k, v in said.items() if k not in ("title", "summary", "num_parameters", "transformers_version")}
