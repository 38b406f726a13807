"""Visitors' own models: each lies in a folder of its own under an id that cannot be guessed, for its owner alone. No torch.

What is kept here is gone when its owner leaves, when it was idle for too long, and at the latest when the service ends.
"""

import json
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..config import Limits
from ..errors import DISK_FULL, BusyError, ModelError
from ..protocol.messages import PRIVATE
from ..registry.cards import ModelCard, list_models, read_card
from ..registry.manifests import write_manifest
from ..registry.uploads import examine, write_folder


@dataclass
class OwnModels:
    """One owner's models by id, in the order they came, and when the owner was last seen."""

    cards: dict[str, ModelCard] = field(default_factory=dict)
    seen: float = field(default_factory=time.monotonic)


class UserModels:
    """The models of all visitors. Every method may be called from any thread. offered: what one of them may resemble."""

    def __init__(self, limits: Limits, offered: Callable[[], list[ModelCard]] = list_models):
        self.limits, self.offered = limits, offered
        self._temporary = tempfile.TemporaryDirectory(prefix="ssd2-visitors-")
        self.folder = Path(self._temporary.name)
        self._by_owner: dict[str, OwnModels] = {}
        self._lock = threading.Lock()

    def add(self, owner: str, weights: Path, weights_name: str, sheet: bytes, sheet_name: str) -> ModelCard:
        """Check a model and keep it for ``owner``. Raises ModelError, BusyError when there is no room."""
        model_id = f"{PRIVATE}{secrets.token_urlsafe(16)}"
        folder = self.folder / model_id
        template, config = examine(weights, weights_name, sheet, sheet_name, self.limits.max_model_bytes, self.offered())
        with self._lock:
            self._check_room(owner, weights.stat().st_size)
            try:
                write_folder(folder, weights, sheet, template, config)
                card = read_card(folder, model_id, "visitor")
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
                raise BusyError(DISK_FULL) from None
            self._put(owner, card)
        return card

    def check_room(self, owner: str) -> None:
        """Raise ModelError or BusyError unless ``owner`` may have one more model."""
        with self._lock:
            self._check_room(owner, 0)

    def keep(self, owner: str, folder: Path) -> ModelCard:
        """Give ``owner`` a model folder that was made here, below ``self.folder``. Raises as ``check_room``."""
        model_id = f"{PRIVATE}{secrets.token_urlsafe(16)}"
        with self._lock:
            self._check_room(owner, 0)
            folder = folder.rename(self.folder / model_id)
            try:
                card = read_card(folder, model_id, "visitor")
                config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
                (folder / "sheet.json").write_bytes(write_manifest(config, card.tokenizer_hash, card.title))
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
                raise BusyError(DISK_FULL) from None
            self._put(owner, card)
        return card

    def cards(self, owner: str) -> list[ModelCard]:
        """The owner's models, oldest first."""
        with self._lock:
            own = self._by_owner.get(owner)
            if own:
                own.seen = time.monotonic()
            return list(own.cards.values()) if own else []

    def owns(self, owner: str, model_id: str) -> bool:
        """Whether the model is there and belongs to ``owner``; nobody owns anything under an empty name."""
        return bool(owner) and any(card.id == model_id for card in self.cards(owner))

    def files(self, owner: str, model_id: str) -> tuple[Path, bytes]:
        """The weights' file and the description of a model. Raises ModelError unless it is the owner's."""
        if not self.owns(owner, model_id):
            raise ModelError("This model is not here any more.")
        return self.folder / model_id / "model.safetensors", (self.folder / model_id / "sheet.json").read_bytes()

    def remove(self, owner: str, model_id: str) -> bool:
        """Delete one model. False when the owner has none of this id."""
        with self._lock:
            own = self._by_owner.get(owner)
            found = own.cards.pop(model_id, None) if own else None
            if found:
                shutil.rmtree(found.path, ignore_errors=True)
            return found is not None

    def disconnect(self, owner: str) -> tuple[str, ...]:
        """Delete all that belongs to ``owner``. -> the ids that are gone."""
        with self._lock:
            own = self._by_owner.pop(owner, OwnModels())
            for card in own.cards.values():
                shutil.rmtree(card.path, ignore_errors=True)
            return tuple(own.cards)

    def sweep(self) -> tuple[str, ...]:
        """Delete what belongs to owners who were not seen for longer than the idle limit. -> the ids that are gone."""
        oldest = time.monotonic() - self.limits.idle_seconds
        with self._lock:
            idle = [owner for owner, own in self._by_owner.items() if own.seen < oldest]
        return tuple(model_id for owner in idle for model_id in self.disconnect(owner))

    def close(self) -> None:
        """Delete everything."""
        self._temporary.cleanup()

    def _put(self, owner: str, card: ModelCard) -> None:
        own = self._by_owner.setdefault(owner, OwnModels())
        own.cards[card.id], own.seen = card, time.monotonic()

    def _check_room(self, owner: str, size: int) -> None:
        own = self._by_owner.get(owner, OwnModels()).cards.values()
        if len(own) >= self.limits.max_own_models:
            raise ModelError(f"You have {len(own)} models here, which is the most; remove one first.")
        used = sum(card.size_bytes for each in self._by_owner.values() for card in each.cards.values())
        if used + size > self.limits.max_visitor_bytes:
            raise BusyError("There is no room for another model on this service now; try again later.")
