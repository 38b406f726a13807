"""Whole texts written by hand, with places for names and values that change every time, and questions about them.

They stand in ``data/david/pages*.yaml``: ``variables`` (a maker of values, or the values to draw from), the ``text``, what is
``asked`` and how it is answered, and what the text leaves ``unanswered``. The *starred* part of an answer makes it right.
"""

import random
import re
from dataclasses import dataclass
from functools import cache

from ..data.schema import QA
from ..data.values import pick
from .makers import Make, maker_of, table
from .texts import Text, typed, variables, written

STARRED = re.compile(r"\*(.+?)\*")


@dataclass(frozen=True)
class Page:
    """variables: their makers by name. asked: questions with their answer. unanswered: what the text does not tell."""

    name: str
    variables: dict[str, Make]
    text: str
    asked: tuple[tuple[tuple[str, ...], str], ...]
    unanswered: tuple[str, ...]


@cache
def pages(heldout: bool = False) -> tuple[Page, ...]:
    """The pages that are trained on, or those kept out to watch the training."""
    return tuple(map(_page, table("pages-heldout" if heldout else "pages")))


def _page(entry: dict) -> Page:
    """One page. Raises ValueError where an answer has no starred part."""
    asked = tuple((tuple(a["questions"]), a["answer"]) for a in entry["asked"])
    if wrong := [answer for _, answer in asked if not STARRED.search(answer)]:
        raise ValueError(f"the page {entry['name']} has an answer without a *value*: {wrong[0]}")
    makers = {name: maker_of(value) for name, value in entry["variables"].items()}
    return Page(entry["name"], makers, entry["text"], asked, tuple(entry["unanswered"]))


def page_text(rng: random.Random, heldout: bool = False, most: int = 6) -> Text:
    """A page filled in, with up to ``most`` of its questions."""
    page = pick(rng, pages(heldout))
    words = variables(rng, page.variables)
    items = []
    for questions, answer in rng.sample(page.asked, min(most, len(page.asked))):
        value = STARRED.search(answer)[1].format(**words)
        question = typed(rng, written(pick(rng, questions), words))
        items.append(QA(question, written(STARRED.sub(r"\1", answer), words), value, page.name))
    document = "\n".join(written(line, words) for line in page.text.split("\n"))
    return Text(page.name, document, items, [typed(rng, written(q, words)) for q in page.unanswered])
