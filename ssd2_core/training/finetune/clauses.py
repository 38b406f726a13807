"""Questions in whole sentences from a clause and what is asked for in it: "I sing in the choir" -> "Where do you sing?"

There is no parser here. A clause is read by a list of common verbs; what it does not fit gives no question.
"""

import re
from dataclasses import dataclass

from ..data.verbs import VERBS

LINKS = ("in", "on", "at", "for", "with", "from", "to")
ADVERBS = frozenset("always often usually also now still never sometimes mostly only just then really even first".split())
COPULAS = {"is": "is", "are": "are", "was": "was", "were": "were"} | dict.fromkeys(("am", "i'm", "it's", "he's", "she's"), "is")
WORDS_FOR = {"time": ("When", "What time", "At what time"), "day": ("When", "Which day", "On what day"), "place": ("Where",),
             "reason": ("Why", "For what reason"), "price": ("How much",), "number": ("How many", "How much"),
             "name": ("Who", "What", "Which"), "names": ("Who", "Which"), "role": ("As what",)}
OTHERS = ("What", "Which")


@dataclass(frozen=True)
class Subject:
    """Whom a sentence is about, as a question may say it. person: 0 first, 1 third, 2 second or several."""

    name: str
    own: str
    object: str
    person: int


def named(name: str) -> Subject:
    """Somebody else, by name."""
    return Subject(name, f"{name}'s", name, 1)


ME, YOU, WE = Subject("I", "my", "me", 0), Subject("you", "your", "you", 2), Subject("we", "our", "us", 2)
HE, SHE, THEY = Subject("he", "his", "him", 1), Subject("she", "her", "her", 1), Subject("they", "their", "them", 2)
LAST = re.compile(r"\b(I|I'm|I've|[Ww]e|[Yy]ou|[Mm]y|[Oo]ur|[Hh]e|[Ss]he|[Hh]is|[Hh]er|[Tt]hey|[Tt]heir|me|us|[A-Z][\w-]+)\b"
                  r"(?: ([a-z]+)(?: ([A-Z]\w+))?)?")
PRONOUNS = frozenset("i i'm i've me my we us our you your he his she her they their".split())
DETERMINERS = frozenset("the a an my our your his her their this that these those there it".split())
BOUNDS = frozenset("and but because so when where who which while that".split())
AUTHOR = re.compile(r"\b(?:I'm|I am|[Mm]y name is|[Tt]his is) ([A-Z][\w-]+)|(?:^|\n)\s*[–—-]? ?([A-Z][a-z]+)\s*$")


def author(text: str) -> tuple[str, ...]:
    """The first name that the text gives for its writer, if it does."""
    return tuple(name for found in AUTHOR.findall(text)[:1] for name in found if name)


def _is_verb(word: str) -> bool:
    return word.lower() in VERBS or word.lower() in COPULAS


def _is_subject(match: re.Match) -> bool:
    """Pronouns are; a name is when a verb follows it, and so is not a place where somebody lives."""
    return match[1].lower() in PRONOUNS or _is_verb(match[2] or "")


def subjects(before: str, writer: tuple[str, ...]) -> tuple[Subject, ...]:
    """Whom a question about the words after ``before`` can be about."""
    mine = (ME, YOU, *map(named, writer), *((HE, SHE) if writer else ()))
    found = [match for match in LAST.finditer(before) if _is_subject(match)]
    if not found:
        return mine
    word, noun, name = found[-1].groups()
    low = word.lower()
    if low in ("he", "his"):
        return (HE, *map(named, writer))
    if low in ("she", "her"):
        return (SHE, *map(named, writer))
    if low in ("they", "their"):
        return (THEY,)
    if low in ("we", "our", "us"):
        return (WE, YOU, *mine)
    if low == "my" and noun:
        kin = (named(f"my {noun}"), named(f"your {noun}"))
        return (*kin, named(name), *mine) if name else (*kin, *mine)
    if low in PRONOUNS:
        return mine
    return (named(word), *mine)


def formed(kind: str, before: tuple[str, ...], after: tuple[str, ...], whom: tuple[Subject, ...]) -> list[str]:
    """Questions for a piece of this kind that stands between these words of its sentence."""
    if not before:
        return _as_subject(after)
    before = _clause(before)
    at = next((i for i in range(len(before) - 1, -1, -1) if _is_verb(before[i])), None)
    if at is None:
        return []
    verb, middle = before[at].lower(), [word for word in before[at + 1:] if word.lower() not in ADVERBS]
    if middle and middle[-1].lower() in BOUNDS:          # "goulash and ...": one of several, which no question could single out
        return []
    tail = list(after[:4]) if kind in ("name", "thing", "is", "rest") and after and after[0] in LINKS else []
    what = WORDS_FOR.get(kind, OTHERS)
    first = [word for word in before[max(0, at - 3):at] if word.lower() not in ADVERBS]
    if verb in COPULAS:
        about = " ".join([_within(first[0]), *first[1:]]) if first and verb != "i'm" else ""
        out = [f"{w} {COPULAS[verb]} {' '.join([about, *middle, *tail])}?" for w in what] if about else []
        return [re.sub(r"\s+", " ", q) for q in out]
    base, auxiliary = VERBS[verb]
    out = []
    for w in what:
        for s in whom:
            do = "did" if auxiliary == "did" else "does" if s.person == 1 else "do"
            out.append(" ".join([w, do, s.name, base, *middle, *tail]) + "?")
    return out


def _within(word: str) -> str:
    """The first word of a sentence as it stands within one."""
    return word.lower() if word.lower() in DETERMINERS else word


def _clause(before: tuple[str, ...]) -> tuple[str, ...]:
    """The words since the last conjunction, where they hold a verb with something before it."""
    for at in range(len(before) - 1, 0, -1):
        last = before[at:]
        if before[at - 1].lower() in BOUNDS and any(map(_is_verb, last[1:])):
            return last
    return before


def _as_subject(after: tuple[str, ...]) -> list[str]:
    """Questions for what a sentence begins with: "Who lives in Kiruna?" """
    if not after or not _is_verb(after[0]):
        return []
    rest = " ".join(after[:7])
    return [f"Who {rest}?", f"What {rest}?", f"Which one {rest}?"]
