"""Synthetic texts as people write them (notes, e-mails, recipes, rules), with questions and answers in natural sentences.

The kinds of text are tables in ``data/david/texts*.yaml``. Knows nothing of tokens or models.

A kind has ``variables`` (what stays the same in one text, each with its maker), ``open``, ``fill`` and ``close`` (sentences
around the facts) and ``facts``: a ``value`` (a maker, or the values to draw from), and how it is stated, asked and answered.
{v} is the fact's value; {x} a variable; {xe}, {xs}, {xm} its he, his, him.
"""

import random
import re
from dataclasses import dataclass
from functools import cache

from ..data import values
from ..data.schema import QA
from ..data.values import pick
from .makers import WORDS, Make, maker_of, table

PRONOUNS = {"f": ("she", "her", "her"), "m": ("he", "his", "him")}


@dataclass(frozen=True)
class Slot:
    """One fact a text may have: where its value comes from, and how it is stated, asked for and answered."""

    make: Make
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of text."""

    name: str
    variables: dict[str, Make]
    open: tuple[str, ...]
    fill: tuple[str, ...]
    close: tuple[str, ...]
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class Text:
    """A text, what it answers, and questions of its own kind that it does not answer."""

    kind: str
    document: str
    items: list[QA]
    unanswered: list[str]


def _kind(entry: dict) -> Kind:
    texts = lambda given, *names: [tuple(given[name]) for name in names]  # noqa: E731
    slots = tuple(Slot(maker_of(fact["value"]), *texts(fact, "statements", "questions", "answers")) for fact in entry["facts"])
    makers = {name: maker_of(value) for name, value in entry["variables"].items()}
    return Kind(entry["name"], makers, *texts(entry, "open", "fill", "close"), slots)


@cache
def kinds(heldout: bool = False) -> tuple[Kind, ...]:
    """The kinds of text that are trained on, or those kept out to watch the training."""
    return tuple(map(_kind, table("texts-heldout" if heldout else "texts")))


def variables(rng: random.Random, makers: dict[str, Make]) -> dict[str, str]:
    """A value for each variable, no two the same, and the pronouns of each in small letters and in capitals."""
    out: dict[str, str] = {}
    for name, maker in makers.items():
        text = next(t for t in iter(lambda m=maker: m(rng), None) if t not in out.values())
        first = text.split()[0]
        sex = "f" if first in values.WORDS["female"] else "m" if first in values.WORDS["male"] else pick(rng, "fm")
        for key, word in zip("esm", PRONOUNS[sex], strict=True):
            out[name + key], out[name.capitalize() + key] = word, word.capitalize()
        out[name] = text
    return out


def written(template: str, words: dict[str, str], value: str = "") -> str:
    """The template filled in, its first letter a capital unless it begins with a quotation."""
    text = template.format(**{"v": value, **words})
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIO][a-z])", r"\1n ", text)
    return text[:1].upper() + text[1:]


def typed(rng: random.Random, question: str) -> str:
    """A question as somebody might type it: an opening word, no question mark, small letters, at times two letters swapped."""
    roll = rng.random()
    first = pick(rng, WORDS["question openings"])
    if first:
        question = first + (question if first.endswith("? ") else question[:1].lower() + question[1:])
    if roll < 0.12:
        question = question.lower()
    if roll < 0.08 or 0.12 < roll < 0.18:
        question = question.rstrip("?")
    if 0.18 < roll < 0.22:
        at = rng.randrange(1, max(2, len(question) - 2))
        if question[at:at + 2].isalpha() and question[at:at + 2].islower():
            question = question[:at] + question[at + 1] + question[at] + question[at + 2:]
    return question


def _layout(rng: random.Random, kind: Kind, words: dict[str, str], said: list[str]) -> str:
    """The facts with the sentences around them, as one of the shapes that such texts have."""
    for template in rng.sample(kind.fill, min(len(kind.fill), pick(rng, (0, 0, 1, 1, 2, 3)))):
        said.insert(rng.randrange(len(said) + 1), written(template, words))
    ended = [s if s[-1] in ".!?\"" else s + "." for s in said]
    shape = rng.random()
    if shape < 0.18:
        body = "\n".join(pick(rng, ("- ", "* ", "")) + s for s in said)
    elif shape < 0.24:
        body = "\n".join(f"{n}. {s}" for n, s in enumerate(said, 1))
    elif shape < 0.5 and len(ended) > 3:
        cut = rng.randrange(1, len(ended))
        body = " ".join(ended[:cut]) + "\n\n" + " ".join(ended[cut:])
    else:
        body = " ".join(ended)
    opening = written(pick(rng, kind.open), words) if rng.random() < 0.85 else ""
    closing = written(pick(rng, kind.close), words) if rng.random() < 0.6 else ""
    join = pick(rng, ("\n", "\n", "\n\n", " "))
    if opening and join == " " and opening[-1] not in ".!?,:":
        join = "\n"
    text = join.join(part for part in (opening, body) if part)
    text += (pick(rng, ("\n", " ", "\n\n")) + closing) if closing else ""
    return text.lower() if rng.random() < 0.03 else text


def text(rng: random.Random, heldout: bool = False, most: int = 6) -> Text:
    """A text of some kind with up to ``most`` questions about it."""
    kind = pick(rng, kinds(heldout))
    words = variables(rng, kind.variables)
    count = rng.randint(2, min(8, len(kind.slots) - 1))
    order = rng.sample(kind.slots, len(kind.slots))
    facts, used = [], {w.lower() for w in words.values()}
    for slot in order[:count]:
        value = next(v for v in iter(lambda s=slot: s.make(rng), None) if v.lower() not in used)
        used.add(value.lower())
        facts.append((slot, value))
    said = [written(pick(rng, slot.statements), words, value) for slot, value in facts]
    document = _layout(rng, kind, words, said)
    small = document == document.lower()
    items = []
    for slot, value in facts[:most]:
        value = value.lower() if small else value
        answer = written(pick(rng, slot.answers), words, value)
        items.append(QA(typed(rng, written(pick(rng, slot.questions), words)), answer, value, kind.name))
    rng.shuffle(items)
    unanswered = [typed(rng, written(pick(rng, slot.questions), words)) for slot in order[count:]]
    return Text(kind.name, document, items, unanswered)
