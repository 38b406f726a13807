"""Other words for the same thing: training meets more of English than its tables of phrasings hold.

A word of ``tables/thesaurus.tsv`` is replaced, where it stands whole, by another one of its line; what comes out is never a
held-out phrasing. Words of {braces} are left alone.
"""

import random
import re
from collections.abc import Iterable

from .read import rows

RATE = 0.25                     # share of train phrasings that are reworded
THESAURUS: dict[str, tuple[str, ...]] = {word: tuple(others) for word, *others in rows("thesaurus")}
_WORDS = re.compile(r"(?<![\w{'-])(" + "|".join(sorted(map(re.escape, THESAURUS), key=len, reverse=True)) + r")(?![\w}'-])",
                    re.IGNORECASE)


def reworded(rng: random.Random, template: str, never: Iterable[str] = ()) -> str:
    """``template`` with one or two of its words replaced, for a share of the calls. never: what must not come out."""
    if rng.random() >= RATE:
        return template
    found = list(_WORDS.finditer(template))
    if not found:
        return template
    out = template
    for match in sorted(rng.sample(found, min(len(found), rng.choice((1, 1, 2)))), key=lambda m: -m.start()):
        other = rng.choice(THESAURUS[match[1].lower()])
        if match[1][0].isupper():
            other = other[:1].upper() + other[1:]
        out = out[:match.start()] + other + out[match.end():]
    return template if out in set(never) else out
