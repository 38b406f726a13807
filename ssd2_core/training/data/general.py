"""General knowledge and small talk for the core: finite tables of facts, each asked in many phrasings."""

import random
from itertools import accumulate

from .phrasing import CLAUSE_FRAMES, as_heldout, as_typed, divide
from .read import table
from .schema import QA, Kind
from .thesaurus import reworded
from .values import DAYS, MONTHS

AN_BY_SPELLING = ("a", "e", "i", "o", "u")
NOT_AN = ("eu", "ewe", "one", "uni", "use")
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
HELD_OUT = 3


def neighbours(ring: list[str], step: int) -> tuple[tuple[str, str], ...]:
    """Every name with the one ``step`` places on, around the end."""
    return tuple((name, ring[(place + step) % len(ring)]) for place, name in enumerate(ring))


COMPUTED = {
    "addition": tuple((f"{a} plus {b}", str(a + b)) for a in range(1, 13) for b in range(1, 13)),
    "multiplication": tuple((f"{a} times {b}", str(a * b)) for a in range(2, 10) for b in range(2, 10)),
    "day_after": neighbours(DAYS, 1), "day_before": neighbours(DAYS, -1),
    "month_after": neighbours(MONTHS, 1), "month_before": neighbours(MONTHS, -1),
    "month_number": tuple(zip(ORDINALS, MONTHS, strict=True)),
}


def read_kinds(name: str, held_out: int) -> tuple[Kind, ...]:
    """The families of a table, ``held_out`` phrasings of each kept out of training."""
    out = []
    for entry in table(name)["kinds"]:
        train, heldout = divide(entry["name"], entry["questions"].splitlines(), held_out)
        facts = tuple(entry["facts"].items()) if "facts" in entry else COMPUTED[entry["name"]]
        decoys = tuple(entry.get("decoys", "").splitlines())
        out.append(Kind(entry["name"], entry["answer"], entry["clause"], train, heldout, facts, decoys))
    return tuple(out)


def with_article(noun: str) -> str:
    """``noun`` behind "a" or "an"."""
    word = noun.lower()
    return f"{'an' if word.startswith(AN_BY_SPELLING) and not word.startswith(NOT_AN) else 'a'} {noun}"


def upper_first(text: str) -> str:
    """``text`` with a capital first letter."""
    return text[:1].upper() + text[1:]


def fill(template: str, x: str, y: str = "") -> str:
    """``template`` with its fields filled."""
    head, _, tail = x.partition(" ")
    last = x.rpartition(" ")[2]
    return template.format(x=x, ax=with_article(x), head=head, tail=tail, last=last, y=y, ay=with_article(y))


_KINDS = read_kinds("general", HELD_OUT)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
FACTS: tuple[tuple[Kind, str, str], ...] = tuple((kind, x, y) for kind in _KINDS for x, y in kind.facts)
VALUES: dict[str, tuple[str, ...]] = {kind.name: tuple(dict.fromkeys(y for _, y in kind.facts)) for kind in _KINDS}
WEIGHTS = tuple(accumulate(len(kind.facts) ** 0.5 for kind in _KINDS))
SMALL_TALK = tuple((answer, *divide(answer, said.splitlines(), 2)) for answer, said in table("general")["small_talk"].items())


def num_facts() -> int:
    """How many facts all kinds hold together."""
    return len(FACTS)


def check_split(split: str) -> None:
    """Refuse a split that is neither train nor heldout."""
    if split not in ("train", "heldout"):
        raise ValueError(f"split must be train or heldout, not {split!r}.")


def train_question(rng: random.Random, kind: Kind, x: str) -> str:
    """A train question as somebody types it, at times polite."""
    if rng.random() < 0.1:
        question = rng.choice(CLAUSE_FRAMES).format(fill(kind.clause, x))
    else:
        question = upper_first(fill(reworded(rng, rng.choice(kind.train), kind.heldout), x))
    return as_typed(rng, question, x, (fill(t, x) for t in kind.heldout))


def heldout_question(rng: random.Random, kind: Kind, x: str, template: str | None = None) -> str:
    """A question in a phrasing that training never shows for this kind, at times behind an opener."""
    return as_heldout(rng, upper_first(fill(template or rng.choice(kind.heldout), x)), x)


def ask(rng: random.Random, kind: Kind, x: str, split: str) -> str:
    """A question on one fact in the phrasings of ``split``."""
    check_split(split)
    return (train_question if split == "train" else heldout_question)(rng, kind, x)


def make_qa(kind: Kind, x: str, y: str, question: str) -> QA:
    """The question with the one answer form of its kind."""
    return QA(question, upper_first(fill(kind.answer, x, y)), y, kind.name)


def draw(rng: random.Random) -> tuple[Kind, str, str]:
    """A fact; a kind is as likely as the square root of its size."""
    kind = rng.choices(_KINDS, cum_weights=WEIGHTS)[0]
    return kind, *rng.choice(kind.facts)


def general_qa(rng: random.Random, split: str = "train") -> QA:
    """A random fact, rightly answered."""
    kind, x, y = draw(rng)
    return make_qa(kind, x, y, ask(rng, kind, x, split))


def general_guess(rng: random.Random, split: str = "train") -> QA:
    """The same question with a random value of its kind, right only by chance."""
    kind, x, _ = draw(rng)
    return make_qa(kind, x, rng.choice(VALUES[kind.name]), ask(rng, kind, x, split))


def every_fact(rng: random.Random, facts: tuple[tuple[Kind, str, str], ...], n: int,
               phrasings: int) -> list[tuple[Kind, str, str, str]]:
    """``n`` times a fact and a held-out phrasing, every fact once before any comes twice, and then in another phrasing."""
    order = rng.sample(range(len(facts)), len(facts))
    first = [rng.randrange(phrasings) for _ in facts]
    out = []
    for number in range(n):
        turn, place = divmod(number, len(order))
        kind, x, y = facts[order[place]]
        out.append((kind, x, y, kind.heldout[(first[place] + turn) % len(kind.heldout)]))
    return out


def all_heldout(rng: random.Random, n: int) -> list[QA]:
    """``n`` held-out questions, every fact once before any comes twice."""
    return [make_qa(kind, x, y, heldout_question(rng, kind, x, template))
            for kind, x, y, template in every_fact(rng, FACTS, n, 6)]


def small_talk_qa(rng: random.Random, split: str = "train") -> QA:
    """A greeting, a thank-you or a question about the model itself, with its one answer."""
    check_split(split)
    answer, train, heldout = rng.choice(SMALL_TALK)
    question = upper_first(rng.choice(train if split == "train" else heldout))
    if split == "train":
        question = as_typed(rng, question, "")
    return QA(question, answer, answer.rstrip("?."), "small_talk")
