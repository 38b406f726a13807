"""How questions vary: which phrasings training never sees, openers and polite frames, haste, contractions, stray words.

A held-out phrasing is one of the phrasings of its relation or kind, drawn at random when the tables are read: no question of
that relation is ever trained on in those words. Other relations may share the form ("By what name is ... known?").
"""

import random
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from .read import table

TRAIN_OPENERS, HELDOUT_OPENERS, CLAUSE_FRAMES = (
    table("phrasing")[name].splitlines() for name in ("train_openers", "heldout_openers", "clause_frames"))
CONTRACTIONS: dict[str, str] = table("phrasing")["contractions"]
CLOSERS: list[str] = table("phrasing")["closers"]
DISTRACTORS: list[str] = table("documents")["distractors"].splitlines()
WORD = re.compile(r"[a-z]+")


def divide(name: str, pool: Iterable, held: int, plain: Callable = lambda phrasing: True) -> tuple[tuple, tuple]:
    """The phrasings of ``name`` as (train, heldout), the same at every call; each part begins with a ``plain`` one."""
    pool = list(dict.fromkeys(pool))
    random.Random(f"held out of {name}").shuffle(pool)
    fit = [p for p in pool if plain(p)][:2]
    if len(fit) < 2 or len(pool) < held + 2:
        raise ValueError(f"{name} has too few phrasings: {len(pool)}, {len(fit)} of them plain.")
    rest = [p for p in pool if p not in fit]
    return (fit[0], *rest[held - 1:]), (fit[1], *rest[:held - 1])


@lru_cache(1)
def stray_words() -> tuple[str, ...]:
    """Words that may stand in a question without a meaning."""
    return tuple(sorted({w for text in DISTRACTORS for w in WORD.findall(re.sub(r"\{.\}", "", text))}))


def lower_first(question: str, keep: str = "") -> str:
    """The question after an opener. A first word of ``keep`` (a name) stays as it is, and so does "I"."""
    word = question.split()[0].strip(",")
    return question if word == "I" or word in keep.split() else question[:1].lower() + question[1:]


def stray(rng: random.Random, question: str, keep: str) -> str:
    """One word of the question gone, replaced or added; the words of ``keep`` stay."""
    words, kept = question.split(" "), set(re.findall(r"\w+", keep.lower()))
    loose = [i for i, w in enumerate(words) if WORD.fullmatch(w) and w not in kept]
    roll = rng.random()
    if roll < 0.5 and loose:
        words[rng.choice(loose)] = rng.choice(stray_words())
    elif roll < 0.65 and len(loose) > 2:
        del words[rng.choice(loose)]
    else:
        words.insert(rng.randrange(len(words)), rng.choice(stray_words()))
    return " ".join(words)


def bare(question: str) -> str:
    """The question without case and marks: what makes two questions the same."""
    return " ".join(re.findall(r"\w+", question.lower()))


def contracted(text: str) -> str:
    """"I'm" for "I am" and so on."""
    for long, short in CONTRACTIONS.items():
        text = text.replace(long, short)
    return text


def as_typed(rng: random.Random, question: str, keep: str, never: Iterable[str] = ()) -> str:
    """A train question as somebody types it.

    keep: names and key words that no stray word replaces. never: held-out questions.
    """
    if rng.random() < 0.1:
        changed = stray(rng, question, keep)
        question = question if bare(changed) in {bare(n) for n in never} else changed
    if rng.random() < 0.15:
        question = contracted(question)
    roll = rng.random()
    if roll < 0.17:
        return rng.choice(TRAIN_OPENERS).format(lower_first(question, keep))
    if roll < 0.20 and question.endswith("?"):
        return question[:-1] + rng.choice(CLOSERS) + "?"
    if roll < 0.25:
        question = question.rstrip("?.")
    return question.lower() if 0.23 < roll < 0.29 else question


def as_heldout(rng: random.Random, question: str, keep: str) -> str:
    """A held-out question, at times behind an opener that training never shows."""
    return rng.choice(HELDOUT_OPENERS).format(lower_first(question, keep)) if rng.random() < 0.15 else question
