"""Modular control: a small attribute model over the same vocabulary pulls the fused logits its way, by its gradient.

Source: SSD-LM (arXiv 2210.17432), section on classifier guidance: logits += rate · ∇ log p(attribute | softmax(logits)).
"""

import json
import logging
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..config import ASSETS

log = logging.getLogger(__name__)
BUNDLED = ASSETS / "attributes"
RATE = 250.0                    # of a strength of 1: gradients of probabilities that are spread over a vocabulary are small


class AttributeModel(nn.Module):
    """log p(attribute | tokens) of token distributions: embedding, one convolution over neighbours, mean and max.

    It reads distributions (B, L, V), so that its gradient reaches the logits they come from.
    """

    def __init__(self, vocab_size: int, width: int = 32, channels: int = 64):
        super().__init__()
        self.sizes = {"vocab_size": vocab_size, "width": width, "channels": channels}
        self.embedding = nn.Parameter(0.1 * torch.randn(vocab_size, width))
        self.convolution = nn.Conv1d(width, channels, 3, padding=1)
        self.head = nn.Linear(2 * channels, 1)

    def forward(self, probs: Tensor, counts: Tensor | None = None) -> Tensor:
        """Logit of the attribute (B,). counts: (B, L), 0 where a position is no part of the text."""
        counts = probs.new_ones(probs.shape[:2]) if counts is None else counts
        words = (probs @ self.embedding) * counts.unsqueeze(-1)
        found = self.convolution(words.transpose(1, 2)).relu() * counts.unsqueeze(1)                # (B, channels, L)
        mean = found.sum(-1) / counts.sum(-1, keepdim=True).clamp_min(1)
        return self.head(torch.cat([mean, found.amax(-1)], -1)).squeeze(-1)

    def pull(self, logits: Tensor, wanted: bool = True) -> Tensor:
        """∇ log p(attribute | softmax(logits)) with respect to the logits, (B, L, V); of its opposite unless ``wanted``."""
        with torch.enable_grad():
            leaf = logits.detach().to(self.embedding.dtype).requires_grad_()
            found = self(leaf.softmax(-1))
            return torch.autograd.grad(nn.functional.logsigmoid(found if wanted else -found).sum(), leaf)[0]


def guided(model: AttributeModel, logits: Tensor, strength: float) -> Tensor:
    """Logits (B, L, V) pulled towards the attribute, or away from it where ``strength`` is negative."""
    return logits + RATE * abs(strength) * model.to(logits.device).pull(logits, strength > 0)


def save(model: AttributeModel, folder: Path, about: dict) -> None:
    """Write model.safetensors and config.json; ``about`` has name and tokenizer_hash."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(about | model.sizes, indent=2) + "\n", encoding="utf-8")


def load(folder: Path) -> AttributeModel:
    """The attribute model of a folder."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = AttributeModel(config["vocab_size"], config["width"], config["channels"])
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()})
    return model.eval().requires_grad_(False)


def find(tokenizer_hash: str) -> AttributeModel | None:
    """The bundled attribute model that has this vocabulary; None where there is none."""
    for config in sorted(BUNDLED.glob("*/config.json")):
        if json.loads(config.read_text(encoding="utf-8"))["tokenizer_hash"] == tokenizer_hash:
            return _kept(config.parent)
    return None


_kept = lru_cache(8)(load)


def guide_for(tokenizer_hash: str) -> Callable[[Tensor, float], Tensor] | None:
    """(fused logits, strength) -> logits, with the attribute model of this vocabulary; None where there is none."""
    model = find(tokenizer_hash)
    return model and partial(guided, model)
