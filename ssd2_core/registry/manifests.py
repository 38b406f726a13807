"""The small JSON beside the weights that a visitor sends: known keys with their types and bounds, and the shapes they imply.

Nothing in it is followed: no path, URL or repository is ever looked at. Imports no torch.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from ..config import LIMITS, SamplingParams, check_choice, check_float, check_int, knobs
from ..errors import LimitError, ModelError
from .kinds import NEXT_TOKEN

FORMAT = "ssd2-user"
MAX_JSON_BYTES = 8_192
MAX_CONFIG_BYTES = 65_536
ROLES = ("reader", "specialist")
ATTENTION, MLP = ("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "up_proj", "down_proj")
SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
WORDS = {"title": 60, "summary": 200, "license": 40, "tokenizer_hash": 64, "base": 120}         # most characters


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


@dataclass(frozen=True)
class AdapterManifest:
    """What the JSON says of a low-rank adapter on a causal LM.

    base: the LM, as the operator's own adapter names it. memorised: it has texts in its weights. linear: the LM's linear layers
    by their path, each (rows, columns): no part of the JSON, see ``uploads.linear_layers``.
    """

    title: str
    role: str
    tokenizer_hash: str
    base: str
    lora_r: int
    lora_alpha: float
    target_modules: tuple[str, ...]
    summary: str = ""
    license: str = ""
    memorised: bool = False
    linear: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the tensors that the weights must hold, no more and no less."""
        out: dict[str, tuple[int, ...]] = {}
        for path, (rows, columns) in self.linear.items():
            if path.rpartition(".")[2] in self.target_modules:
                out |= {f"{path}.lora_A.weight": (self.lora_r, columns), f"{path}.lora_B.weight": (rows, self.lora_r)}
        return out


KEYS = tuple(each.name for each in fields(ModelManifest))
NEEDED = KEYS[:8]
ADAPTER_KEYS = ("kind", *(each.name for each in fields(AdapterManifest) if each.name != "linear"))
ADAPTER_NEEDED = ADAPTER_KEYS[:8]


def write_manifest(config: dict, tokenizer_hash: str, title: str) -> bytes:
    """The JSON that belongs to the weights of a whole model, or of an adapter on a causal LM. config: its config.json."""
    about = {"format": FORMAT, "title": title, "tokenizer_hash": tokenizer_hash}
    if config.get("kind") == NEXT_TOKEN:
        lora = config["lora"]
        about |= {"kind": NEXT_TOKEN, "role": config["role"], "base": config["base"], "lora_r": lora["r"],
                  "lora_alpha": lora["lora_alpha"], "target_modules": lora["target_modules"]}
        about |= {key: config[key] for key in ("summary", "license", "memorised") if key in config}
    else:
        about |= {key: config["backbone"][key] for key in SIZES}
        about |= {key: config[key] for key in ("role", "summary", "license", "simplex_value", "block_length")}
    return json.dumps(about, indent=2).encode()


def sheet_of(name: str, data: bytes) -> bytes:
    """The JSON that belongs to the weights of a model folder whose config.json is ``data``: some of its values, unchecked.

    Raises ModelError when it is not the config.json of a whole small expert, or of an adapter on a causal LM.
    """
    if len(data) > MAX_CONFIG_BYTES:
        raise ModelError(f"{name} has more than {MAX_CONFIG_BYTES:,} bytes; that of a small expert is shorter.")
    config = strict_json(name, data)
    if isinstance(config, dict) and config.get("kind") == NEXT_TOKEN:
        return _sheet(name, config)
    if not isinstance(config, dict) or config.get("model_type") != "ssd2" or not isinstance(config.get("backbone"), dict):
        raise ModelError(f"{name} is not that of a simplex diffusion model; its model_type must be 'ssd2'.")
    if config.get("base") or config["backbone"].get("model_type") != "llama":
        raise ModelError(f"{name} is not that of a whole small expert on a Llama backbone, the one kind that is taken here.")
    heads = config["backbone"].get("num_attention_heads")
    if config["backbone"].get("num_key_value_heads", heads) != heads:
        found = config["backbone"]["num_key_value_heads"]
        raise ModelError(f"{name} has {found!r} key and value heads, expected is {heads!r}.")
    return _sheet(name, config)


def _sheet(name: str, config: dict) -> bytes:
    """The JSON of a config.json that may lack values or have them of the wrong kind. Raises ModelError."""
    try:
        return write_manifest(config, config["tokenizer_hash"], config["title"])
    except KeyError as error:
        raise ModelError(f"{name} lacks {error.args[0]}.") from None
    except TypeError:
        raise ModelError(f"{name} has values of the wrong kind.") from None


def read_manifest(name: str, data: bytes) -> ModelManifest | AdapterManifest:
    """The JSON as a manifest. Raises ModelError or LimitError, each one sentence that names the file."""
    if len(data) > MAX_JSON_BYTES:
        raise ModelError(f"{name} has {len(data):,} bytes; the description of a model has at most {MAX_JSON_BYTES:,}.")
    found = strict_json(name, data)
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise ModelError(f'{name} is not the description of a small model; it must be an object with "format": "{FORMAT}".')
    adapter = found.get("kind") == NEXT_TOKEN
    keys, needed = (ADAPTER_KEYS, ADAPTER_NEEDED) if adapter else (KEYS, NEEDED)
    unknown = sorted(set(found) - set(keys), key=str)
    if unknown:
        raise ModelError(f"{name} has the key {shown(unknown[0])}, which is not one of {', '.join(keys)}; remove it.")
    missing = [key for key in needed if key not in found]
    if missing:
        raise ModelError(f"{name} lacks {', '.join(missing)}; download a model here to see how one looks.")
    try:
        return _checked_adapter(found) if adapter else _checked(found)
    except LimitError as error:
        raise ModelError(f"In {name}, {error}") from None


def _checked(found: dict) -> ModelManifest:
    """Every value with its type and within its bounds. Raises LimitError."""
    words = _words(found)
    sizes = {key: check_int(key, found[key], low, high) for key, low, high in (
        ("hidden_size", 16, 1024), ("intermediate_size", 16, 4096), ("num_hidden_layers", 1, 24),
        ("num_attention_heads", 1, 32), ("vocab_size", 16, 65_536))}
    if sizes["hidden_size"] % (2 * sizes["num_attention_heads"]):
        raise LimitError(f"hidden_size must be an even multiple of num_attention_heads ({sizes['num_attention_heads']}), not "
                         f"{sizes['hidden_size']}.")
    modules = _modules(found.get("target_modules", []))
    adapter, length = bool(words["base"]), knobs(SamplingParams)["block_length"]
    if adapter != bool(modules):
        raise LimitError("base and target_modules belong together: an adapter has both, a whole model neither.")
    return ModelManifest(role=check_choice("role", found["role"], ROLES), target_modules=modules,
                 simplex_value=check_float("simplex_value", found.get("simplex_value", 5.0), 0.5, 50.0),
                 block_length=length.check(found.get("block_length", length.default), LIMITS),
                 lora_r=check_int("lora_r", found.get("lora_r", 0), 1 if adapter else 0, 64 if adapter else 0),
                 lora_alpha=check_float("lora_alpha", found.get("lora_alpha", 0.0), 0.0, 256.0), **words, **sizes)


def _checked_adapter(found: dict) -> AdapterManifest:
    """The same for an adapter on a causal LM."""
    words, modules, memorised = _words(found), _modules(found["target_modules"]), found.get("memorised", False)
    if not modules or not words["base"]:
        raise LimitError("an adapter must name its base and at least one of the target_modules.")
    if not isinstance(memorised, bool):
        raise LimitError(f"memorised must be true or false, not {shown(memorised)}.")
    return AdapterManifest(role=check_choice("role", found["role"], ROLES), lora_r=check_int("lora_r", found["lora_r"], 1, 64),
                           lora_alpha=check_float("lora_alpha", found["lora_alpha"], 0.0, 256.0), target_modules=modules,
                           memorised=memorised, **words)


def _words(found: dict) -> dict[str, str]:
    words = {key: _text(key, found.get(key, ""), most) for key, most in WORDS.items()}
    if not words["title"].strip():
        raise LimitError("title must not be empty.")
    return words


def _modules(found: object) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(m in ATTENTION + MLP for m in found) or len(set(found)) < len(found):
        raise LimitError(f"target_modules must be a list of some of {', '.join(ATTENTION + MLP)}, each once.")
    return tuple(found)


def _text(key: str, value: object, most: int) -> str:
    """``value`` if it is text to show: no control, format or private characters, no surrogates."""
    if not isinstance(value, str) or len(value) > most:
        raise LimitError(f"{key} must be text of at most {most} characters.")
    for place, char in enumerate(value, 1):
        if unicodedata.category(char)[0] == "C":
            raise LimitError(f"{key} has the character U+{ord(char):04X} at position {place}; remove it.")
    return value


def shown(text: object) -> str:
    """Something out of a file, short and printable."""
    return repr(text[:60]) if isinstance(text, str) else repr(text)[:60]


def strict_json(name: str, data: bytes) -> object:
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
