"""An invented island: a closed world for the specialist, who answers with no document."""

import random

from .general import check_split, every_fact, fill, make_qa, read_kinds, upper_first
from .phrasing import CLAUSE_FRAMES, as_heldout, as_typed
from .read import table
from .schema import QA, Kind

ISLAND_NAME: str = table("island")["name"]
HANDBOOK: str = table("island")["handbook"]
KINDS: tuple[Kind, ...] = read_kinds("island", 2)
FACTS: tuple[tuple[Kind, str, str], ...] = tuple((kind, entity, value) for kind in KINDS for entity, value in kind.facts)


def num_facts() -> int:
    """How many facts the island has."""
    return len(FACTS)


def train_question(rng: random.Random, kind: Kind, entity: str) -> str:
    """A train question as somebody types it, at times polite."""
    if rng.random() < 0.15:
        question = rng.choice(CLAUSE_FRAMES).format(fill(kind.clause, entity))
    else:
        question = upper_first(fill(rng.choice(kind.train), entity))
    if entity == ISLAND_NAME and "island" not in question and "Orlisay Day" not in question and rng.random() < 0.15:
        question = question.replace(ISLAND_NAME, "the island")
    return as_typed(rng, question, f"{entity} {ISLAND_NAME}", (fill(t, entity) for t in kind.heldout))


def heldout_question(rng: random.Random, kind: Kind, entity: str, template: str | None = None) -> str:
    """A question in a phrasing that training never shows for this kind, at times behind an opener."""
    return as_heldout(rng, upper_first(fill(template or rng.choice(kind.heldout), entity)), f"{entity} {ISLAND_NAME}")


def ask(rng: random.Random, kind: Kind, entity: str, split: str) -> str:
    """A question on one fact in the phrasings of ``split``."""
    check_split(split)
    return (train_question if split == "train" else heldout_question)(rng, kind, entity)


def island_qa(rng: random.Random, split: str = "train") -> QA:
    """A random fact, rightly answered."""
    kind, entity, value = rng.choice(FACTS)
    return make_qa(kind, entity, value, ask(rng, kind, entity, split))


def island_guess(rng: random.Random, split: str = "train") -> QA:
    """The same kind of question with a random value of the right type, right only by chance."""
    kind, entity, _ = rng.choice(FACTS)
    value = rng.choice((*(value for _, value in kind.facts), *kind.decoys))
    return make_qa(kind, entity, value, ask(rng, kind, entity, split))


def all_heldout(rng: random.Random, n: int) -> list[QA]:
    """``n`` held-out questions, every fact once before any comes twice."""
    return [make_qa(kind, entity, value, heldout_question(rng, kind, entity, template))
            for kind, entity, value, template in every_fact(rng, FACTS, n, 8)]
