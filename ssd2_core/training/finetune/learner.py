"""A small expert that learns a visitor's texts, whatever its kind: a whole simplex model, or an adapter on a causal LM.

Also the recipe ``python -m ssd2_core train personalise``.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch

from ...config import check_float, check_int
from ...registry.cards import locate, read_card
from ...text.documents import read_path
from .adapter import AdapterLearner
from .finetune import FinetuneParams, SimplexLearner, Tell


class Learner(Protocol):
    """An expert in memory that can be fine-tuned, by itself and in place."""

    def answers(self, asked: list[tuple[str, str]]) -> list[str]:
        """What it answers to (question, document or "") pairs."""

    def learn(self, texts: list[str], seconds: float, steps: int | None = None, tell: Tell | None = None,
              stopped: Callable[[], bool] = lambda: False) -> list[dict]:
        """Train until ``seconds`` or ``steps`` are over, and keep what answered most questions made from the texts.

        -> rows {"step", "loss", "right", "minutes", ...}. tell: (step, loss, seconds left) after each step. stopped: asked
        before each step. Raises DocumentError for texts in which nothing can be asked for.
        """

    def save(self, folder: Path, title: str, summary: str) -> None:
        """Write it as a model folder under this name."""


def load_learner(user: str) -> Learner:
    """The expert of this id or folder. Raises ModelError."""
    folder, source = locate(user)
    card = read_card(folder, user, source)
    return AdapterLearner(folder, user) if card.kind == "next-token" else SimplexLearner(user)


def add_arguments(parser: argparse.ArgumentParser, _: str) -> None:
    """The command line of this recipe."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--user", default="compact-reader", help="the small expert that learns: bundled id or folder")
    parser.add_argument("--out", type=Path, default=Path("runs/personal"))
    parser.add_argument("--steps", type=int, help="at most so many; as many as fit the minutes when left out")
    parser.add_argument("--minutes", type=float, default=FinetuneParams.seconds / 60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--title", default="Mine")


def run(args: argparse.Namespace) -> int:
    """Train, print how it goes, and write the expert as a model folder."""
    steps = None if args.steps is None else check_int("steps", args.steps, 1, 10**6)
    seconds = 60 * check_float("minutes", args.minutes, 0.05, 600)
    torch.set_num_threads(check_int("threads", args.threads, 1, 256))
    texts = [read_path(path).text for path in args.files]
    learner = load_learner(args.user)

    def tell(step: int, loss: float, left: float) -> None:
        if step % 20 == 0:
            print(f"step {step}, loss {loss:.3f}, {max(0, left):.0f} s left", flush=True)

    curve = learner.learn(texts, seconds, steps, tell)
    learner.save(args.out, args.title, f"Has memorised {len(texts)} documents.")
    best = max(row["right"] for row in curve)
    print(f"{args.out}: {best:.0%} of the questions made from the texts are answered without them")
    return 0
