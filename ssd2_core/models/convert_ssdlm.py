"""Converts a published SSD-LM checkpoint (a RoBERTa masked-LM folder and two pickled layers) to a model folder of ours.

Offline and on request only: pickles are read by torch's restricted unpickler, which knows tensors and ``nn.Linear`` alone.
Layout: arXiv 2210.17432 and its public code, as on the Hub under xhan77/ssdlm.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import ModelError, reason
from .checkpoints import shape_of
from .ssd2 import SSD2Config

SIDE_FILES = {"embed_sum_layer.pt": ("embed_sum",), "timestep_layer.pt": ("timestep_embedding",)}
BLOCK, MAX_CONTEXT = 25, 200        # as published


def convert_ssdlm(folder: Path, out: Path) -> SSD2Config:
    """Write ``folder`` as config.json, safetensors and tokenizer.json into ``out``. Raises ModelError in one sentence."""
    try:
        backbone = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ModelError(f"{folder} has no config.json that can be read; a RoBERTa masked-LM folder was expected.") from None
    if not isinstance(backbone, dict) or backbone.get("model_type") != "roberta":
        raise ModelError(f"{folder} is not an SSD-LM folder: model_type must be 'roberta'.")
    state = {f"lm.{name}": t for name, t in _backbone_tensors(folder).items()}
    for file, (name,) in SIDE_FILES.items():
        layer = restricted_load(folder / file)
        found = layer.state_dict() if isinstance(layer, nn.Linear) else layer
        if not isinstance(found, dict) or not isinstance(found.get("weight"), Tensor):
            raise ModelError(f"{file} must hold a linear layer or its state dict, not {type(layer).__name__}.")
        state |= {f"{name}.{key}": t for key, t in found.items() if isinstance(t, Tensor)}
    config = SSD2Config(shape_of(backbone), simplex_value=5.0, block_length=BLOCK, self_conditioning=False, context_mode="full",
                        tie_simplex_embedding=False, role="core", title="SSD-LM", summary="Continues a text; no instructions.",
                        license="see the checkpoint's own page", max_context=MAX_CONTEXT, history_turns=0,
                        eos_token_id=backbone.get("eos_token_id"), pad_token_id=backbone.get("pad_token_id"))
    return write_folder(config, state, folder, out)


def restricted_load(file: Path) -> object:
    """What torch saved into ``file``: tensors, plain containers and linear layers, never code. Raises ModelError."""
    try:
        with torch.serialization.safe_globals([nn.Linear]):
            return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"{file.parent} has no {file.name}; copy the whole published folder.") from None
    except Exception as error:              # a file that is no checkpoint fails in any way
        raise ModelError(f"{file.name} cannot be read safely: {reason(error, 120)}.") from None


def _backbone_tensors(folder: Path) -> dict[str, Tensor]:
    files = sorted(folder.glob("*.safetensors"))
    if files:
        return {name: t for file in files for name, t in load_file(file).items()}
    found = restricted_load(folder / "pytorch_model.bin")
    if not isinstance(found, dict) or not all(isinstance(t, Tensor) for t in found.values()):
        raise ModelError("pytorch_model.bin must hold a state dict of tensors.")
    return found


def write_folder(config: SSD2Config, state: dict[str, Tensor], folder: Path, out: Path) -> SSD2Config:
    """Check ``state`` against the network of ``config`` and write both with the tokenizer. Raises ModelError."""
    from ..registry.cards import tokenizer_hash
    from .ssd2 import SSD2Model
    with torch.device("meta"):
        wanted = SSD2Model(config).state_dict()
    tied = {name for name in wanted if name.endswith(("lm_head.weight", "lm_head.decoder.weight", "lm_head.decoder.bias"))}
    missing = [name for name in wanted if name not in state and name not in tied]
    wrong = [name for name, t in state.items() if name in wanted and t.shape != wanted[name].shape]
    if missing or wrong:
        raise ModelError(f"The weights in {folder} do not fit its config.json: {(missing + wrong)[0]} is missing or of another "
                         "size.")
    out.mkdir(parents=True, exist_ok=True)
    save_tokenizer(folder, out)
    config.tokenizer_hash = tokenizer_hash(out / "tokenizer.json")
    config.num_parameters = sum(t.numel() for name, t in wanted.items() if name not in tied)
    from huggingface_hub import save_torch_state_dict
    kept = {name: t.contiguous() for name, t in state.items() if name in wanted}
    save_torch_state_dict(kept, out, max_shard_size="2GB", metadata={"format": "pt"})
    config.save_pretrained(out)
    return config


def save_tokenizer(folder: Path, out: Path) -> None:
    """tokenizer.json of ``folder``, made from its older files where it is not there."""
    if (folder / "tokenizer.json").is_file():
        (out / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
        return
    from transformers import AutoTokenizer
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        tokenizer.backend_tokenizer.save(str(out / "tokenizer.json"))
    except Exception as error:              # whatever an unknown set of files makes transformers say
        raise ModelError(f"{folder} has no tokenizer that can be read ({type(error).__name__}); put tokenizer.json beside "
                         "config.json.") from None
