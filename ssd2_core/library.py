"""Models: what is here, where it comes from, whether it fits, and loading. Imports torch only to load.

A model folder holds config.json (SSD2Config), model.safetensors and tokenizer.json. Nothing is ever unpickled and no code of a
model is ever run.
"""

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from .errors import ModelError

log = logging.getLogger(__name__)
BUNDLED = Path(__file__).resolve().parent.parent / "assets" / "models"
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
FILES = ("config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer.json", "README.md")
ROLES = ("core", "reader", "specialist")


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model without loading it. source: "bundled", "folder" or "hub"."""

    id: str
    role: str
    title: str
    summary: str
    parameters: int
    tokenizer_hash: str
    simplex_value: float
    license: str
    source: str
    path: str
    size_bytes: int


@dataclass
class Expert:
    """A loaded model with its tokenizer and card."""

    model: object
    tokenizer: Tokenizer
    card: ModelCard

    def bind(self, prompt: str, documents: list[str] | None = None):
        """This expert after a question, and after documents if it reads them: a Denoiser."""
        from .documents import passages
        from .prompts import contexts
        pieces = [piece for text in documents or [] for piece in passages(text)]
        context = contexts(self.tokenizer, self.model.config, prompt, (), pieces)
        return self.model.bind(context.ids, context.bare_ids)

    def text(self, token_ids) -> str:
        """Text of token ids (a list or a tensor) up to the end-of-text token."""
        from .prompts import answer_text
        return answer_text(self.tokenizer, [int(i) for i in token_ids])


def tokenizer_hash(path: Path) -> str:
    """First 16 hex digits of the sha256 of what decides about ids: model, added tokens, normalizer and pre-tokenizer."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    parts = {key: data.get(key) for key in ("model", "added_tokens", "normalizer", "pre_tokenizer")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def read_card(folder: Path, model_id: str, source: str) -> ModelCard:
    """The card of a model folder. Raises ModelError that says what is missing."""
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ModelError(f"{model_id} has no {name}; a model folder holds config.json, model.safetensors, tokenizer.json.")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError(f"{model_id} has no weights; a .safetensors file was expected beside config.json.")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (ValueError, OSError):
        raise ModelError(f"The config.json of {model_id} is not valid JSON.") from None
    if not isinstance(config, dict) or config.get("model_type") != "ssd2":
        found = config.get("model_type") if isinstance(config, dict) else None
        raise ModelError(f"{model_id} is not a simplex diffusion model: model_type must be 'ssd2', not {found!r}.")
    if config.get("role") not in ROLES:
        raise ModelError(f"The role of {model_id} must be one of {', '.join(ROLES)}, not {config.get('role')!r}.")
    return ModelCard(
        id=model_id, role=config["role"], title=config.get("title") or model_id, summary=config.get("summary", ""),
        parameters=int(config.get("num_parameters", 0)), tokenizer_hash=tokenizer_hash(folder / "tokenizer.json"),
        simplex_value=float(config.get("simplex_value", 5.0)), license=config.get("license", ""), source=source,
        path=str(folder), size_bytes=sum(file.stat().st_size for file in weights))


def list_models() -> list[ModelCard]:
    """Cards of the bundled models, cores first; a broken folder is left out with a warning in the log."""
    cards = []
    for config in sorted(BUNDLED.glob("*/config.json")):
        try:
            cards.append(read_card(config.parent, config.parent.name, "bundled"))
        except (ModelError, ValueError, OSError) as error:
            log.warning("model folder left out: %s", error)
    return sorted(cards, key=lambda card: (ROLES.index(card.role), card.id))


def resolve(model_id: str) -> tuple[Path, str]:
    """Folder and source of a bundled id, a local folder or a Hub id "owner/name", which is downloaded if it is not cached."""
    if not isinstance(model_id, str) or not model_id or "\x00" in model_id:
        raise ModelError(f"A model is named by an id or a folder, not {model_id!r}.")
    if re.fullmatch(r"[A-Za-z0-9._-]+", model_id) and ".." not in model_id and (BUNDLED / model_id).is_dir():
        return BUNDLED / model_id, "bundled"
    if Path(model_id).is_dir():
        return Path(model_id), "folder"
    if not HUB_ID.fullmatch(model_id) or ".." in model_id:
        known = ", ".join(card.id for card in list_models()) or "none"
        raise ModelError(f"There is no model {model_id!r}: give a bundled id ({known}), a folder, or a Hub id owner/name.")
    from huggingface_hub import snapshot_download
    try:
        return Path(snapshot_download(model_id, allow_patterns=list(FILES))), "hub"
    except Exception as error:              # network, missing or private repository: one sentence for all
        log.warning("download of %s failed: %s", model_id, error)
        raise ModelError(f"{model_id} could not be fetched from the Hub; check the name and the connection.") from None


def check_together(cards: list[ModelCard]) -> None:
    """Raise ModelError unless all experts share the first one's vocabulary and simplex value."""
    first = cards[0]
    for card in cards[1:]:
        if card.tokenizer_hash != first.tokenizer_hash:
            raise ModelError(f"{card.id} has another vocabulary than {first.id} (tokenizer {card.tokenizer_hash}, expected "
                             f"{first.tokenizer_hash}); experts must share one.")
        if card.simplex_value != first.simplex_value:
            raise ModelError(f"{card.id} has simplex value {card.simplex_value:g}, {first.id} has {first.simplex_value:g}; "
                             "they must be equal.")


def load(model_id: str, device_map: str | None = None, dtype: str = "auto") -> Expert:
    """Load a model for sampling: on the GPU if there is one, or as ``device_map`` says. Raises ModelError in one sentence.

    dtype: "auto" is bfloat16 on a GPU and float32 on a CPU.
    """
    folder, source = resolve(model_id)
    card = read_card(folder, model_id, source)
    import torch

    from .model import SSD2Model
    if dtype not in ("auto", "float32", "bfloat16", "float16"):
        raise ModelError(f"dtype must be auto, float32, bfloat16 or float16, not {dtype!r}.")
    on_gpu = torch.cuda.is_available() and device_map != "cpu"
    kind = (torch.bfloat16 if on_gpu else torch.float32) if dtype == "auto" else getattr(torch, dtype)
    try:
        model = SSD2Model.from_pretrained(folder, device_map=device_map, dtype=kind, use_safetensors=True,
                                          local_files_only=True).eval()
    except ModelError:
        raise
    except Exception as error:              # a corrupt file, wrong shapes, an unknown device
        log.warning("loading %s failed", model_id, exc_info=error)
        raise ModelError(f"{model_id} could not be loaded: {str(error).splitlines()[0][:160]}") from None
    if on_gpu and device_map is None:
        model = model.to("cuda")
    return Expert(model, Tokenizer.from_file(str(folder / "tokenizer.json")), card)
