"""Synthetic sentences that praise or complain."""

import random

from .read import table, words

GOOD, BAD, LIKES, HATES, THINGS = (words(table("sentiment")[name]) for name in ("good", "bad", "likes", "hates", "things"))
SAID, DENIED, PLAIN = (table("sentiment")[name].splitlines() for name in ("said", "denied", "plain"))


def sentence(rng: random.Random) -> tuple[str, float]:
    """A sentence, and how good what it says is: 1, 0, or 0.5 for what says neither."""
    if rng.random() < 0.15:
        return _filled(rng, rng.choice(PLAIN), True), 0.5
    good, denied = rng.random() < 0.5, rng.random() < 0.2
    text = _filled(rng, rng.choice(DENIED if denied else SAID), good)
    return text, float(good != denied)


def _filled(rng: random.Random, frame: str, good: bool) -> str:
    a, b = rng.sample(GOOD if good else BAD, 2)
    n, m = rng.sample(THINGS, 2)
    return frame.format(a=a, A=a.title(), b=b, n=n, m=m, v=rng.choice(LIKES if good else HATES))
