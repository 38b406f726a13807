"""The strict gate for a small model that a visitor sends: one .safetensors file and one small JSON. Imports no torch.

Nothing is unpickled, no class is chosen by the sender, and no path, URL or repository in the JSON is ever looked at: only the
keys below are known, each with its type and its bounds, and from them follow the names and shapes that the weights must have.
"""

import json
import os
import shutil
import struct
import unicodedata
from dataclasses import dataclass, fields
from pathlib import Path

from ..config import LIMITS, SamplingParams, check_choice, check_float, check_int, knobs
from ..errors import LimitError, ModelError
from .cards import ModelCard, list_models, read_card

FORMAT = "ssd2-user"
MAX_JSON_BYTES = 8_192
MAX_CONFIG_BYTES = 65_536
MAX_HEADER_BYTES = 262_144
MAX_TENSORS = 1_000
BYTES = {"F32": 4, "F16": 2, "BF16": 2}
ROLES = ("reader", "specialist")
ATTENTION, MLP = ("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class ModelManifest:
    """What the JSON beside the weights says: a Llama backbone and how the expert was trained.

    tokenizer_hash: of the vocabulary it shares with its core. base: "" for a whole model, else the bundled expert that a
    low-rank adapter of rank ``lora_r`` in ``target_modules`` belongs to; its sizes are then the base's.
    """

    title: str
    role: str
    tokenizer_hash: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    vocab_size: int
    simplex_value: float = 5.0
    block_length: int = 16
    summary: str = ""
    license: str = ""
    base: str = ""
    lora_r: int = 0
    lora_alpha: float = 0.0
    target_modules: tuple[str, ...] = ()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the tensors that the weights must hold, no more and no less."""
        H, wide = self.hidden_size, self.intermediate_size
        linear = dict.fromkeys(ATTENTION, (H, H)) | {"gate_proj": (wide, H), "up_proj": (wide, H), "down_proj": (H, wide)}
        place = {name: "self_attn" if name in ATTENTION else "mlp" for name in linear}
        out: dict[str, tuple[int, ...]] = {}
        for n in range(self.num_hidden_layers):
            layer = f"lm.model.layers.{n}"
            for name, (rows, columns) in linear.items():
                if not self.base:
                    out[f"{layer}.{place[name]}.{name}.weight"] = (rows, columns)
                elif name in self.target_modules:
                    out[f"{layer}.{place[name]}.{name}.lora_A.default.weight"] = (self.lora_r, columns)
                    out[f"{layer}.{place[name]}.{name}.lora_B.default.weight"] = (rows, self.lora_r)
            if not self.base:
                out |= {f"{layer}.{name}.weight": (H,) for name in ("input_layernorm", "post_attention_layernorm")}
        if self.base:
            return out
        return out | {"lm.model.embed_tokens.weight": (self.vocab_size, H), "lm.model.norm.weight": (H,),
                      "timestep_embedding.weight": (H, 1), "timestep_embedding.bias": (H,), "self_condition.weight": (H, H)}


KEYS = tuple(field.name for field in fields(ModelManifest))
NEEDED = KEYS[:8]


def write_manifest(config: dict, tokenizer_hash: str, title: str) -> bytes:
    """The JSON that belongs to a whole model's weights. config: the config.json of its folder."""
    backbone = config["backbone"]
    about = {key: backbone[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                                            "vocab_size")}
    about |= {key: config[key] for key in ("role", "summary", "license", "simplex_value", "block_length")}
    return json.dumps({"format": FORMAT, "title": title, "tokenizer_hash": tokenizer_hash, **about}, indent=2).encode()


def sheet_of(name: str, data: bytes) -> bytes:
    """The JSON that belongs to the weights of a model folder whose config.json is ``data``: some of its values, unchecked.

    Raises ModelError when it is not the config.json of a whole small expert.
    """
    if len(data) > MAX_CONFIG_BYTES:
        raise ModelError(f"{name} has more than {MAX_CONFIG_BYTES:,} bytes; that of a small expert is shorter.")
    config = _strict_json(name, data)
    if not isinstance(config, dict) or config.get("model_type") != "ssd2" or not isinstance(config.get("backbone"), dict):
        raise ModelError(f"{name} is not that of a simplex diffusion model; its model_type must be 'ssd2'.")
    if config.get("base") or config["backbone"].get("model_type") != "llama":
        raise ModelError(f"{name} is not that of a whole small expert on a Llama backbone, the one kind that is taken here.")
    heads = config["backbone"].get("num_attention_heads")
    if config["backbone"].get("num_key_value_heads", heads) != heads:
        found = config["backbone"]["num_key_value_heads"]
        raise ModelError(f"{name} has {found!r} key and value heads, expected is {heads!r}.")
    try:
        return write_manifest(config, config["tokenizer_hash"], config["title"])
    except KeyError as error:
        raise ModelError(f"{name} lacks {error.args[0]}.") from None
    except TypeError:
        raise ModelError(f"{name} has values of the wrong kind.") from None


def read_manifest(name: str, data: bytes) -> ModelManifest:
    """The JSON as a Sheet. Raises ModelError or LimitError, each one sentence that names the file."""
    if len(data) > MAX_JSON_BYTES:
        raise ModelError(f"{name} has {len(data):,} bytes; the description of a model has at most {MAX_JSON_BYTES:,}.")
    found = _strict_json(name, data)
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise ModelError(f'{name} is not the description of a small model; it must be an object with "format": "{FORMAT}".')
    unknown = sorted(set(found) - set(KEYS), key=str)
    if unknown:
        raise ModelError(f"{name} has the key {_shown(unknown[0])}, which is not one of {', '.join(KEYS)}; remove it.")
    missing = [key for key in NEEDED if key not in found]
    if missing:
        raise ModelError(f"{name} lacks {', '.join(missing)}; download a model here to see how one looks.")
    try:
        return _checked(found)
    except LimitError as error:
        raise ModelError(f"In {name}, {error}") from None


def _checked(found: dict) -> ModelManifest:
    """Every value with its type and within its bounds. Raises LimitError."""
    words = {key: _text(key, found.get(key, ""), most) for key, most in
             (("title", 60), ("summary", 200), ("license", 40), ("tokenizer_hash", 64), ("base", 60))}
    if not words["title"].strip():
        raise LimitError("title must not be empty.")
    sizes = {key: check_int(key, found[key], low, high) for key, low, high in (
        ("hidden_size", 16, 1024), ("intermediate_size", 16, 4096), ("num_hidden_layers", 1, 24),
        ("num_attention_heads", 1, 32), ("vocab_size", 16, 65_536))}
    if sizes["hidden_size"] % (2 * sizes["num_attention_heads"]):
        raise LimitError(f"hidden_size must be an even multiple of num_attention_heads ({sizes['num_attention_heads']}), not "
                         f"{sizes['hidden_size']}.")
    modules = found.get("target_modules", [])
    known = isinstance(modules, list) and all(m in ATTENTION + MLP for m in modules)
    if not known or len(set(modules)) < len(modules):
        raise LimitError(f"target_modules must be a list of some of {', '.join(ATTENTION + MLP)}, each once.")
    adapter, length = bool(words["base"]), knobs(SamplingParams)["block_length"]
    if adapter != bool(modules):
        raise LimitError("base and target_modules belong together: an adapter has both, a whole model neither.")
    return ModelManifest(role=check_choice("role", found["role"], ROLES), target_modules=tuple(modules),
                 simplex_value=check_float("simplex_value", found.get("simplex_value", 5.0), 0.5, 50.0),
                 block_length=length.check(found.get("block_length", length.default), LIMITS),
                 lora_r=check_int("lora_r", found.get("lora_r", 0), 1 if adapter else 0, 64 if adapter else 0),
                 lora_alpha=check_float("lora_alpha", found.get("lora_alpha", 0.0), 0.0, 256.0), **words, **sizes)


def _text(key: str, value: object, most: int) -> str:
    """``value`` if it is text to show: no control, format or private characters, no surrogates."""
    if not isinstance(value, str) or len(value) > most:
        raise LimitError(f"{key} must be text of at most {most} characters.")
    for place, char in enumerate(value, 1):
        if unicodedata.category(char)[0] == "C":
            raise LimitError(f"{key} has the character U+{ord(char):04X} at position {place}; remove it.")
    return value


def _shown(text: object) -> str:
    """Something out of a file, short and printable."""
    return repr(text[:60]) if isinstance(text, str) else repr(text)[:60]


def _strict_json(name: str, data: bytes) -> object:
    """JSON without duplicate keys, NaN or infinity. Raises ModelError."""
    def once(pairs: list[tuple[str, object]]) -> dict:
        out = dict(pairs)
        if len(out) < len(pairs):
            raise ValueError("a key stands twice")
        return out

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not a number")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as error:       # UnicodeDecodeError is a ValueError, too
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).split(":")[0][:80]
        raise ModelError(f"{name} is not plain JSON: {reason}.") from None


def check_weights_file(name: str, path: Path, sheet: ModelManifest, max_bytes: int | None = None) -> int:
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
        header = _strict_json(f"The header of {name}", file.read(length))
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


def _check_names(name: str, header: dict, sheet: ModelManifest) -> None:
    wanted = set(sheet.shapes)
    extra, missing = sorted(set(header) - wanted), sorted(wanted - set(header))
    if extra:
        raise ModelError(f"{name} has a tensor {_shown(extra[0])}, which a model of this description does not have; expected "
                         f"are {len(wanted)}, such as {min(wanted)}.")
    if missing:
        raise ModelError(f"{name} lacks {len(missing)} of {len(wanted)} tensors, {missing[0]} first.")


def _begin(name: str, tensor: str, entry: object) -> int:
    """Where a tensor begins, for sorting. Raises ModelError unless its entry is well formed."""
    whole = isinstance(entry, dict) and set(entry) == {"dtype", "shape", "data_offsets"}
    offsets = entry["data_offsets"] if whole else None
    if not _numbers(offsets) or len(offsets) != 2:
        raise ModelError(f"The entry of {_shown(tensor)} in the header of {name} must have dtype, shape and two data_offsets.")
    return offsets[0]


def _check_entry(name: str, tensor: str, entry: dict, shape: tuple[int, ...], end: int) -> int:
    """Check one tensor that must begin at ``end``. -> where it ends."""
    dtype, found, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BYTES:
        raise ModelError(f"{tensor} in {name} has the dtype {_shown(dtype)}; expected is one of {', '.join(BYTES)}.")
    if not _numbers(found) or tuple(found) != shape:
        raise ModelError(f"{tensor} in {name} has the shape {_shown(found)}; expected is {list(shape)}.")
    if first != end or last - first != _count(shape) * BYTES[dtype]:
        raise ModelError(f"{tensor} in {name} lies at bytes {_shown((first, last))}; expected are {end} to "
                         f"{end + _count(shape) * BYTES[dtype]}, without gaps or overlaps.")
    return last


def _numbers(value: object) -> bool:
    return isinstance(value, list) and len(value) <= 4 and all(type(n) is int and 0 <= n < 2**62 for n in value)


def _count(shape: tuple[int, ...]) -> int:
    out = 1
    for n in shape:
        out *= n
    return out

SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")


def examine(weights: Path, weights_name: str, sheet: bytes, sheet_name: str,
            max_bytes: int | None = None) -> tuple[ModelCard, dict]:
    """The gate: a file of weights and its description. -> the expert it resembles, its config.json. Raises ModelError."""
    about = read_manifest(sheet_name, sheet)
    template, config = _template(about, sheet_name)
    return template, _config(about, template, config, check_weights_file(weights_name, weights, about, max_bytes))


def write_folder(place: Path, weights: Path, sheet: bytes, template: ModelCard, config: dict) -> None:
    """A new model folder of what passed the gate. Raises OSError."""
    place.mkdir()
    shutil.copyfile(weights, place / "model.safetensors")
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


def _template(about: ModelManifest, name: str) -> tuple[ModelCard, dict]:
    """The bundled expert whose tokenizer and manners the model shares, and its config.json. ModelError: expected, found."""
    cards = [card for card in list_models() if card.role != "core" and card.kind == "simplex"]
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
