"""Makers of values: names, places, times, codes. A stable hash of the spelling decides its split."""

import random
from collections.abc import Callable
from zlib import crc32

from .read import table, words

Maker = Callable[[random.Random, str], str]


def is_heldout(text: str) -> bool:
    """Whether this spelling is kept out of training, in any letter case."""
    return crc32(text.lower().encode()) % 5 == 0


def pick(rng: random.Random, options):
    """One of ``options``; quicker than ``rng.choice``."""
    return options[int(rng.random() * len(options))]


WORDS: dict[str, list[str]] = {name: words(text) for name, text in table("values").items()}
ADJECTIVES, NOUNS, SURNAMES, GROUNDS, TRADES, HUES, STUFFS, DISHES, FRUITS, HOURS, MONTHS, DAYS = (WORDS[name] for name in (
    "adjectives", "nouns", "surnames", "grounds", "trades", "hues", "stuffs", "dishes", "fruits", "hours", "months", "days"))


def from_words(listed: list[str]) -> Maker:
    """A maker that draws from a list."""
    pools = {"train": [w for w in listed if not is_heldout(w)], "heldout": [w for w in listed if is_heldout(w)]}
    if not all(pools.values()):
        raise ValueError(f"a split has no words: {listed[:3]}")
    return lambda rng, split: pick(rng, pools[split])


def from_pattern(make: Callable[[random.Random], str]) -> Maker:
    """A maker that draws until the spelling belongs to the split."""
    def maker(rng: random.Random, split: str) -> str:
        wanted = split == "heldout"
        while True:
            text = make(rng)
            if is_heldout(text) == wanted:
                return text
    return maker


def mixed(*weighted: tuple[float, Maker]) -> Maker:
    """A maker that leaves the work to one of several, by weight."""
    edges, total = [], 0.0
    for weight, maker in weighted:
        total += weight
        edges.append((total, maker))

    def maker(rng: random.Random, split: str) -> str:
        roll = rng.random() * total
        return next((m for edge, m in edges if roll < edge), edges[-1][1])(rng, split)
    return maker


ONSETS = ("b c d f g h j k l m n p r s t v w y z br bl ch cl cr dr fl fr gl gr kr kl pl pr qu sh sk sl sm sn sp st sv "
          "th tr tw vl zh").split() + list("bdfgklmnprstv") * 2
VOWELS = list("aaaeeeiiooouu") * 3 + "y y ai ea ee ei ia ie io oa oo ou ue au".split()
CODAS = [*[""] * 5, *"l m n r s t k d x n r".split(), *"ld lm ll mp nd nt ng rk rn rt sk st sh th ck ff".split()]


def spelling(rng: random.Random) -> str:
    """A pronounceable word that nobody has seen, with a capital letter."""
    while True:
        parts = []
        for _ in range(pick(rng, (2, 2, 2, 3, 3, 4))):
            if parts or rng.random() < 0.82:
                parts.append(pick(rng, ONSETS))
            parts.append(pick(rng, VOWELS))
            if rng.random() < 0.45:
                parts.append(pick(rng, CODAS))
        word = "".join(parts)
        if 3 < len(word) < 10:
            return word.capitalize()


synthetic = from_pattern(spelling)

female, male, listed_surname = (from_words(WORDS[name]) for name in ("female", "male", "surnames"))
female_name = mixed((0.5, synthetic), (0.5, female))
male_name = mixed((0.5, synthetic), (0.5, male))
surname = mixed((1, listed_surname), (1, synthetic))
_first = mixed((0.6, synthetic), (0.2, female), (0.2, male))


def _full_name(rng: random.Random) -> str:
    first = pick(rng, (WORDS["female"], WORDS["male"])) if rng.random() < 0.5 else None
    last = pick(rng, SURNAMES) if rng.random() < 0.5 else spelling(rng)
    return f"{pick(rng, first) if first else spelling(rng)} {last}"


full_name = from_pattern(lambda rng: next(n for n in iter(lambda: _full_name(rng), None) if len(n) < 16))
person = mixed((0.85, _first), (0.15, full_name))
titled = from_pattern(lambda rng: f"{pick(rng, ('Mr', 'Mrs', 'Ms', 'Dr'))} "
                      f"{pick(rng, SURNAMES) if rng.random() < 0.4 else spelling(rng)}")
formal_person = mixed((0.6, person), (0.4, titled))


pet = mixed((0.6, synthetic), (0.4, from_words(WORDS["pet"])))

_town = from_pattern(lambda rng: _short(rng, 6) + pick(rng, WORDS["endings"]))
city = mixed((0.35, from_words(WORDS["cities"])), (0.35, synthetic), (0.3, _town))


def _short(rng: random.Random, most: int) -> str:
    return next(w for w in iter(lambda: spelling(rng), None) if len(w) <= most)


street = from_pattern(lambda rng: (f"{rng.randint(1, 180)} " if rng.random() < 0.35 else "")
                      + f"{pick(rng, GROUNDS) if rng.random() < 0.35 else _short(rng, 6)} "
                      + pick(rng, ("Street", "Street", "Road", "Lane", "Way", "Square", "Row", "Hill")))

two_words = from_pattern(lambda rng: next(
    n for n in iter(lambda: f"{pick(rng, ADJECTIVES)} {pick(rng, NOUNS)}", None) if len(n) < 16))
name_like = mixed((0.55, synthetic), (0.45, two_words))
title = mixed((0.75, two_words), (0.25, synthetic))
company = mixed((0.4, synthetic), (0.25, two_words), (0.35, from_pattern(
    lambda rng: f"{_short(rng, 7)} " + pick(rng, ("Foods", "Bank", "Motors", "Labs", "Media", "Group", "Works", "Energy")))))
school = from_pattern(lambda rng: f"{pick(rng, GROUNDS) if rng.random() < 0.4 else _short(rng, 7)} "
                      + pick(rng, ("School", "College", "Academy", "High")))
hotel = from_pattern(lambda rng: (f"Hotel {spelling(rng)}" if rng.random() < 0.5 else
                                  f"{_short(rng, 7)} {pick(rng, ('Inn', 'Lodge', 'Hotel', 'Palace'))}"))

job = mixed((0.75, from_words(WORDS["job"])),
            (0.25, from_pattern(lambda rng: f"{pick(rng, TRADES)} {pick(rng, ('teacher', 'coach', 'tutor', 'instructor'))}")))

TINTS = ["dark ", "light ", "pale ", "bright ", "deep ", "soft "]
colour = mixed((0.5, from_words(HUES)), (0.5, from_pattern(lambda rng: pick(rng, TINTS) + pick(rng, HUES[:10]))))
food = mixed((0.6, from_pattern(lambda rng: f"{pick(rng, STUFFS)} {pick(rng, DISHES)}")), (0.4, from_words(WORDS["food"])))
_sweet = from_pattern(lambda rng: f"{pick(rng, FRUITS)} {pick(rng, ('juice', 'tea', 'soda', 'smoothie', 'cider'))}")
drink = mixed((0.65, _sweet), (0.35, from_words(WORDS["drink"])))
sport, hobby, instrument, language, allergen, animal, material, ingredient = (from_words(WORDS[name]) for name in (
    "sport", "hobby", "instrument", "language", "allergen", "animal", "material", "ingredient"))
the_animal = from_pattern(lambda rng: f"the {animal(rng, 'train' if rng.random() < 0.6 else 'heldout')}")
brand = mixed((0.6, synthetic), (0.4, from_words(WORDS["brand"])))
spot = from_pattern(lambda rng: f"{pick(rng, ('in', 'inside'))} the {pick(rng, WORDS['boxes'])}" if rng.random() < 0.35 else
                    f"{pick(rng, ('under', 'behind', 'near', 'beside'))} the {pick(rng, WORDS['found'])}")

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def _code(rng: random.Random) -> str:
    a, b, n = pick(rng, LETTERS), pick(rng, LETTERS), rng.randint
    shape = int(rng.random() * 7)
    return (f"{a}{n(1, 9)}-{n(100, 999)}", f"{a}{b}-{n(10, 99)}", f"{n(1000, 9999)}", f"{a}{n(10, 999)}",
            f"{n(10, 99)}-{a}{b}",
            f"{n(10, 99)}{a}{n(10, 99)}", f"{n(100, 999)}-{n(100, 999)}")[shape]


def _password(rng: random.Random) -> str:
    one, two, n = spelling(rng).lower(), pick(rng, NOUNS).lower(), rng.randint(2, 99)
    return pick(rng, (f"{one}{n}", f"{two}-{n}", f"{two}{one}", f"{one.capitalize()}{n}", f"{one}_{two}",
                      f"{one}!{n}"))[:16]


def _time(rng: random.Random) -> str:
    hour, minute, shape = rng.randint(1, 12), 5 * rng.randint(0, 11), rng.random()
    if shape < 0.5:
        return f"{rng.randint(6, 23)}:{minute if rng.random() < 0.8 else rng.randint(0, 59):02d}"
    if shape < 0.7:
        return f"{hour} {pick(rng, ('am', 'pm'))}"
    if shape < 0.85:
        return f"{pick(rng, ('half past', 'quarter past', 'quarter to'))} {pick(rng, HOURS)}"
    return f"{hour}:{minute:02d} {pick(rng, ('am', 'pm'))}"


code, password, time = from_pattern(_code), from_pattern(_password), from_pattern(_time)
digits = from_pattern(lambda rng: f"{rng.randint(0, 9999):04d}" if rng.random() < 0.5 else str(rng.randint(100, 99999)))
date = from_pattern(lambda rng: f"{rng.randint(1, 28)} {pick(rng, MONTHS)}" if rng.random() < 0.7
                    else f"{pick(rng, MONTHS)} {rng.randint(1, 28)}")
day = mixed((0.4, from_words([f"{d}" for d in DAYS])), (0.6, from_words(
    [f"{d} {p}" for d in DAYS for p in ("morning", "afternoon", "evening")])))
year = from_pattern(lambda rng: str(rng.randint(1890, 2025)))
small = from_pattern(lambda rng: pick(rng, HOURS[1:]) if rng.random() < 0.35 else str(rng.randint(2, 24)))
number = from_pattern(lambda rng: str(rng.randint(2, 99) if rng.random() < 0.6 else rng.randint(100, 2000)))
age = from_pattern(lambda rng: str(rng.randint(2, 97)))
shoe = from_pattern(lambda rng: f"{rng.randint(34, 48)}{'.5' if rng.random() < 0.25 else ''}")
bus = from_pattern(lambda rng: str(rng.randint(2, 399)) if rng.random() < 0.75
                   else f"{pick(rng, LETTERS)}{rng.randint(1, 60)}")
flight = from_pattern(lambda rng: pick(rng, LETTERS) + pick(rng, LETTERS) + pick(rng, ("", " "))
                      + str(rng.randint(100, 9999)))
room = mixed((0.5, from_pattern(lambda rng: f"Room {rng.randint(1, 420)}")), (0.2, from_pattern(
    lambda rng: f"{pick(rng, LETTERS)}{rng.randint(1, 60)}")), (0.3, from_pattern(
        lambda rng: f"{pick(rng, ('Hall', 'Studio', 'Lab', 'Suite'))} "
                    f"{pick(rng, NOUNS) if rng.random() < 0.5 else rng.randint(1, 40)}")))


def _price(rng: random.Random) -> str:
    n = rng.randint(2, 99) if rng.random() < 0.6 else rng.randint(100, 990)
    cents = f".{pick(rng, ('50', '90', '99', '20'))}" if rng.random() < 0.25 else ""
    return pick(rng, (f"{n} euros", f"{n}{cents} euros", f"${n}{cents}", f"£{n}{cents}", f"{n} dollars"))


price = from_pattern(_price)
weight = from_pattern(lambda rng: pick(rng, (f"{rng.randint(2, 60)} kg", f"{rng.randint(1, 9)}.{rng.randint(1, 9)} kg",
                                             f"{rng.randint(5, 95) * 10} grams")))
length = from_pattern(lambda rng: f"{rng.randint(2, 300)} {pick(rng, ('cm', 'metres'))}")
span = from_pattern(lambda rng: f"{rng.randint(2, 40)} {pick(rng, ('years', 'months', 'weeks'))}")
minutes = from_pattern(lambda rng: f"{rng.randint(3, 95)} minutes")
degrees = from_pattern(lambda rng: f"{rng.randint(110, 260)} degrees")
hint = from_pattern(lambda rng: f"{pick(rng, ADJECTIVES)} {pick(rng, NOUNS)}".lower())
short_name = from_pattern(lambda rng: _short(rng, 7))
