"""A copy of a reader that is an adapter on a causal LM is fine-tuned on a visitor's texts: it then answers without them.

It trains on questions that rules make from the texts, asked without the text. Beside them stand questions about a text that is
there, the visitor's or another, so that it still reads, and requests to which it says what the frozen base says, so that it
still talks.
"""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import nn

from ...errors import ModelError
from ...models.device_map import has_bfloat16_units
from ...models.load_next_token import base_of
from ...text.documents import passages
from ..data.schema import QA
from ..david.losses import ReadingLoss
from ..david.model import add_low_rank, bypassed, load_base, load_trained, trained, write_adapter
from ..david.reading import Reading, reading, said
from ..david.rows import Batch, Branch, Row, RowMaker, make_batch
from ..david.silence import SilentPool, answered, requests
from ..david.watch import greedy, prompt_of
from ..loop import LoopParams, train
from .best import BestWeights
from .question_generation import Piece, ask, pieces, topic_words

CHECK_EVERY = 40
ANSWER_TOKENS = 16
PART_CHARS = 500                # of a part of the texts that a row has to read
SIDE_BY_SIDE = 96               # tokens of the questions in a row without a document
BUCKET = 8                      # row lengths are rounded up to a multiple of this
Tell = Callable[[int, float, float], None]


@dataclass(frozen=True)
class AdapterParams:
    """steps, seconds: training ends at whichever comes first. The rate rises, stays and falls over the steps that fit.

    closed, silent: questions about the texts, and requests that are none of theirs, which a step has without any document.
    tokens: of the row with a document that it has as well. own: how often that is a part of the texts. pool: requests that the
    base answers before the training, with so many ``pool_tokens``.
    """

    steps: int = 150
    seconds: float = 170.0
    learning_rate: float = 2e-3
    closed: int = 12
    silent: int = 2
    tokens: int = 224
    own: float = 0.4
    pool: int = 24
    pool_tokens: int = 12
    seed: int = 0


class AdapterRows:
    """Batches of a step by turns: a document with its questions, and questions alone."""

    def __init__(self, tokenizer: Tokenizer, texts: list[str], pool: SilentPool, params: AdapterParams):
        self.maker, self.pool, self.params = RowMaker(tokenizer, pool), pool, params
        parts = [(part, pieces(part), topic_words(text)) for text in texts for part in passages(text, PART_CHARS)]
        self.parts = [entry for entry in parts if entry[1]]
        self.asked = [(piece, topic) for _, found, topic in self.parts for piece in found]
        self.often = [piece.weight for piece, _ in self.asked]

    def closed(self, rng: random.Random) -> list[Row]:
        """Questions about the texts without them, and requests that are none of theirs, some side by side in a row."""
        asked = [question(rng, *entry) for entry in rng.choices(self.asked, self.often, k=self.params.closed)]
        silent = [self.maker.silent(self.pool.foreign(rng)) for _ in range(self.params.silent)]
        return packed([*silent, *(self.maker.branch(qa.question, qa.answer) for qa in asked)])

    def opened(self, rng: random.Random) -> Row:
        """A part of the texts, or a text of David's own training, with questions about it and one that it does not answer."""
        if rng.random() < self.params.own:
            part, found, topic = rng.choice(self.parts)
            drawn = rng.choices(found, [piece.weight for piece in found], k=6)
            made = Reading(part, [question(rng, piece, topic) for piece in drawn], [])
        else:
            made = reading(rng)
        branches = [self.maker.branch(qa.question, qa.answer) for qa in made.items]
        branches.insert(1, self.maker.silent(self.pool.foreign(rng)))
        return self.maker.fitting(self.maker.document(made.document), branches, False, self.params.tokens) or self.opened(rng)

    def batch(self, number: int) -> Batch:
        """The same for the same seed and number."""
        rng = random.Random(self.params.seed * 1_000_003 + number)
        return make_batch(self.closed(rng) if number % 2 else [self.opened(rng)], self.maker.form, BUCKET)


def packed(branches: list[Branch]) -> list[Row]:
    """Rows of at most SIDE_BY_SIDE tokens with these branches: few tokens are padding, and attention stays short."""
    rows: list[list[Branch]] = []
    for branch in sorted(branches, key=lambda b: -len(b.ids)):
        room = next((row for row in rows if sum(len(b.ids) for b in row) + len(branch.ids) <= SIDE_BY_SIDE), None)
        if room is None:
            rows.append(room := [])
        room.append(branch)
    return [Row([], row) for row in rows]


def question(rng: random.Random, piece: Piece, topic: tuple[str, ...]) -> QA:
    """A question for the piece, answered the way David speaks."""
    qa = ask(rng, piece, topic)
    return QA(qa.question, said(qa.question, qa.value), qa.value, qa.kind)


def finetune_adapter(lm: nn.Module, tokenizer: Tokenizer, texts: list[str], params: AdapterParams, tell: Tell | None = None,
                     stopped: Callable[[], bool] = lambda: False) -> list[dict]:
    """Train the low-rank matrices of ``lm`` in place; see ``learner.Learner.learn``."""
    began = time.monotonic()
    best = BestWeights(texts, lambda asked: answers_by(lm, tokenizer, asked), lambda: trained(lm))
    rows = AdapterRows(tokenizer, texts, silent_pool(lm, tokenizer, params), params)
    left = max(0.0, params.seconds - (time.monotonic() - began))
    loop = LoopParams(params.steps, params.learning_rate, warmup=8, seconds=left, pace="either", accumulate=2, cpu=True,
                      report_every=CHECK_EVERY)
    optimizer = torch.optim.AdamW(trained(lm).values(), betas=(0.9, 0.98), weight_decay=0.01)
    curve = train(ReadingLoss(lm), [optimizer], lambda first, _: map(rows.batch, count(first)), loop, check=best.check,
                  tell=(lambda step, shown, left: tell(step, shown["loss"], left)) if tell else None, stopped=stopped).curve
    best.restore()
    return curve


def silent_pool(lm: nn.Module, tokenizer: Tokenizer, params: AdapterParams) -> SilentPool:
    """Requests for any document, with what the base says to them."""
    loose = [asked for asked, owner in requests(params.seed, 4 * params.pool)[0] if owner is None]
    chosen = random.Random(params.seed).sample(loose, min(params.pool, len(loose)))
    with bypassed(lm):
        items = answered(lm, tokenizer, chosen, params.pool_tokens)
    return SilentPool(items, [None] * len(items), [])


def answers_by(lm: nn.Module, tokenizer: Tokenizer, asked: list[tuple[str, str]]) -> list[str]:
    """Greedy answers to (question, document or "") pairs."""
    return greedy(lm, tokenizer, [prompt_of(tokenizer, document, question) for question, document in asked], ANSWER_TOKENS)


class AdapterLearner:
    """An adapter on a causal LM, loaded to be fine-tuned: see ``learner.Learner``."""

    params = AdapterParams()

    def __init__(self, folder: Path, user: str):
        self.config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        lora = self.config.get("lora")
        if not lora:
            raise ModelError(f"{user} is a whole causal LM; only an adapter on one can be fine-tuned here.")
        base = base_of(folder)
        self.tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        dtype = torch.bfloat16 if has_bfloat16_units() else torch.float32
        self.lm = add_low_rank(load_base(base, dtype, "sdpa"), lora["r"], lora["lora_alpha"], tuple(lora["target_modules"]))
        load_trained(self.lm, folder)

    def answers(self, asked: list[tuple[str, str]]) -> list[str]:
        return answers_by(self.lm, self.tokenizer, asked)

    def learn(self, texts: list[str], seconds: float, steps: int | None = None, tell: Tell | None = None,
              stopped: Callable[[], bool] = lambda: False) -> list[dict]:
        params = replace(self.params, steps=steps or self.params.steps, seconds=seconds)
        return finetune_adapter(self.lm, self.tokenizer, texts, params, tell, stopped)

    def save(self, folder: Path, title: str, summary: str) -> None:
        config = {key: value for key, value in self.config.items() if key != "measured"}    # it was the original's
        write_adapter(trained(self.lm), config | {"title": title, "summary": summary, "memorised": True}, folder)
