"""Questions that a text answers, made from it by rules: pieces of sentences that can be asked for, and words that ask for them.

The questions are rough on purpose: an expert that has memorised them in many wordings also knows the ones that a person asks.
"""

import random
import re
from dataclasses import dataclass, replace

from ..data.cues import CLOCK, COUNTS, CUES, MONTHS, NAME, STOP, WEEKDAYS
from ..data.schema import QA
from ..data.thesaurus import reworded
from .clauses import Subject, author, formed, subjects

SMALL = frozenset(
    """a an the is are was were be been am i'm it's do does did has have had will would can could may must shall should
of to in on at by for with from as into over under and or but so if then than that this these those there here not no yes very
too just also only even still about up down out off again please""".split()
)
PERSONS = frozenset("i me my mine we us our ours you your yours he him his she her hers they them their it its".split())
TURNED = {"i": "you", "me": "you", "my": "your", "we": "you", "our": "your", "us": "you", "i'm": "you are", "am": "are"}
FIRST = re.compile(r"(?:A|An|The|My|Our|Your|His|Her|Their|In|On|At|Under|By|With|For|Two|Three|Four|Every)\b")
READY, FORMED = 0.45, 0.25       # shares of questions as people ask, and of whole ones made from the clause
WORD = re.compile(r"[\w'’-]+")

# kind, what a piece looks like (group 1 is the answer), words that ask for it
PIECES = tuple(
    (kind, re.compile(pattern), asked)
    for kind, pattern, asked in (
        (
            "time",
            rf"\b({CLOCK})\b",
            ("When", "At what time", "What time"),
        ),
        (
            "day",
            rf"\b((?:every |next |last )?(?:{WEEKDAYS})s?(?: (?:morning|evening|afternoon|night))?|"
            rf"(?:\d{{1,2}}(?:st|nd|rd|th)? )?(?:{MONTHS})(?: \d{{1,2}}(?:st|nd|rd|th)?)?(?:,? \d{{4}})?|"
            r"in \d{4}|tomorrow|tonight|weekends)\b",
            ("When", "Which day", "On what day", "What date"),
        ),
        (
            "price",
            r"((?:[$€£] ?\d[\d.,]*|\b\d[\d.,]* ?(?:euros?|dollars?|pounds?|crowns?|cents?|%))(?: (?:a|per) \w+)?)",
            ("How much", "What price", "What does it cost"),
        ),
        (
            "number",
            rf"\b((?:{COUNTS}|\d[\d.,]*)(?: (?!and\b|in\b|at\b|on\b|of\b)[a-z]+)?)\b",
            ("How many", "How much", "What number", "How long", "How old"),
        ),
        ("names", rf"\b({NAME}(?:, {NAME})* and {NAME})", ("Who", "What are the names of", "Which", "What are called")),
        ("name", rf"\b({NAME})", ("Who", "What", "Which", "Where", "What is the name of", "Whom")),
        ("reason", r"\b((?:because|since|so that) [^.;!?]+)", ("Why", "For what reason", "How come")),
        ("role", rf"\bas ((?:an? |the )[^.,;:!?]+?){STOP}", ("What", "What job", "What for a living", "As what")),
        (
            "place",
            r"\b((?:in|on|under|behind|near|next to|beside|above|below|inside|outside|between|from|at|opposite|by|to|into) "
            rf"(?:the |a |an |my |our |your |his |her |their )?[^.,;:!?]+?){STOP}",
            ("Where", "In which place", "What place"),
        ),
        (
            "is",
            rf"\b(?:is|are|was|were|called|named|means) ((?!in\b|on\b|at\b|not\b)[^.,;:!?]+?){STOP}",
            ("What", "Which", "How", "Who"),
        ),
        (
            "thing",
            r"\b((?:a|an|the|my|our|your|some|his|her|their) [\w'’-]+(?: [\w'’-]+){0,2}?)"
            r"(?=[.,;:!?()]|\s(?:and|but|so|in|on|at|to|from|by|of|for|with|is|are|was|next|under|before|after|until|who|that)\b|$)",
            ("What", "Which", "What thing"),
        ),
        (
            "does",
            rf"\b(?:the|my|our|your|his|her) [\w'’-]+ ([a-z]+s(?: [^.,;:!?]+?)?){STOP}",
            ("What happens", "What about", "Why", "What does"),
        ),
        (
            "rest",
            rf"\b(?:[a-z]+(?:s|ed|t)|like|love|hate|play|paint|collect|eat|drink|use|need|want|bring|take|have|get) "
            rf"([a-z][\w'’ -]{{2,40}}?){STOP}",
            ("What", "What sort of thing", "Which"),
        ),
    )
)


@dataclass(frozen=True)
class Piece:
    """Something that can be asked for.

    before, after: the words of its sentence around it. kind, asks: how it is asked for. ready: whole questions that people
    would ask; formed: whole questions made from its clause.
    """

    kind: str
    text: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    asks: tuple[str, ...]
    ready: tuple[str, ...] = ()
    formed: tuple[str, ...] = ()

    @property
    def weight(self) -> float:
        """How often it is asked for, beside others."""
        return 3.0 if self.ready else 0.6 if self.kind in ("thing", "does", "rest", "is") else 1.5


def sentences(text: str) -> list[str]:
    """Sentences and lines of a text."""
    parts = re.split(r"(?<=[.!?])\s+(?!\d)|\n+", re.sub(r"\b(Dr|Mr|Mrs|Ms|St)\.", r"\1", text))
    return [part.strip() for part in parts if part.strip()]


def pieces(text: str) -> list[Piece]:
    """Everything in a text that a question could ask for, each at most once a sentence."""
    writer = author(text)
    return [piece for sentence in sentences(text) for piece in _pieces_of(sentence, writer).values()]


def _pieces_of(sentence: str, writer: tuple[str, ...]) -> dict[str, Piece]:
    out: dict[str, Piece] = {}
    for kind, pattern, asks in PIECES:
        for match in pattern.finditer(sentence):
            found = match[1].strip(" -'’").removeprefix("I'm ")
            opens = kind == "name" and found.lower().split()[0] in SMALL | PERSONS | {"hi", "hello", "dear"}
            if _fits(found, out) and not (opens and match.start(1) == 0):
                _add(out, kind, found, sentence, match.span(1), asks, writer)
    plain = sentence[:1].lower() + sentence[1:] if FIRST.match(sentence) else sentence       # "My dog" as "my dog"
    for cue in CUES:
        for match in cue.pattern.finditer(plain):
            found = sentence[slice(*match.span("v"))].strip(" -'’")
            if found.lower() not in out and _fits(found, out):
                _add(out, "cue", found, sentence, match.span("v"), ("What", "Which", "How"), writer)
            if found.lower() in out:
                piece, noun = out[found.lower()], match.groupdict().get("n") or ""
                whom = subjects(sentence[:match.start("v")], writer)
                asked = tuple(_filled(q, s, noun) for q in cue.questions for s in whom)
                out[found.lower()] = replace(piece, ready=piece.ready + asked)
    return out


def _fits(found: str, have: dict[str, Piece]) -> bool:
    return found.lower() not in have and found.lower() not in PERSONS and 2 <= len(found) <= 60


def _add(out: dict[str, Piece], kind: str, found: str, sentence: str, span: tuple[int, int], asks: tuple[str, ...],
         writer: tuple[str, ...]) -> None:
    before, after = sentence[:span[0]], sentence[span[1]:]
    words = tuple(WORD.findall(before)), tuple(WORD.findall(after))
    questions = tuple(formed(kind, *words, subjects(before, writer)))
    out[found.lower()] = Piece(kind, found, *words, asks, (), questions)


def _filled(question: tuple[str, str, str], whom: Subject, noun: str) -> str:
    return question[whom.person].format(S=whom.name, P=whom.own, O=whom.object, n=noun).strip()


def ask(rng: random.Random, piece: Piece, topic: tuple[str, ...]) -> QA:
    """One question for a piece: as people ask, or made from its clause, or loose words of its sentence.

    topic: words of the whole text that it may name as well.
    """
    roll = rng.random()
    if piece.ready and roll < READY:
        text = _with_words(rng, rng.choice(piece.ready), piece)
    elif piece.formed and roll < READY + FORMED:
        text = rng.choice(piece.formed)
    else:
        text = _loose(rng, piece, topic)
    text = text.lower() if rng.random() < 0.15 else text[:1].upper() + text[1:]
    if rng.random() < 0.4:
        text = reworded(rng, text)
    return QA(text if rng.random() < 0.85 else text.rstrip("?"), f"It is {piece.text}.", piece.text, piece.kind)


def _with_words(rng: random.Random, question: str, piece: Piece) -> str:
    """The question, in half of the calls with something that stands near: "When does it start rehearsal?" """
    near = [w for w in piece.before[-6:] + piece.after[:5] if w.lower() not in SMALL | PERSONS]
    if not near or rng.random() < 0.5:
        return question
    return question.rstrip("?") + " " + " ".join(rng.sample(near, min(len(near), rng.choice((1, 1, 2))))) + "?"


def _loose(rng: random.Random, piece: Piece, topic: tuple[str, ...]) -> str:
    near = [
        *(w for w in piece.before[-rng.randint(2, 9):] if _stays(rng, w)),
        *(w for w in piece.after[:rng.randint(0, 6)] if _stays(rng, w)),
    ]
    if rng.random() < 0.25 and topic:
        near.insert(rng.randrange(len(near) + 1), rng.choice(topic))
    words = [TURNED.get(w.lower(), w) if rng.random() < 0.5 else w for w in near]
    roll, asks = rng.random(), rng.choice(piece.asks)
    if roll < 0.12:
        words, asks = [*words, asks.lower()], ""
    elif roll < 0.55:
        words = [rng.choice(("is", "does", "do", "did", "are", "was", "can")), *words]
    return " ".join([asks, *words] if asks else words).strip() + "?"


def _stays(rng: random.Random, word: str) -> bool:
    return rng.random() < (0.45 if word.lower() in SMALL else 0.7 if word.lower() in PERSONS else 0.88)


def topic_words(text: str) -> tuple[str, ...]:
    """Names in a text: a question often says whom it is about."""
    names = re.findall(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'’-]+", text)
    return tuple(dict.fromkeys(names))[:6]


def check_sheet(texts: list[str], number: int, seed: int = 999) -> list[QA]:
    """Questions to watch a training with, drawn apart from the ones it sees; [] for texts in which nothing can be asked for."""
    rng = random.Random(seed)
    known = [(piece, topic_words(text)) for text in texts for piece in pieces(text)]
    return [ask(rng, *rng.choice(known)) for _ in range(number)] if known else []
