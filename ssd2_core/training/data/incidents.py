"""Sentences about anything, with the questions that each answers: a reader learns to find what a question asks for.

A line of ``tables/incidents.tsv``: the sentence, then question and answer by turns. {w} {x} person, {p} place, {d} day,
{t} time, {m} month, {n} number, {c} colour, {f} food, {a} animal, {o} object, {L} where something is, {r} reason, {q} price,
{y} something to do, {z} a name.
The answer is a piece of the sentence, word for word.
"""

import random
import re

from . import values
from .phrasing import DISTRACTORS, as_typed
from .read import rows, table, words
from .schema import QA
from .values import pick

OBJECTS, SPOTS, PREPOSITIONS, REASONS, ACTIONS = (
    words(table("words")[name]) for name in ("objects", "spots", "prepositions", "reasons", "actions"))


def _place(rng: random.Random) -> str:
    place = f"{pick(rng, PREPOSITIONS)} {pick(rng, SPOTS)}"
    if rng.random() < 0.3:
        return f"{place} {pick(rng, ('in the', 'under the', 'near the', 'of the'))} {pick(rng, SPOTS)}"
    return place


def _name(rng: random.Random) -> str:
    return values.short_name(rng, "train") if rng.random() < 0.5 else pick(rng, values.NOUNS)


VALUES = {"w": values.person, "x": values.person, "p": values.city, "d": values.day, "t": values.time, "n": values.small,
          "c": values.colour, "f": values.food, "a": values.animal, "k": values.material, "q": values.price}
MAKERS = {
    **{letter: lambda rng, maker=maker: maker(rng, "train") for letter, maker in VALUES.items()},
    "m": lambda rng: pick(rng, values.MONTHS), "u": lambda rng: str(rng.randrange(80, 260, 5)),
    "o": lambda rng: pick(rng, OBJECTS), "L": _place, "s": lambda rng: pick(rng, SPOTS), "r": lambda rng: pick(rng, REASONS),
    "y": lambda rng: pick(rng, ACTIONS), "z": _name,
}
TABLE = tuple((sentence, tuple(zip(asked[::2], asked[1::2], strict=True))) for sentence, *asked in rows("incidents"))


def _written(template: str, filled: dict[str, str]) -> str:
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", template.format(**filled))


def incident(rng: random.Random, most: int = 2) -> tuple[str, list[QA]]:
    """A sentence and up to ``most`` questions that it answers."""
    template, asked = pick(rng, TABLE)
    filled = {letter: MAKERS[letter](rng) for letter in sorted(set(re.findall(r"\{(\w)\}", template)))}
    sentence = _written(template, filled)
    items = []
    for question, answer in rng.sample(asked, min(most, len(asked))):
        value = _written(answer, filled)
        if value in sentence and not values.is_heldout(value):
            typed = as_typed(rng, _written(question, filled), " ".join(filled.values()))
            items.append(QA(typed, f"It is {value}.", value, "incident"))
    return sentence, items


FILLERS = {**{letter: VALUES[letter] for letter in "ndtcwxpf"}, "m": lambda rng, split: pick(rng, values.MONTHS),
           "a": values.animal}


def distractor(rng: random.Random, split: str) -> str:
    """A sentence that nothing asks for."""
    template = pick(rng, DISTRACTORS)
    if "{" not in template:
        return template
    filled = {letter: maker(rng, split) for letter, maker in FILLERS.items() if "{" + letter + "}" in template}
    text = _written(template, filled)
    return text[:1].upper() + text[1:]
