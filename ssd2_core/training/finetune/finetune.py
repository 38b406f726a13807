"""A small expert is fine-tuned on a visitor's texts: it then answers about them without having them in its context.

It trains on questions that rules make from the texts, asked without the text and at times with it, beside the synthetic rows of
its first training, so that it forgets less: to read, and to be unsure of what it cannot know.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tokenizers import Tokenizer

from ...models.loading import load
from ...models.ssd2 import SSD2Model
from ..batch import Row
from ..data.general import general_guess
from ..folders import save_folder
from ..loop import LoopParams, train
from ..losses import BatchLoss, diffusion_loss
from ..mixtures import Encoder, RowSource, batches, reader_rows
from ..muon import muon_and_adamw
from ..validation import answers_alone
from .best import BestWeights
from .question_generation import ask, pieces, topic_words

CHECK_EVERY = 60
Tell = Callable[[int, float, float], None]


@dataclass(frozen=True)
class FinetuneParams:
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


def finetune_rows(encoder: Encoder, texts: list[str], params: FinetuneParams) -> RowSource:
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


def finetune(model: SSD2Model, tokenizer: Tokenizer, texts: list[str], params: FinetuneParams, tell: Tell | None = None,
             stopped: Callable[[], bool] = lambda: False) -> list[dict]:
    """Train ``model`` in place and return rows {"step", "loss", "accuracy", "right", "minutes"}.

    The weights that answered most of the checked questions right are kept. tell: (step, loss, seconds left) after each step.
    stopped: asked before each step. Raises DocumentError for texts in which nothing can be asked for.
    """
    best = BestWeights(texts, lambda asked: answers_alone(model, tokenizer, asked, 4), model.state_dict)
    draw = batches(finetune_rows(Encoder(tokenizer), texts, params), params.batch, params.seed)
    loop = LoopParams(params.steps, params.learning_rate, warmup=20, seconds=params.seconds, pace="either", cpu=True,
                      report_every=CHECK_EVERY)
    curve = train(BatchLoss(model, diffusion_loss, params.seed, self_condition=lambda step: step % 2 == 0),
                  muon_and_adamw(model, params.learning_rate), lambda first, _: map(draw, count(first)), loop, check=best.check,
                  tell=(lambda step, shown, left: tell(step, shown["loss"], left)) if tell else None, stopped=stopped).curve
    best.restore()
    return curve


class SimplexLearner:
    """A bundled simplex expert, loaded to be fine-tuned: see ``learner.Learner``."""

    def __init__(self, user: str):
        expert = load(user, "cpu", "float32")
        self.model, self.tokenizer = expert.model, expert.tokenizer

    def answers(self, asked: list[tuple[str, str]]) -> list[str]:
        return answers_alone(self.model, self.tokenizer, asked, 16)

    def learn(self, texts: list[str], seconds: float, steps: int | None = None, tell: Tell | None = None,
              stopped: Callable[[], bool] = lambda: False) -> list[dict]:
        params = FinetuneParams(steps or FinetuneParams.steps, seconds)
        return finetune(self.model, self.tokenizer, texts, params, tell, stopped)

    def save(self, folder: Path, title: str, summary: str) -> None:
        config = self.model.config
        config.title, config.summary, config.measured = title, summary, {}      # what was measured of the original is not its
        save_folder(self.model, self.tokenizer, folder)
