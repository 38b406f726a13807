"""The strict gate for a small model that a visitor sends: one .safetensors file and one small JSON. Imports no torch.

Nothing is unpickled, no class is chosen by the sender, and no path, URL or repository in the JSON is ever looked at: only the
keys in ``manifests`` are known, each with its type and its bounds, and from them follow the names and shapes that the weights
must have.
"""

import contextlib
import json
import os
import re
import shutil
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..config import LIMITS
from ..errors import ModelError
from .cards import ModelCard, list_models, read_card
from .kinds import NEXT_TOKEN
from .manifests import SIZES, AdapterManifest, ModelManifest, read_manifest, shown, strict_json

MAX_HEADER_BYTES = 262_144
MAX_TENSORS = 1_000
BYTES = {"F32": 4, "F16": 2, "BF16": 2}
LORA = re.compile(r"(.+)\.lora_([AB])\.weight")
Manifest = ModelManifest | AdapterManifest


def check_weights_file(name: str, path: Path, sheet: Manifest, max_bytes: int | None = None) -> int:
    """Check size, header, names, shapes and offsets of a safetensors file; nothing of it is loaded. -> parameters.

    Raises ModelError, one sentence with what was expected and what was found.
    """
    size = os.path.getsize(path)
    most = LIMITS.max_model_bytes if max_bytes is None else max_bytes
    if size > most:
        raise ModelError(f"{name} has {size:,} bytes; a small model may have at most {most:,}.")
    with open(path, "rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= size - 8:
            raise ModelError(f"{name} is not a safetensors file, whatever its name says; save the weights with safetensors.")
        if length > MAX_HEADER_BYTES:
            raise ModelError(f"The header of {name} has {length:,} bytes; at most {MAX_HEADER_BYTES:,} are read.")
        header = strict_json(f"The header of {name}", file.read(length))
    if not isinstance(header, dict):
        raise ModelError(f"The header of {name} must be an object.")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(v, str) for v in about.values()):
        raise ModelError(f"The metadata in the header of {name} must be text by name.")
    if len(header) > MAX_TENSORS:
        raise ModelError(f"{name} has {len(header):,} tensors; at most {MAX_TENSORS:,} are read.")
    _check_names(name, header, sheet)
    end = 0
    for tensor, entry in sorted(header.items(), key=lambda item: _begin(name, *item)):
        end = _check_entry(name, tensor, entry, sheet.shapes[tensor], end)
    if end != size - 8 - length:
        raise ModelError(f"{name} has {size - 8 - length:,} bytes of weights where its header describes {end:,}.")
    return sum(_count(shape) for shape in sheet.shapes.values())


def _check_names(name: str, header: dict, sheet: Manifest) -> None:
    wanted = set(sheet.shapes)
    extra, missing = sorted(set(header) - wanted), sorted(wanted - set(header))
    if extra:
        raise ModelError(f"{name} has a tensor {shown(extra[0])}, which a model of this description does not have; expected "
                         f"are {len(wanted)}, such as {min(wanted)}.")
    if missing:
        raise ModelError(f"{name} lacks {len(missing)} of {len(wanted)} tensors, {missing[0]} first.")


def _begin(name: str, tensor: str, entry: object) -> int:
    """Where a tensor begins, for sorting. Raises ModelError unless its entry is well formed."""
    whole = isinstance(entry, dict) and set(entry) == {"dtype", "shape", "data_offsets"}
    offsets = entry["data_offsets"] if whole else None
    if not _numbers(offsets) or len(offsets) != 2:
        raise ModelError(f"The entry of {shown(tensor)} in the header of {name} must have dtype, shape and two data_offsets.")
    return offsets[0]


def _check_entry(name: str, tensor: str, entry: dict, shape: tuple[int, ...], end: int) -> int:
    """Check one tensor that must begin at ``end``. -> where it ends."""
    dtype, found, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BYTES:
        raise ModelError(f"{tensor} in {name} has the dtype {shown(dtype)}; expected is one of {', '.join(BYTES)}.")
    if not _numbers(found) or tuple(found) != shape:
        raise ModelError(f"{tensor} in {name} has the shape {shown(found)}; expected is {list(shape)}.")
    if first != end or last - first != _count(shape) * BYTES[dtype]:
        raise ModelError(f"{tensor} in {name} lies at bytes {shown((first, last))}; expected are {end} to "
                         f"{end + _count(shape) * BYTES[dtype]}, without gaps or overlaps.")
    return last


def _numbers(value: object) -> bool:
    return isinstance(value, list) and len(value) <= 4 and all(type(n) is int and 0 <= n < 2**62 for n in value)


def _count(shape: tuple[int, ...]) -> int:
    out = 1
    for n in shape:
        out *= n
    return out


def examine(weights: Path, weights_name: str, sheet: bytes, sheet_name: str, max_bytes: int | None = None,
            offered: Sequence[ModelCard] | None = None) -> tuple[ModelCard, dict]:
    """The gate: a file of weights and its description. -> the expert it resembles, its config.json. Raises ModelError.

    offered: experts that it may resemble, the bundled ones when left out.
    """
    about, cards = read_manifest(sheet_name, sheet), list_models() if offered is None else offered
    if isinstance(about, AdapterManifest):
        template, about = _adapter_template(about, sheet_name, cards)
        return template, _adapter_config(about, template, check_weights_file(weights_name, weights, about, max_bytes))
    template, config = _template(about, sheet_name, cards)
    return template, _config(about, template, config, check_weights_file(weights_name, weights, about, max_bytes))


def write_folder(place: Path, weights: Path, sheet: bytes, template: ModelCard, config: dict) -> None:
    """A new model folder of what passed the gate. Raises OSError."""
    place.mkdir()
    shutil.copyfile(weights, place / "model.safetensors")
    if template.kind == "simplex":                              # an adapter on a causal LM has the tokenizer of its base
        shutil.copyfile(Path(template.path) / "tokenizer.json", place / "tokenizer.json")
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (place / "sheet.json").write_bytes(sheet)


def unpack(weights: Path, out: Path) -> ModelCard:
    """What a visitor downloaded, a .safetensors file and its .json beside it, as the folder ``out``. Raises ModelError."""
    sheet = weights.with_suffix(".json")
    try:
        template, config = examine(weights, weights.name, sheet.read_bytes(), sheet.name)
        write_folder(out, weights, sheet.read_bytes(), template, config)
    except OSError as error:
        raise ModelError(f"{error.filename or weights} cannot be read or written; give NAME.safetensors with NAME.json beside "
                         "it, and a new folder.") from None
    return read_card(out, str(out), "folder")


def adapter_config(card: ModelCard) -> dict | None:
    """The config.json of an expert that is a low-rank adapter on a causal LM; None for all others."""
    if card.kind != NEXT_TOKEN:
        return None
    with contextlib.suppress(OSError, ValueError):
        config = json.loads((Path(card.path) / "config.json").read_text(encoding="utf-8"))
        return config if config.get("kind") == NEXT_TOKEN and config.get("lora") else None
    return None


def linear_layers(card: ModelCard) -> dict[str, tuple[int, int]]:
    """(rows, columns) of the base's linear layers that an adapter in this folder is on, by path, from its headers alone."""
    out: dict[str, list[int]] = {}
    for path in sorted(Path(card.path).glob("*.safetensors")):
        with open(path, "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        for name, entry in header.items():
            if match := LORA.fullmatch(name):
                out.setdefault(match[1], [0, 0])["BA".index(match[2])] = entry["shape"]["BA".index(match[2])]
    return {path: (rows, columns) for path, (rows, columns) in out.items()}


def _adapter_template(about: AdapterManifest, name: str, cards: Sequence[ModelCard]) -> tuple[ModelCard, AdapterManifest]:
    """The offered adapter over the same base, and ``about`` with that base's layers. ModelError: expected, found."""
    bases = {config["base"]: card for card in reversed(cards) if (config := adapter_config(card))}
    if about.base not in bases:
        raise ModelError(f"{name} is an adapter over {about.base!r}; this service takes those over "
                         f"{', '.join(bases) or 'no base at all'}.")
    template = bases[about.base]
    if about.tokenizer_hash != template.tokenizer_hash:
        raise ModelError(f"{name} says tokenizer_hash {about.tokenizer_hash}; expected is {template.tokenizer_hash}.")
    about = replace(about, linear=linear_layers(template))
    absent = set(about.target_modules) - {path.rpartition(".")[2] for path in about.linear}
    if absent:
        raise ModelError(f"{name} has {min(absent)} among its target_modules, which adapters over {about.base} lack.")
    return template, about


def _adapter_config(about: AdapterManifest, template: ModelCard, count: int) -> dict:
    """The config.json of a visitor's adapter: the template's, with nothing of the visitor's but checked numbers and words."""
    config = adapter_config(template)
    config |= {key: getattr(about, key) for key in ("title", "summary", "license", "role", "memorised")}
    config.pop("measured", None)
    lora = {"r": about.lora_r, "lora_alpha": about.lora_alpha, "target_modules": list(about.target_modules)}
    return config | {"lora": lora, "num_parameters": count}


def _template(about: ModelManifest, name: str, cards: Sequence[ModelCard]) -> tuple[ModelCard, dict]:
    """The bundled expert whose tokenizer and manners the model shares, and its config.json. ModelError: expected, found."""
    cards = [card for card in cards if card.role != "core" and card.kind == "simplex" and card.source == "bundled"]
    if about.base:
        found = [card for card in cards if card.id == about.base]
        if not found:
            raise ModelError(f"{name} is an adapter of {about.base!r}; it can be of {', '.join(card.id for card in cards)}.")
    else:
        found = [card for card in cards if card.tokenizer_hash == about.tokenizer_hash]
        if not found:
            known = ", ".join(sorted({card.tokenizer_hash for card in cards}))
            raise ModelError(f"{name} names the tokenizer {about.tokenizer_hash!r}; expected is one of {known}.")
    card = found[0]
    config = json.loads((Path(card.path) / "config.json").read_text(encoding="utf-8"))
    for key in SIZES if about.base else ("vocab_size",):
        if getattr(about, key) != config["backbone"][key]:
            raise ModelError(f"{name} says {key} {getattr(about, key)}; {card.id} has {config['backbone'][key]}.")
    for key, expected in (("tokenizer_hash", card.tokenizer_hash), ("simplex_value", card.simplex_value)):
        if getattr(about, key) != expected:
            raise ModelError(f"{name} says {key} {getattr(about, key)}; expected is {expected}.")
    if about.base and config.get("base"):
        raise ModelError(f"{about.base} is an adapter itself; send a whole model or an adapter of another expert.")
    return card, config


def _config(about: ModelManifest, template: ModelCard, config: dict, count: int) -> dict:
    """The config.json of a visitor's model: the template's, with nothing of the visitor's but checked numbers and words."""
    config |= {key: getattr(about, key) for key in ("title", "summary", "license", "role", "block_length")}
    config.pop("measured", None)                                # of the template, not of this one
    if about.base:
        lora = {"r": about.lora_r, "lora_alpha": about.lora_alpha, "target_modules": list(about.target_modules)}
        return config | {"base": template.id, "lora": lora, "lora_noisy_only": False,
                         "num_parameters": template.parameters + count}
    config["backbone"] |= {key: getattr(about, key) for key in SIZES}
    config["backbone"] |= {"num_key_value_heads": about.num_attention_heads,
                           "head_dim": about.hidden_size // about.num_attention_heads}
    return config | {"num_parameters": count}
