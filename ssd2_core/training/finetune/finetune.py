"""A small expert learns a visitor's texts by heart: it then answers about them without having them in its context.

It trains on questions that rules make from the texts, asked without the text and at times with it, beside the made-up rows of
its first training, so that it forgets less: to read, and to be unsure of what it cannot know.
"""

import argparse
import copy
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

from ...config import check_float, check_int
from ...errors import DocumentError
from ...evaluation.metrics import exact
from ...models.ssd2 import SSD2Config, SSD2Model
from ...text.documents import read_path
from ..batch import Row
from ..data.general import general_guess
from ..data.schema import QA
from ..loop import FitParams, make_optimizers
from ..losses import diffusion_loss
from ..mixtures import Encoder, RowSource, batches, reader_rows
from ..validation import answers_alone
from .question_generation import Piece, ask, pieces, topic_words

CHECK_EVERY, CHECKED = 60, 24
Tell = Callable[[int, float, float], None]


@dataclass(frozen=True)
class PersonalParams:
    """steps, seconds: training ends at whichever comes first. The rate rises, stays and falls over the steps that fit.

    questions: in a row. replay, reread: shares of rows of the first training, and of rows that have the text to read.
    """

    steps: int = 600
    seconds: float = 170.0
    learning_rate: float = 2e-3
    batch: int = 8
    questions: int = 14
    replay: float = 0.12
    reread: float = 0.13
    seed: int = 0


def personal_rows(encoder: Encoder, texts: list[str], params: PersonalParams) -> RowSource:
    """Rows of questions about the texts: without the text, now and then with it, and rows of the expert's first training."""
    known = [(text, pieces(text), topic_words(text)) for text in texts]
    known = [entry for entry in known if entry[1]]
    everything = [(piece, topic) for _, found, topic in known for piece in found]
    often = [piece.weight for piece, _ in everything]
    replayed = reader_rows(encoder)

    def row(rng: random.Random, step: int) -> Row:
        roll = rng.random()
        if roll < params.replay:
            return replayed(rng, 10**6)
        outside = [general_guess(rng)]
        if roll < params.replay + params.reread:
            text, found, topic = rng.choice(known)
            drawn = rng.choices(found, [piece.weight for piece in found], k=params.questions // 2)
            asked = [ask(rng, piece, topic) for piece in drawn]
            return Row(encoder.text(text)[:400], [encoder.item(qa) for qa in asked + outside])
        asked = [ask(rng, *entry) for entry in rng.choices(everything, often, k=params.questions)]
        return Row([], [encoder.item(qa) for qa in asked + outside])
    return row


def check_sheet(texts: list[str], seed: int = 999) -> list[QA]:
    """Questions to watch the training with, drawn apart from the ones it sees."""
    rng = random.Random(seed)
    known: list[tuple[Piece, tuple[str, ...]]] = [(piece, topic_words(text)) for text in texts for piece in pieces(text)]
    return [ask(rng, *rng.choice(known)) for _ in range(CHECKED)] if known else []


def share_right(model: SSD2Model, tokenizer: Tokenizer, asked: list[QA]) -> float:
    """Share of the questions that the expert answers right by itself, without any text."""
    said = answers_alone(model, tokenizer, [(qa.question, "") for qa in asked], 4)
    return sum(exact(text, qa.value) for text, qa in zip(said, asked, strict=True)) / len(asked)


def personalise(model: SSD2Model, tokenizer: Tokenizer, texts: list[str], params: PersonalParams, tell: Tell | None = None,
                stopped: Callable[[], bool] = lambda: False) -> list[dict]:
    """Train ``model`` in place and return rows {"step", "loss", "seconds", "right"}; the best checked weights are kept.

    tell: (step, loss, seconds left) after each step. stopped: asked before each step. Raises DocumentError for texts in
    which nothing can be asked for.
    """
    if not any(pieces(text) for text in texts):
        raise DocumentError("Nothing in these texts can be asked for; add some sentences.")
    sheet, encoder = check_sheet(texts), Encoder(tokenizer)
    draw = batches(personal_rows(encoder, texts, params), params.batch, params.seed)
    schedule = FitParams(params.steps, params.learning_rate, warmup=20, decay=0.5)
    optimizers, curve, average, best = make_optimizers(model, schedule), [], None, (-1.0, None)
    began, done = time.monotonic(), 0
    for step in range(params.steps):
        spent = time.monotonic() - began
        if spent >= params.seconds or stopped():
            break
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = schedule.rate(min(params.steps - 1, max(step, int(spent / params.seconds * params.steps))))
        rng = torch.Generator().manual_seed(params.seed * 1_000_003 + step)
        model.train()
        loss, _ = diffusion_loss(model, draw(step), rng, step % 2 == 0)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        done = step + 1
        average = loss.item() if average is None else 0.95 * average + 0.05 * loss.item()
        if tell:
            tell(done, average, params.seconds - spent)
        if done % CHECK_EVERY == 0:
            best = _checked(model, tokenizer, sheet, done, average, began, curve, best)
    if done % CHECK_EVERY or not done:
        best = _checked(model, tokenizer, sheet, done, average or 0.0, began, curve, best)
    model.load_state_dict(best[1])
    model.eval()
    return curve


def _checked(model, tokenizer, sheet, step, loss, began, curve, best):
    """Note how many of the sheet's questions are right; the weights are kept when there were never more."""
    model.eval()
    right = share_right(model, tokenizer, sheet)
    seconds = time.monotonic() - began
    curve.append({"step": step, "loss": round(loss, 4), "seconds": round(seconds, 1), "right": round(right, 4)})
    return (right, copy.deepcopy(model.state_dict())) if right >= best[0] else best


def rename(config: SSD2Config, title: str, summary: str) -> None:
    """Say what the taught copy is. What was measured of the original does not hold for it."""
    config.title, config.summary, config.measured = title, summary, {}


def add_parser(recipes) -> None:
    """The command line of this recipe."""
    one = recipes.add_parser("personalise", help="a small expert learns your documents by heart, in minutes on a CPU")
    one.add_argument("files", type=Path, nargs="+", metavar="FILE")
    one.add_argument("--user", default="compact-reader", help="the small expert that learns: bundled id or folder")
    one.add_argument("--out", type=Path, default=Path("runs/personal"))
    one.add_argument("--steps", type=int, default=PersonalParams.steps)
    one.add_argument("--minutes", type=float, default=PersonalParams.seconds / 60)
    one.add_argument("--threads", type=int, default=2)
    one.add_argument("--title", default="Mine")
    one.set_defaults(runs=run)


def run(args: argparse.Namespace) -> int:
    """Train, print how it goes, and write the expert as a model folder."""
    from ...models.loading import load
    from ..compact import save_folder
    params = PersonalParams(check_int("steps", args.steps, 1, 10**6), 60 * check_float("minutes", args.minutes, 0.05, 600))
    torch.set_num_threads(check_int("threads", args.threads, 1, 256))
    texts = [read_path(path).text for path in args.files]
    expert = load(args.user)

    def tell(step: int, loss: float, left: float) -> None:
        if step % 20 == 0:
            print(f"step {step}, loss {loss:.3f}, {max(0, left):.0f} s left", flush=True)

    curve = personalise(expert.model, expert.tokenizer, texts, params, tell)
    rename(expert.model.config, args.title, f"Has learned {len(texts)} documents by heart.")
    save_folder(expert.model, expert.tokenizer, args.out)
    best = max(row["right"] for row in curve)
    print(f"{args.out}: {best:.0%} of {CHECKED} questions made from the texts are answered without them")
    return 0
