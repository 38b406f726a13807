"""Values for David's texts, by name: people, towns, sums, rooms. Most spellings are those that training may use."""

import random
from collections.abc import Callable
from pathlib import Path

import yaml

from ..data import values
from ..data.read import LOADER
from ..data.values import pick

TABLES = Path(__file__).parent.parent / "data" / "david"
Make = Callable[[random.Random], str]


def table(name: str):
    """The entries of the YAML file ``name`` of David's data."""
    return yaml.load((TABLES / f"{name}.yaml").read_text(encoding="utf-8"), LOADER)


WORDS: dict[str, list[str]] = {name: listed if isinstance(listed, list) else listed.split(", ")
                               for name, listed in table("words").items()}


def _street(rng: random.Random) -> str:
    return f"{rng.randint(1, 190)} {pick(rng, values.NOUNS)} {pick(rng, WORDS['streets'])}"


def _money(rng: random.Random) -> str:
    n = pick(rng, (rng.randint(2, 99), rng.randint(100, 990), 10 * rng.randint(10, 400)))
    return pick(rng, (f"{n} euros", f"{n} pounds", f"${n}", f"£{n}", f"{n} dollars", f"€{n}", f"{n}.50 euros"))


def _first(rng: random.Random) -> str:
    roll = rng.random()
    return (values.synthetic if roll < 0.25 else values.female if roll < 0.63 else values.male)(rng, "train")


def _filled(name: str) -> Make:
    """A maker that draws a pattern of the list ``name`` and fills in a number, a noun or a name."""
    return lambda rng: pick(rng, WORDS[name]).format(n=rng.randint(2, 420), noun=pick(rng, values.NOUNS),
                                                     name=values.short_name(rng, "train"))


def _the(name: str) -> Make:
    """A maker of names like "the Heron Inn"."""
    return lambda rng: " ".join(("the", pick(rng, values.NOUNS) if rng.random() < 0.7 else values.short_name(rng, "train"),
                                 pick(rng, WORDS[name])))


def _known(maker: values.Maker) -> Make:
    return lambda rng: maker(rng, "train")


MAKERS: dict[str, Make] = {
    **{name: _known(getattr(values, name)) for name in ("pet", "time", "date", "day", "password", "code", "minutes", "degrees",
                                                        "ingredient", "weight", "span", "flight", "year")},
    **{name: _the(name) for name in ("house", "hotel", "club", "school", "shop")},
    "job": lambda rng: pick(rng, WORDS["job"]),
    "language": lambda rng: pick(rng, WORDS["language"]),
    "place_in_building": _filled("rooms"),
    "project": _filled("project"),
    "product": lambda rng: f"{values.synthetic(rng, 'train')} {pick(rng, WORDS['product'])}",
    "dish": lambda rng: f"{pick(rng, values.STUFFS)} {pick(rng, values.DISHES)}",
    "person": _first,
    "full": lambda rng: f"{_first(rng)} {values.surname(rng, 'train')}",
    "formal": lambda rng: f"{pick(rng, WORDS['titles'])} {values.surname(rng, 'train')}",
    "town": lambda rng: (values.synthetic if rng.random() < 0.3 else values.city)(rng, "train"),
    "title": lambda rng: pick(rng, ("{}", '"{}"')).format(values.title(rng, "train")),
    "street": _street,
    "money": _money,
    "count": lambda rng: pick(rng, values.HOURS[1:]) if rng.random() < 0.5 else str(rng.randint(2, 60)),
    "age": lambda rng: str(rng.randint(17, 91)),
    "phone": lambda rng: f"0{rng.randint(100, 999)} {rng.randint(100000, 9999999)}",
}


def maker_of(value: str | list[str]) -> Make:
    """The maker of this name, or one that draws from these values. Raises ValueError for a name that is none."""
    if isinstance(value, list):
        return lambda rng: pick(rng, value)
    if value not in MAKERS:
        raise ValueError(f"{value} is no maker of values; there are {', '.join(sorted(MAKERS))}")
    return MAKERS[value]
