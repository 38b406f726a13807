"""The recipe of the bundled attribute model: does a text praise or complain? Synthetic sentences, a minute on a CPU."""

import argparse
import json
import math
import random
from itertools import count
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import nn

from ..config import check_int
from ..models.attribute_model import AttributeModel, save
from ..registry.cards import BUNDLED, tokenizer_hash
from .data.sentiment import sentence
from .loop import LoopParams, Moment, train

BATCH, PAD, HELD_OUT, LEARNING_RATE = 64, 0, 2000, 2e-3
CARD = """---
license: apache-2.0
language: en
---
# Sentiment, for guidance

Whether a text praises or complains: {parameters:,} parameters (an embedding, one convolution, mean and max) over the vocabulary
of the compact experts (hash {hash}). It reads distributions of tokens, so its gradient can pull an answer while it is written.

- Data: synthetic sentences (`ssd2_core/training/data/sentiment.py`), nothing was downloaded.
- Recipe: `python -m ssd2_core train sentiment`, {steps} steps of {batch} sentences, AdamW, learning rate {rate:g}, seed {seed}.
- Measured: right on {accuracy:.3f} of {held_out:,} fresh sentences that praise or complain, made from the same tables.
- Limits: it knows the words of its tables and simple denials, no irony. Guidance with it is a demonstration of the method.

Licence: Apache-2.0.
"""


def add_arguments(parser: argparse.ArgumentParser, _: str) -> None:
    """The command line of this recipe."""
    parser.add_argument("--out", type=Path, default=Path("assets/attributes/sentiment"))
    parser.add_argument("--tokenizer", type=Path, default=BUNDLED / "compact-core" / "tokenizer.json")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)


class SentimentLoss(nn.Module):
    """Binary cross-entropy of how good a text is, as the loop wants it."""

    def __init__(self, model: AttributeModel):
        super().__init__()
        self.model = model

    def forward(self, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor], moment: Moment) -> dict[str, torch.Tensor]:
        probs, counts, good = batch
        return {"loss": torch.nn.functional.binary_cross_entropy_with_logits(self.model(probs, counts), good)}


def batch(tokenizer: Tokenizer, rng: random.Random, vocab_size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Distributions (B, L, V), which positions count (B, L), and how good each text is (B,)."""
    drawn = [sentence(rng) for _ in range(BATCH)]
    ids = [e.ids for e in tokenizer.encode_batch([text for text, _ in drawn], add_special_tokens=False)]
    length = max(map(len, ids))
    table = torch.tensor([row + [PAD] * (length - len(row)) for row in ids])
    counts = torch.tensor([[1.0] * len(row) + [0.0] * (length - len(row)) for row in ids])
    sharp = torch.nn.functional.one_hot(table, vocab_size).float()
    keep = torch.tensor([rng.uniform(0.3, 1.0) for _ in ids]).view(-1, 1, 1)        # an answer that is being written is unsure
    return keep * sharp + (1 - keep) / vocab_size, counts, torch.tensor([good for _, good in drawn])


def run(args: argparse.Namespace) -> int:
    """Train, measure on fresh sentences, write the folder with its card."""
    torch.manual_seed(args.seed)
    steps, tokenizer = check_int("steps", args.steps, 1, 10**6), Tokenizer.from_file(str(args.tokenizer))
    vocab_size = tokenizer.get_vocab_size()
    model, rng = AttributeModel(vocab_size), random.Random(args.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    params = LoopParams(steps, LEARNING_RATE, warmup=1, lowest=1.0, clip=math.inf, cpu=True)
    train(SentimentLoss(model), [optimizer], lambda *_: (batch(tokenizer, rng, vocab_size) for _ in count()), params)
    accuracy = measure(model, tokenizer, random.Random(f"held out {args.seed}"))
    name = tokenizer_hash(args.tokenizer)
    save(model, args.out, {"name": "sentiment", "tokenizer_hash": name, "measured": {"sentences": round(accuracy, 4)}})
    parameters = sum(p.numel() for p in model.parameters())
    card = CARD.format(parameters=parameters, hash=name, steps=steps, batch=BATCH, rate=LEARNING_RATE, seed=args.seed,
                       accuracy=accuracy, held_out=HELD_OUT)
    (args.out / "README.md").write_text(card, encoding="utf-8")
    print(json.dumps({"parameters": parameters, "accuracy": round(accuracy, 4), "out": str(args.out)}))
    return 0


@torch.no_grad()
def measure(model: AttributeModel, tokenizer: Tokenizer, rng: random.Random) -> float:
    """Share of sentences with an opinion that are told right."""
    right = total = 0
    while total < HELD_OUT:
        probs, counts, good = batch(tokenizer, rng, model.sizes["vocab_size"])
        said, sure = model(probs, counts) > 0, good != 0.5
        right, total = right + int(((said == (good > 0.5)) & sure).sum()), total + int(sure.sum())
    return right / total
