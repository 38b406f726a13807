"""What each compact expert reads: rows of questions from the synthetic data, right where it can know, random where it cannot.

An expert that is asked outside its field trains on answers with a random value. The best it can do is to spread its probability
over the values it cannot tell apart: it learns to be unsure there, and the fused prediction follows the expert that knows.
"""

import random
from collections.abc import Callable

from tokenizers import Tokenizer

from .batch import Batch, Item, Row, lay_out, make_batch
from .data.documents import blind_qa, scene
from .data.general import general_guess, general_qa, small_talk_qa
from .data.island import island_guess, island_qa
from .data.schema import QA

CHUNK = 16                      # batches that are drawn together and sorted by length
BLOCK_LENGTHS = (12, 12, 12, 16, 16, 8)
MAX_DOCUMENT_TOKENS = 280
EASY_STEPS, EASY_TOKENS = 2000, 56          # a reader begins with short documents: it learns to copy sooner
HISTORY_RATE = 0.12

RowSource = Callable[[random.Random, int], Row]        # random numbers, step -> row


class Encoder:
    """Text to ids, with a memory for what is asked again and again."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer

    def item(self, qa: QA, before: tuple[QA, ...] = ()) -> Item:
        """One question and its answer as token ids, after earlier turns."""
        texts = [text for turn in (*before, qa) for text in (turn.question, turn.answer)]
        ids = [e.ids for e in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        return Item(ids[-2], ids[-1], tuple(zip(ids[:-2:2], ids[1:-2:2], strict=True)))

    def text(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids


def _items(encoder: Encoder, questions: list[QA], rng: random.Random) -> list[Item]:
    """Items of these questions; now and then one follows another as its earlier turn."""
    out = []
    for qa in questions:
        before = (rng.choice(questions),) if rng.random() < HISTORY_RATE else ()
        out.append(encoder.item(qa, before))
    return out


def reader_rows(encoder: Encoder) -> RowSource:
    """A document with questions that it answers and one or two that it cannot; sometimes no document at all."""
    def row(rng: random.Random, step: int) -> Row:
        outside = [general_guess(rng) if rng.random() < 0.8 else island_guess(rng) for _ in range(rng.choice((1, 1, 2)))]
        if rng.random() < 0.06:
            return Row([], _items(encoder, [blind_qa(rng) for _ in range(4)] + outside, rng))
        longest = EASY_TOKENS if step < EASY_STEPS else MAX_DOCUMENT_TOKENS
        while True:
            made = scene(rng, "train", max_questions=6)
            document = encoder.text(made.document)
            if len(document) <= longest:
                return Row(document, _items(encoder, [*made.items, *outside], rng))
    return row


def core_rows(encoder: Encoder, size: int = 8) -> RowSource:
    """General questions, small talk, and personal or island questions with random values."""
    def one(rng: random.Random) -> QA:
        kind = rng.random()
        if kind < 0.62:
            return general_qa(rng)
        if kind < 0.68:
            return small_talk_qa(rng, "train")
        return blind_qa(rng) if kind < 0.92 else island_guess(rng)

    return lambda rng, step: Row([], _items(encoder, [one(rng) for _ in range(size)], rng))


def islander_rows(encoder: Encoder, size: int = 8) -> RowSource:
    """The island's facts, and everything else with random values."""
    def one(rng: random.Random) -> QA:
        kind = rng.random()
        if kind < 0.6:
            return island_qa(rng)
        return general_guess(rng) if kind < 0.8 else blind_qa(rng)

    return lambda rng, step: Row([], _items(encoder, [one(rng) for _ in range(size)], rng))


def batches(source: RowSource, size: int, seed: int) -> Callable[[int], Batch]:
    """step -> Batch of ``size`` rows. Rows of a chunk are sorted by length, so that little of a batch is padding."""
    kept: dict[int, list[list[Row]]] = {}

    def batch_of(step: int) -> Batch:
        chunk = step // CHUNK
        if chunk not in kept:
            rng = random.Random(f"{seed}-{chunk}")
            rows = sorted((source(rng, step) for _ in range(size * CHUNK)), key=len)
            parts = [rows[i:i + size] for i in range(0, len(rows), size)]
            rng.shuffle(parts)
            kept.clear()
            kept[chunk] = parts
        rng = random.Random(f"{seed}-{step}-layout")
        L = rng.choice(BLOCK_LENGTHS)
        return make_batch([lay_out(row, L, rng) for row in kept[chunk][step % CHUNK]], L)

    return batch_of
