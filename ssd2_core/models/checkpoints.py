"""Experts adapted from a base: low-rank adapters by peft, and the base's tensors joined with what was trained."""

import hashlib
import logging
import re
from pathlib import Path

import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..errors import DISK_FULL, ModelError, is_disk_full, is_out_of_memory, reason
from ..registry.base_models import Base, Progress, cache_folder
from ..registry.gguf_header import read_gguf
from .device_map import memory_free, size

log = logging.getLogger(__name__)
HALF = 2                        # bytes of a number in half precision
LAYER = re.compile(r"(.*\blayers\.)(\d+)(\..*)")


def shape_of(config: dict) -> dict:
    """A backbone's config.json without what only transformers' own saving needs."""
    drop = ("architectures", "auto_map", "dtype", "torch_dtype", "transformers_version", "_name_or_path", "_model_name_or_path",
            "use_cache")
    return {key: value for key, value in config.items() if key not in drop}


def base_folder(base: Base, progress: Progress | None = None) -> Path:
    """A folder with config.json, safetensors and tokenizer.json of ``base``; a GGUF file is converted once and kept.

    Raises ModelError, one sentence, when a file cannot be converted.
    """
    if base.gguf is None:
        return base.folder
    file = base.folder / base.gguf
    folder = cache_folder() / _kept_as(file)
    if not (folder / "config.json").is_file():
        if progress:
            progress(f"Converting {base.gguf}.", 0.0)
        needed, free = 2 * HALF * read_gguf(file).parameters, memory_free()["cpu"]        # the tensors, and the network
        if needed > free:
            raise ModelError(f"{base.gguf} needs about {size(needed)} of memory to be converted, and {size(free)} are free; "
                             "choose a smaller model.")
        try:
            _convert(base, folder)
        except Exception as error:              # an unknown architecture, a missing tokenizer, whatever transformers raises
            log.info("converting %s failed", file, exc_info=error)
            why = "there is not enough memory for it" if is_out_of_memory(error) else reason(error)
            raise ModelError(DISK_FULL if is_disk_full(error) else f"{base.gguf} could not be converted: {why}.") from None
    return folder


def _kept_as(file: Path) -> str:
    """The name of what is made of a GGUF file; files of one name in several folders are kept apart."""
    found, name = file.stat(), file.name.removesuffix(".gguf")
    if file.parent == cache_folder():
        return f"{name}-{found.st_size}"
    return f"{name}-{hashlib.sha256(f'{file.resolve()} {found.st_mtime_ns} {found.st_size}'.encode()).hexdigest()[:16]}"


def _convert(base: Base, folder: Path) -> None:
    lm, found = AutoModelForCausalLM.from_pretrained(base.folder, gguf_file=base.gguf, dtype=torch.float16,
                                                     output_loading_info=True)
    if found["missing_keys"]:                       # transformers would make them up
        raise ModelError(f"{len(found['missing_keys'])} tensors are missing, {min(found['missing_keys'])} first")
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
