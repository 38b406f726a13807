"""Experts adapted from a base: low-rank adapters by peft, and the base's tensors joined with what was trained."""

import logging
import re
from pathlib import Path

import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..errors import ModelError
from ..registry.base_models import Base, Progress, cache_folder

log = logging.getLogger(__name__)
LAYER = re.compile(r"(.*\blayers\.)(\d+)(\..*)")


def shape_of(config: dict) -> dict:
    """A backbone's config.json without what only transformers' own saving needs."""
    drop = ("architectures", "auto_map", "dtype", "torch_dtype", "transformers_version", "_name_or_path", "_model_name_or_path",
            "use_cache")
    return {key: value for key, value in config.items() if key not in drop}


def base_folder(base: Base, progress: Progress | None = None) -> Path:
    """A folder with config.json, safetensors and tokenizer.json of ``base``; a GGUF file is converted once and kept."""
    if base.gguf is None:
        return base.folder
    folder = cache_folder() / f"{base.gguf.removesuffix('.gguf')}-{(base.folder / base.gguf).stat().st_size}"
    if not (folder / "config.json").is_file():
        if progress:
            progress(f"Converting {base.gguf}.", 0.0)
        lm = AutoModelForCausalLM.from_pretrained(base.folder, gguf_file=base.gguf, dtype=torch.float32)
        lm.config.quantization_config = None
        del lm.config.quantization_config
        tokenizer = AutoTokenizer.from_pretrained(base.folder, gguf_file=base.gguf)
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save_pretrained(folder)
        tensors = {name: t.to(torch.float16).contiguous() for name, t in lm.state_dict().items()
                   if not (name == "lm_head.weight" and lm.config.tie_word_embeddings)}
        save_file(tensors, folder / "part.safetensors", metadata={"format": "pt"})
        (folder / "part.safetensors").replace(folder / "model.safetensors")
        lm.config.save_pretrained(folder)               # last: it marks the folder as whole
    return folder


def base_tokenizer(folder: Path, base_id: str) -> Tokenizer:
    """The tokenizer of a base that lies in ``folder``. Raises ModelError when there is none that can be read."""
    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception:                   # tokenizers has no exception class of its own
        raise ModelError(f"The base {base_id} has no tokenizer.json that can be read; save one beside its weights, such as by "
                         "AutoTokenizer.from_pretrained(...).save_pretrained(...).") from None


def base_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder's safetensors files."""
    out: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        out.update(load_file(file))
    return out


def joined(config, own: dict[str, Tensor], base: dict[str, Tensor], wanted: set[str]) -> dict[str, Tensor]:
    """State dict of an adapted expert: ``own`` tensors, and under the names still ``wanted`` the base's.

    config.base_layers maps this network's layers to the base's. Raises ModelError when a tensor is nowhere.
    """
    state = dict(own)
    layers = config.base_layers
    for name in wanted - set(own):
        source = name.replace(".base_layer.", ".")
        if source not in base:                  # a base that is an expert itself has our own names
            source = source.removeprefix("lm.")
        match = LAYER.fullmatch(source)
        if match and layers is not None:
            source = f"{match[1]}{layers[int(match[2])]}{match[3]}"
        if source in base:
            state[name] = base[source]
        elif name.endswith("lm_head.weight") and config.tie_word_embeddings:
            continue
        else:
            raise ModelError(f"The tensor {name} is neither in the expert's weights nor in its base {config.base}.")
    return state


def save_adapted(model: nn.Module, folder: Path) -> None:
    """Write config.json and what was trained: the parameters that require a gradient."""
    save_tensors({n: p.detach() for n, p in model.named_parameters() if p.requires_grad}, model.config, folder)


def save_tensors(tensors: dict[str, Tensor], config, folder: Path) -> None:
    """Write config.json and ``tensors`` in half precision, in shards of 15 MB at most."""
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: t.to("cpu", torch.float16).contiguous() for name, t in tensors.items()}
    save_torch_state_dict(half, folder, max_shard_size="15MB", metadata={"format": "pt"})
    config.save_pretrained(folder)
