"""What is known of models without loading them: which are here, where they come from, which go together. Never imports torch.

A model folder holds config.json (SSD2Config), model.safetensors and tokenizer.json.
"""

import contextlib
import hashlib
import json
import logging
import math
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ..config import ASSETS
from ..errors import ModelError
from .gguf_header import read_gguf
from .kinds import NEXT_TOKEN, SIMPLEX, kind_of
from .model_card import ModelCard, is_compatible
from .own_sampling import own_sampling
from .snapshot import Progress, fetch
from .vocabulary import vocabulary_of

log = logging.getLogger(__name__)
BUNDLED = ASSETS / "models"
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
FILES = ("config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer.json",
         "README.md", "tokenizer_config.json", "chat_template.jinja")
ROLES = ("core", "reader", "specialist")
PAIRS = (("goliath", "david"),)   # cores with the users they were trained beside, best first


def tokenizer_hash(path: Path) -> str:
    """First 16 hex digits of the sha256 of what decides about ids: model, added tokens, normalizer and pre-tokenizer."""
    found = os.stat(path)
    return _tokenizer_hash(str(path), found.st_mtime_ns, found.st_size)


@lru_cache(64)
def _tokenizer_hash(path: str, mtime_ns: int, size: int) -> str:
    """The hash of the file as it was then: every request asks for the cards, and a large vocabulary takes a while to read."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(data, dict) or not isinstance(data.get("model"), dict):
        raise ValueError(f"{path} is not a tokenizer.")
    parts = {key: data.get(key) for key in ("model", "added_tokens", "normalizer", "pre_tokenizer")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def read_card(folder: Path, model_id: str, source: str) -> ModelCard:
    """The card of a model folder, or of a .gguf file. Raises ModelError that says what is missing."""
    if is_gguf(str(folder)):
        return _card_of_gguf(folder, model_id, source)
    _needs(folder, model_id, "config.json")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        raise ModelError(f"The config.json of {model_id} is not valid JSON.") from None
    if not isinstance(config, dict) or not isinstance(config.get("model_type", config.get("kind")), str):
        raise ModelError(f"The config.json of {model_id} does not say its model_type.")
    if config.get("kind") == NEXT_TOKEN and config.get("base"):       # tokenizer and most weights are those of its base
        return _card_of_base(folder, config, model_id, source)
    _needs(folder, model_id, "tokenizer.json")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError(f"{model_id} has no weights; a .safetensors file was expected beside config.json.")
    kind, own = kind_of(config), own_sampling(config, folder, model_id)
    if kind != SIMPLEX:                                                 # an LM of transformers, as it is
        config = {"role": "core", "title": model_id.rstrip("/").rpartition("/")[2], "num_parameters": _numbers(weights),
                  "simplex_value": 0.0, "license": config.get("license", "")}
    if config.get("role") not in ROLES:
        raise ModelError(f"The role of {model_id} must be one of {', '.join(ROLES)}, not {config.get('role')!r}.")
    try:
        hashed = tokenizer_hash(folder / "tokenizer.json")
        vocabulary = vocabulary_of(folder / "tokenizer.json") if kind != SIMPLEX else ""
    except (ValueError, TypeError, KeyError, OSError, RecursionError):
        raise ModelError(f"The tokenizer.json of {model_id} is damaged; fetch or save it again.") from None
    try:
        return ModelCard(
            id=model_id, role=config["role"], title=str(config.get("title") or model_id),
            summary=str(config.get("summary") or ""), parameters=int(config.get("num_parameters", 0)),
            tokenizer_hash=hashed, simplex_value=float(config.get("simplex_value", 5.0)),
            license=str(config.get("license") or ""), measured=_measured(config.get("measured")), source=source,
            path=str(folder), size_bytes=sum(file.stat().st_size for file in weights), kind=kind,
            vocabulary=vocabulary, tokens=str(folder / "tokenizer.json") if vocabulary else "", own=own)
    except (TypeError, ValueError, OverflowError):
        raise ModelError(f"num_parameters and simplex_value of {model_id} must be numbers; correct its config.json.") from None


def _needs(folder: Path, model_id: str, name: str) -> None:
    if not (folder / name).is_file():
        raise ModelError(f"{model_id} has no {name}; a model folder holds config.json, model.safetensors, tokenizer.json.")


def _card_of_base(folder: Path, config: dict, model_id: str, source: str) -> ModelCard:
    """The card of a next-token expert that names its base. Raises ModelError."""
    weights = sorted(folder.glob("*.safetensors"))
    if config.get("lora") and not weights:
        raise ModelError(f"{model_id} has no weights; a .safetensors file was expected beside config.json.")
    try:
        if config["role"] not in ROLES or not re.fullmatch("[0-9a-f]{16}", config["tokenizer_hash"]):
            raise ValueError
        return ModelCard(
            id=model_id, role=config["role"], title=str(config.get("title") or model_id),
            summary=str(config.get("summary") or ""), parameters=int(config["num_parameters"]),
            tokenizer_hash=config["tokenizer_hash"], simplex_value=0.0, license=str(config.get("license") or ""),
            measured=_measured(config.get("measured")), source=source, path=str(folder),
            size_bytes=sum(file.stat().st_size for file in weights), kind=NEXT_TOKEN,
            vocabulary=str(config.get("vocabulary") or ""))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ModelError(f"The config.json of {model_id} needs role ({', '.join(ROLES)}), tokenizer_hash and num_parameters; "
                         "correct it.") from None


def _card_of_gguf(file: Path, model_id: str, source: str) -> ModelCard:
    """The card of a GGUF file, as its header says. Raises ModelError."""
    found = read_gguf(file)
    return ModelCard(id=model_id, role="core", title=found.title, summary="", parameters=found.parameters,
                     tokenizer_hash=found.vocabulary, simplex_value=0.0, license=found.license, measured={}, source=source,
                     path=str(file), size_bytes=file.stat().st_size, kind=NEXT_TOKEN, vocabulary=found.vocabulary)


def _numbers(weights: list[Path]) -> int:
    """How many numbers safetensors files hold; 0 where their headers cannot be read."""
    from safetensors import SafetensorError, safe_open
    total = 0
    for path in weights:
        with contextlib.suppress(SafetensorError, OSError), safe_open(path, "np") as file:
            names = file.keys()
            total += sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    return total


def is_gguf(model_id: str) -> bool:
    """Whether a model is named by a .gguf file that is here."""
    return model_id.endswith(".gguf") and os.path.isfile(model_id)


def _measured(found: object) -> dict[str, float]:
    """The shares in a config.json, without what is none."""
    rows = found.items() if isinstance(found, dict) else ()
    return {str(name): float(share) for name, share in rows if isinstance(share, (int, float)) and 0 <= share <= 1}


def list_models() -> list[ModelCard]:
    """Cards of the bundled models, cores first; a broken folder is left out with a warning in the log."""
    cards = []
    for config in sorted(BUNDLED.glob("*/config.json")):
        try:
            cards.append(read_card(config.parent, config.parent.name, "bundled"))
        except (ModelError, OSError) as error:
            log.warning("model folder left out: %s", error)
    return sorted(cards, key=lambda card: (ROLES.index(card.role), card.id))


def offered_models(named: Iterable[str]) -> list[ModelCard]:
    """The cards of the bundled models and of those ``named`` that are on this disk: their cores first, their users last.

    named: the core of a service and then its users; a causal LM, which is a core as it is, is a reader among these.
    """
    cards = list_models()
    known = {card.id for card in cards}
    core, *users = dict.fromkeys(named)
    more = [local_card(core) if core not in known else None, *(local_card(user) for user in users if user not in known)]
    more = [replace(card, role="reader") if card.id != core and card.kind != SIMPLEX and card.role == "core" else card
            for card in more if card]
    return [*(c for c in more if c.role == "core"), *cards, *(c for c in more if c.role != "core")]


def local_card(model_id: str) -> ModelCard | None:
    """The card of a model that is on this disk, without fetching anything; None for all else and for what is broken."""
    with contextlib.suppress(ModelError, OSError):
        found = here(model_id) or _cached(model_id)
        return read_card(found[0], model_id, found[1]) if found else None
    return None


def here(model_id: str) -> tuple[Path, str] | None:
    """Folder and source of a bundled id, of a local folder, or of a .gguf file, which is its own folder."""
    if not isinstance(model_id, str) or not model_id or "\x00" in model_id:
        raise ModelError(f"A model is named by an id or a folder, not {model_id!r}.")
    if re.fullmatch(r"[A-Za-z0-9._-]+", model_id) and ".." not in model_id and (BUNDLED / model_id).is_dir():
        return BUNDLED / model_id, "bundled"
    if is_gguf(model_id):
        return Path(model_id), "folder"
    # unlike Path.is_dir, os.path.isdir is False for a name too long to exist
    return (Path(model_id), "folder") if os.path.isdir(model_id) else None


def _cached(model_id: str) -> tuple[Path, str] | None:
    """Folder and source of what was fetched from the Hub before."""
    if not HUB_ID.fullmatch(model_id) or ".." in model_id:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError
    with contextlib.suppress(LocalEntryNotFoundError):
        return Path(snapshot_download(model_id, allow_patterns=list(FILES), local_files_only=True)), "hub"
    return None


def preferred_pair() -> tuple[str, ...]:
    """The best bundled core and its users: () where only the compact pair is here, which is the default anyway."""
    for pair in PAIRS:
        cards = [local_card(model_id) for model_id in pair]
        if None not in cards and all(is_compatible(card, cards[0]) for card in cards[1:]):
            return pair
    return ()


def base_id(model_id: str) -> str:
    """The base that a model on this disk names; the model itself where it names none or is not here."""
    found = here(model_id)
    if found and (found[0] / "config.json").is_file():
        with contextlib.suppress(ValueError, OSError, RecursionError):
            config = json.loads((found[0] / "config.json").read_text(encoding="utf-8"))
            return (isinstance(config, dict) and str(config.get("base") or "")) or model_id
    return model_id


def fitting(core: str, users: Iterable[str]) -> tuple[str, ...]:
    """The users that go with a core, as far as their cards can be read here; all of them when the core is not here yet."""
    own = local_card(core)
    cards = {user: local_card(user) for user in users}
    return tuple(user for user, card in cards.items() if own is None or (card is not None and is_compatible(card, own)))


def resolve(model_id: str) -> Path:
    """Folder of a bundled id, a local folder or a Hub id "owner/name", which is downloaded if it is not cached."""
    return locate(model_id)[0]


def locate(model_id: str, progress: Progress | None = None) -> tuple[Path, str]:
    """Folder, as ``resolve`` gives it, and source: "bundled", "folder" or "hub"."""
    found = here(model_id)
    if found:
        return found
    if not HUB_ID.fullmatch(model_id) or ".." in model_id:
        known = ", ".join(card.id for card in list_models()) or "none"
        raise ModelError(f"There is no model {model_id!r}: give a bundled id ({known}), a folder, a .gguf file, or a Hub id "
                         "owner/name.")
    try:
        return fetch(model_id, FILES, progress), "hub"
    except Exception as error:              # network, missing or private repository: one sentence for all
        log.info("download of %s failed", model_id, exc_info=error)
        raise ModelError(f"{model_id} could not be fetched from the Hub; check the name and the connection.") from None
