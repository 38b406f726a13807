"""Quick validation while training: share of right answers on questions drawn apart from the reported sets."""

import random

import torch
from tokenizers import Tokenizer

from ..config import EnsembleParams, SamplingParams
from ..diffusion.ensemble import Ensemble
from ..diffusion.sampling import generate
from ..models.context import bind_rows
from ..models.ssd2 import SSD2Model
from .data import documents, general, island
from .data.schema import QA
from .tokenizer import ASSISTANT, DOCUMENT, EOS, USER

ModelManifest = dict[str, list[tuple[QA, str]]]


def sheet(name: str, rng: random.Random, n: int) -> ModelManifest:
    """Held-out questions of an expert's own field and seen ones, as (question, document or "")."""
    if name == "reader":
        seen = [(s.items[0], s.document) for s in (documents.scene(rng, "train") for _ in range(n)) if s.items]
        return {"train": seen, "heldout": [(q, d) for d, q in documents.heldout_set(rng, n)]}
    source = general.general_qa if name == "core" else island.island_qa
    return {split: [(source(rng, split), "") for _ in range(n)] for split in ("train", "heldout")}


def context(tokenizer: Tokenizer, question: str, document: str) -> list[int]:
    """Context ids of one question, as in training."""
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids  # noqa: E731
    start = [DOCUMENT, *encode(document)] if document else []
    return [*start, USER, *encode(question), ASSISTANT]


def answers(experts: dict[str, tuple[SSD2Model, list[list[int]]]], params: EnsembleParams, tokenizer: Tokenizer,
            num_steps: int = 8, max_new_tokens: int = 32) -> list[str]:
    """Answers of an ensemble to many questions at once. experts: by name, a model and its context ids per question."""
    ensemble = Ensemble({n: bind_rows(model, rows) for n, (model, rows) in experts.items()}, params)
    settings = SamplingParams(num_steps=num_steps, block_length=16, max_new_tokens=max_new_tokens)
    blocks = [s.token_ids for s in generate(ensemble, settings, torch.Generator().manual_seed(0)) if s.finished]
    rows = torch.cat(blocks, 1).tolist()
    return [tokenizer.decode(row[:row.index(EOS)] if EOS in row else row).strip() for row in rows]


def answers_alone(model: SSD2Model, tokenizer: Tokenizer, asked: list[tuple[str, str]], num_steps: int = 8,
                  max_new_tokens: int = 16) -> list[str]:
    """What one expert by itself answers to (question, document or "") pairs."""
    rows = [context(tokenizer, question, document) for question, document in asked]
    return answers({"core": (model, rows)}, EnsembleParams(), tokenizer, num_steps, max_new_tokens)


def right_share(model: SSD2Model, tokenizer: Tokenizer, questions: ModelManifest) -> dict[str, float]:
    """Share of answers that contain the right value, per part of the sheet."""
    out = {}
    for part, rows in questions.items():
        said = answers_alone(model, tokenizer, [(qa.question, document) for qa, document in rows], max_new_tokens=32)
        out[part] = sum(qa.value.lower() in text.lower() for (qa, _), text in zip(rows, said, strict=True)) / len(rows)
    return out
