"""The relations of people and things: how each fact is stated, asked for and answered. The tables explain their fields."""

import re
from dataclasses import dataclass

from . import values
from .phrasing import divide
from .read import table, words

PERSON_MAKERS = frozenset({"person", "full_name", "titled", "formal_person", "female_name", "male_name"})
OBJECT_ONLY = re.compile(r"\bof \{O\}")
NO_PRONOUN = re.compile(r"\b(of|for|on|at|in|from|to|with) \{[SO]\}", re.IGNORECASE)
HELD_OUT = 2
CHOICE = re.compile(r"\[([^\]|]*)\|([^\]|]*)(?:\|([^\]]*))?\]")


def conjugations(template: str) -> tuple[str, str, str]:
    """The template with its verbs for I, for he/she/it, and for we/you/they."""
    def form(k: int) -> str:
        return CHOICE.sub(lambda m: m[k + 1] if m[k + 1] is not None else m[1], template)
    return form(0), form(1), form(2)


@dataclass(frozen=True)
class Relation:
    """One relation; every phrasing is a triple of conjugations."""

    name: str
    kinds: str
    maker: values.Maker
    labels: tuple[str, ...]
    answer: tuple[str, str, str]
    statements: dict[str, tuple]
    questions: dict[str, tuple]
    clauses: tuple
    of_person: bool


def _relation(entry: dict[str, str]) -> Relation:
    name, maker = entry["name"], entry["value"]
    stated, asked, clauses = ([conjugations(line) for line in entry.get(part, "").splitlines()]
                              for part in ("statements", "questions", "clauses"))
    statements = divide(f"{name} stated", stated, HELD_OUT, is_plain)
    questions = divide(f"{name} asked", asked, HELD_OUT, lambda p: not OBJECT_ONLY.search(p[0]))
    splits = [dict(zip(("train", "heldout"), parts, strict=True)) for parts in (statements, questions)]
    return Relation(name, entry["kinds"], getattr(values, maker), tuple(entry["labels"].split("/")),
                    conjugations(entry["answer"]), *splits, tuple(clauses), maker in PERSON_MAKERS)


def is_plain(phrasing: tuple[str, str, str]) -> bool:
    """Whether the phrasing suits every subject and value."""
    template = phrasing[0]
    return not (template.startswith("{v}") or OBJECT_ONLY.search(template))


def _filled(entry: dict[str, str], noun: str, kinds: str, maker: str) -> Relation:
    """A member of a family: its noun in place of {n}, behind "an" where it needs that."""
    fields = {"{n}": noun, "{i}": noun.replace(" ", "_"), "{k}": kinds, "{m}": maker}
    out = {}
    for part, text in entry.items():
        for field, word in fields.items():
            text = text.replace(field, word)
        out[part] = re.sub(rf"\b([Aa]) {re.escape(noun)}", rf"\1n {noun}", text) if noun[0] in "aeiou" else text
    return _relation(out)


def _about_people(entry: dict[str, str]) -> dict[str, str]:
    """The entry with "who" in place of "what": its answer is a person."""
    who = {part: re.sub(r"\b([Ww])hat (?=is |would |the |\{P\} )", r"\1ho ", text) for part, text in entry.items()}
    return {part: text.replace("{n} is what?", "{n} is who?") for part, text in who.items()}


def _kinds(maker: str) -> str:
    """Which kinds of things can have an attribute of this type."""
    return "LX" + "".join(kind for kind, makers in table("relations_open")["makers"].items() if maker in words(makers))


def _all_relations() -> tuple[Relation, ...]:
    out = [_filled(family, *member.split(" | ")) for family in table("relations_families")
           for member in family["members"].splitlines()]
    out += [_relation(entry) for name in ("relations_people", "relations_things") for entry in table(name)]
    for whose in ("thing", "person"):
        entry = table("relations_open")[whose]
        for maker, nouns in table("attributes")[whose].items():
            asked = _about_people(entry) if maker in PERSON_MAKERS else entry
            out += [_filled(asked, noun, _kinds(maker), maker) for noun in words(nouns)]
    return tuple(out)


RELATIONS: tuple[Relation, ...] = _all_relations()
