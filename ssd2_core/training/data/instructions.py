"""Synthetic instructions as people write them to an assistant: templates of each kind of topic, filled with its words."""

import random
from itertools import accumulate

from .read import table, words

_TOPICS = {kind: words(text) for kind, text in table("instructions")["topics"].items()}
_TEMPLATES = {kind: text.splitlines() for kind, text in table("instructions")["templates"].items()}
_SINGLES = table("instructions")["singles"].splitlines()
_KINDS = tuple(_TOPICS)
_COUNTS = tuple(accumulate(len(_TOPICS[kind]) * len(_TEMPLATES[kind]) for kind in _KINDS))


def count() -> int:
    """How many different instructions there are."""
    return _COUNTS[-1] + len(_SINGLES)


def instructions(rng: random.Random, number: int) -> list[str]:
    """Different instructions, at most ``count()``: every one without a topic, and others in equal chance."""
    made = [_filled(template, topic) for kind in _KINDS for template in _TEMPLATES[kind] for topic in _TOPICS[kind]]
    chosen = [*_SINGLES, *rng.sample(made, max(0, min(number, count()) - len(_SINGLES)))][:number]
    rng.shuffle(chosen)
    return chosen


def _filled(template: str, topic: str) -> str:
    """The template with its topic; "a" becomes "an" where the topic begins with a vowel."""
    article = "an" if topic[0] in "aeio" or topic.startswith("um") else "a"
    return template.replace("a {x}", f"{article} {{x}}").replace("A {x}", f"{article.capitalize()} {{x}}").replace("{x}", topic)
