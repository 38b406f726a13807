"""Whom and what documents are about: people, relatives, households and things, and how a text refers to them."""

import random
from dataclasses import dataclass

from . import values
from .read import table, words
from .values import pick


@dataclass(frozen=True)
class Forms:
    """How a text refers to a subject: subject, possessive, object, the three pronouns; verb form 0 I, 1 she, 2 they."""

    words: dict[str, str]
    verb: int


@dataclass(frozen=True)
class Subject:
    """Somebody or something that facts are about. ``own``: the writer, or the writer and others."""

    kind: str
    full: Forms
    pronoun: Forms
    answer: Forms
    heading: str
    own: bool = False


PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "his", "him"), "it": ("it", "its", "it"),
            "they": ("they", "their", "them")}
ME, WE, YOU = ("I", "my", "me"), ("we", "our", "us"), ("you", "your", "you")


def _forms(words: tuple[str, str, str], pronouns: tuple[str, str, str], verb: int) -> Forms:
    return Forms(dict(zip("SPOspo", words + pronouns, strict=True)), verb)


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


WRITER = Subject("PF", _forms(ME, ME, 0), _forms(ME, ME, 0), _forms(YOU, YOU, 2), "Me", True)
WRITERS = Subject("H", _forms(WE, WE, 2), _forms(WE, WE, 2), _forms(YOU, YOU, 2), "Us", True)


def _named(kind: str, name: str, pronoun: str, answer: str = "", possessive: str = "'s") -> Subject:
    """A subject in the third person. ``answer``: its name in answers, where "my" has become "your"."""
    verb = 2 if pronoun == "they" else 1
    words, said = PRONOUNS[pronoun], answer or name
    return Subject(kind, _forms((name, name + possessive, name), words, verb), _forms(words, words, verb),
                   _forms((said, said + possessive, said), words, verb), upper_first(name))


TABLE = table("documents")
RELATIVES = tuple(TABLE["relatives"].items())
OFFICES, OWNED, PLACES, GOODS, FESTIVITIES, SUBJECT_KINDS = (
    words(TABLE[name]) for name in ("offices", "owned", "places", "goods", "festivities", "subject_kinds"))


def _person(rng: random.Random, split: str) -> Subject:
    roll = rng.random()
    if roll < 0.3:
        return _named("P", values.female(rng, split), "she")
    if roll < 0.6:
        return _named("P", values.male(rng, split), "he")
    name = values.full_name(rng, split) if roll > 0.93 else values.synthetic(rng, split)
    return _named("P", name, pick(rng, ("she", "he")))


def _relative(rng: random.Random, split: str) -> Subject:
    noun, pronoun = pick(rng, RELATIVES)
    return _named("K", f"my {noun}", pronoun, f"your {noun}")


def _household(rng: random.Random, split: str) -> Subject:
    name = values.surname(rng, split)
    if name[-1] in "sxzh":
        return _named("H", f"the {name} family", "they")
    return _named("H", f"the {name}s", "they", possessive="'")


def _thing(rng: random.Random, split: str, kind: str) -> Subject:
    """A subject of kind T, D, E, R, L, J or X."""
    own = rng.random() < 0.22
    name = values.short_name(rng, split) if rng.random() < 0.55 else pick(rng, values.NOUNS)
    if kind == "T":
        noun = f"Team {name}" if rng.random() < 0.7 else f"the {name} {pick(rng, ('club', 'team', 'crew', 'squad'))}"
        return _mine(kind, pick(rng, ("team", "club", "crew"))) if own else _named(kind, noun, "it")
    if kind == "D":
        return _named(kind, f"the {name} {pick(rng, GOODS)}", "it")
    if kind == "E":
        return _named(kind, f"the {name} {pick(rng, FESTIVITIES)}", "it")
    if kind == "R":
        dish = f"{pick(rng, values.STUFFS)} {pick(rng, ('soup', 'pie', 'stew', 'tart', 'cake', 'bread', 'pudding'))}"
        return _mine(kind, dish) if own else _named(kind, f"the {dish}", "it")
    if kind == "L":
        place = pick(rng, PLACES)
        if own:
            return _mine(kind, place)
        return _named(kind, f"the {name} {place}" if rng.random() < 0.5 else f"the {place}", "it")
    if kind == "J":
        noun = f"Project {name}" if rng.random() < 0.6 else f"the {name} project"
        return _mine(kind, "project") if own else _named(kind, noun, "it")
    if rng.random() < 0.35:
        return _mine(kind, pick(rng, OWNED))
    office = pick(rng, OFFICES)
    return _named(kind, f"the {office}" if rng.random() < 0.5 else f"the {name} {office}", "it")


def _mine(kind: str, noun: str) -> Subject:
    owner = "my" if kind == "R" or len(noun) % 2 else "our"
    return _named(kind, f"{owner} {noun}", "it", f"your {noun}")


def make_subject(rng: random.Random, split: str, kind: str) -> Subject:
    if kind == "me":
        return WRITER
    if kind == "we":
        return WRITERS
    maker = {"person": _person, "relative": _relative, "household": _household}.get(kind)
    return maker(rng, split) if maker else _thing(rng, split, kind)
