"""What David reads in training: documents with the questions they answer, from four sources. Knows no tokens, no models."""

import json
import random
import re
from dataclasses import dataclass, replace
from functools import cache

from ...evaluation.metrics import exact
from ..data import documents
from ..data.schema import QA
from .makers import TABLES
from .pages import page_text
from .texts import text, typed

SOURCES = (("text", 0.30), ("page", 0.36), ("scene", 0.14), ("passage", 0.20))
WINDOW_WORDS = 190              # a longer passage is cut to a part that holds the answer
AUXILIARIES = "is|was|are|were|do|does|did|can|will|would|could|should|might|may|has|have|had|else"
SUBJECT_QUESTION = re.compile(rf"who ((?!(?:{AUXILIARIES})\b).+)", re.IGNORECASE)
IS_QUESTION = re.compile(r"(?:who|what) (is|was|are|were) ((?:[\w',.-]+ ){1,7}?[\w',.-]+)", re.IGNORECASE)
DANGLING = re.compile(r" (to|of|in|for|at|by|with|from|on|about|called|doing)$")


@dataclass(frozen=True)
class Reading:
    """A document, questions that it answers, and questions of its own kind that it does not answer."""

    document: str
    items: list[QA]
    unanswered: list[str]


def said(question: str, answer: str) -> str:
    """A short answer as a sentence that people would say: "Joey broke the ball polisher." where the question's words allow it.

    Where they do not, the answer alone, or after "It is".
    """
    asked, short = question.strip().rstrip("?. "), answer.strip().rstrip(".")
    begun = short[:1].upper() + short[1:]
    subject, found = SUBJECT_QUESTION.fullmatch(asked), IS_QUESTION.fullmatch(asked)
    if subject and len(asked.split()) < 16:
        return f"{begun} {subject[1]}."
    if found and not DANGLING.search(asked):
        return f"{found[2][:1].upper() + found[2][1:]} {found[1].lower()} {short}."
    return f"{begun}." if len(short.split()) > 3 or len(question) % 2 else f"It is {short}."


@cache
def passages(split: str) -> tuple[dict, ...]:
    """The lines of ``reading.jsonl`` of one split: {"passage", "questions": [[question, answer], ...], ...}."""
    lines = (TABLES / "reading.jsonl").read_text(encoding="utf-8").split("\n")
    return tuple(row for row in map(json.loads, filter(None, lines)) if row["split"] == split)


def _window(rng: random.Random, passage: str, answer: str) -> str:
    """The passage, or sentences of it around the answer where it is long."""
    if len(passage.split()) <= WINDOW_WORDS:
        return passage
    sentences = re.split(r"(?<=[.!?]) +", passage)
    holds = [i for i, s in enumerate(sentences) if exact(s, answer)]
    first = last = rng.choice(holds) if holds else rng.randrange(len(sentences))
    while True:
        wider = (max(0, first - 1), last) if rng.random() < 0.5 else (first, min(len(sentences) - 1, last + 1))
        if len(" ".join(sentences[wider[0]:wider[1] + 1]).split()) > WINDOW_WORDS or wider == (0, len(sentences) - 1):
            return " ".join(sentences[first:last + 1])
        first, last = wider


def _passage(rng: random.Random, split: str = "train") -> Reading:
    row = rng.choice(passages(split))
    document = _window(rng, row["passage"], rng.choice(row["questions"])[1])
    answered = [QA(q, said(q, a), a, row["source"]) for q, a in row["questions"] if exact(document, a)
                or document == row["passage"]]
    if not answered:
        return _passage(rng, split)
    rng.shuffle(answered)
    return Reading(document, answered[:6], [])


def _scene(rng: random.Random) -> Reading:
    made = documents.scene(rng, "train", 6, sentences=True)
    items = [replace(qa, question=typed(rng, qa.question)) if rng.random() < 0.3 else qa for qa in made.items]
    return Reading(made.document, items, [documents.blind_qa(rng).question] if rng.random() < 0.3 else [])


def reading(rng: random.Random) -> Reading:
    """A document of one of the sources, with at least one question that it answers."""
    source = rng.choices([name for name, _ in SOURCES], [weight for _, weight in SOURCES])[0]
    if source == "passage":
        return _passage(rng)
    if source == "scene":
        return _scene(rng)
    made = text(rng) if source == "text" else page_text(rng)
    return Reading(made.document, made.items, made.unanswered)
