"""Questions whose right answer only one visitor can get, and what became of one. Pure: knows no server."""

import json
import random
from collections import Counter
from dataclasses import dataclass, field

from .client import Heard, is_sentence

SUBJECTS = ("dog", "cat", "horse", "parrot", "boat")
DOCUMENT, PROMPT = "My {} is called {}. We live in Oslo.", "What is the name of the {}?"
GENERAL = "What is the capital of France?"
SHORT = {"max_new_tokens": 16, "early_exit": "patience"}
# Blocks of two tokens: an answer of some words takes some hundred steps.
LONG = {"num_steps": 64, "block_length": 2, "max_new_tokens": 64, "early_exit": "off"}
ALONE = {"pick_compact_reader": False}
TWO = {"pick_compact_islander": True, "weight_compact_islander": 0.3, "weight_compact_reader": 0.4}
OWN = {"pick_own_0": True, "weight_own_0": 0.5, "pick_compact_reader": False}
# How often each kind comes: with the reader, the core alone, two experts, an uploaded file, an own model, a long answer.
KINDS = {"reader": 40, "core": 15, "two": 15, "file": 10, "own": 10, "long": 10}


@dataclass(frozen=True)
class Question:
    """One question. word: the answer, which stands in ``document``; "" where the core knows it. settings: by elem_id."""

    kind: str
    prompt: str
    document: str = ""
    word: str = ""
    settings: dict = field(default_factory=dict)


class Words:
    """Invented names that were given out, each to one visitor. ``owner``: by name."""

    def __init__(self, seed: int):
        self.rng, self.owner = random.Random(seed), {}

    def fresh(self, visitor: int) -> str:
        """A name that nobody had before."""
        while True:
            parts = ("BDFGKLMNPRSTVZ", "aeiou", "lmnrst", "bdfgkmpstv", "aeio", "lnrs")
            word = "".join(self.rng.choice(letters) for letters in parts)
            if word not in self.owner:
                self.owner[word] = visitor
                return word

    def foreign(self, shown: set[str], visitor: int) -> list[str]:
        """Names of other visitors among the words that were shown to this one."""
        return sorted(word for word in shown if self.owner.get(word, visitor) != visitor)


def make(kind: str, number: int, words: Words, visitor: int) -> Question:
    """A question of a kind. number: which one of its tab, so that neighbours ask about different things."""
    if kind == "core":
        return Question(kind, GENERAL, settings=SHORT | ALONE)
    subject, word = SUBJECTS[number % len(SUBJECTS)], words.fresh(visitor)
    document = DOCUMENT.format(subject, word)
    settings = {"two": SHORT | TWO, "own": SHORT | OWN, "long": LONG}.get(kind, SHORT)
    return Question(kind, PROMPT.format(subject), document, word,
                    settings if kind == "file" else settings | {"pasted": document})


@dataclass
class Tally:
    """What became of all questions. failures: a sentence for each thing that should not have happened."""

    ends: Counter = field(default_factory=Counter)
    by_kind: Counter = field(default_factory=Counter)
    sentences: Counter = field(default_factory=Counter)
    with_word: int = 0
    right: int = 0
    seconds: list[float] = field(default_factory=list)
    asked_again: int = 0
    answered_again: int = 0
    seen_runs: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def note(self, question: Question, heard: Heard, visitor: int, words: Words, left: bool = False) -> str:
        """Judge one question and count it. left: its visitor closed the tab. -> that as "left", or what ``end_of`` says."""
        end = "left" if left else end_of(heard)
        problems = wrongs(question, heard, end)
        problems += [f"was shown {word}, the name of visitor {words.owner[word]}"
                     for word in words.foreign(heard.words, visitor)]
        problems += [f"was shown a run of visitor {self.seen_runs[run]}" for run in heard.runs
                     if self.seen_runs.setdefault(run, visitor) != visitor]
        self.failures += [f"visitor {visitor}, {question.kind}: {problem}" for problem in problems]
        self.ends[end] += 1
        self.by_kind[question.kind] += 1
        if end == "sentence":
            self.sentences.update(sentences_of(heard))
        if end == "answered":
            self.seconds.append(heard.ended - heard.asked)
            self.with_word += bool(question.word)
            self.right += bool(question.word) and question.word in heard.answer
        return end


def end_of(heard: Heard) -> str:
    """How an event ended for its visitor: "answered", "stopped", "sentence"; "lost" when it did not."""
    if heard.broke or not heard.done:
        return "lost"
    if heard.viewer.get("done"):
        return "sentence" if not heard.viewer["line"] else "stopped" if heard.viewer["line"].endswith("stopped") else "answered"
    return "sentence" if heard.said else "lost"


def sentences_of(heard: Heard) -> list[str]:
    """What a visitor was told in place of an answer: in the chat where a run failed, beside it where none began."""
    return [heard.answer] if heard.viewer.get("done") else heard.said


def wrongs(question: Question, heard: Heard, end: str) -> list[str]:
    """What is wrong with a question that ended so, whoever asked it."""
    out = []
    if end == "lost":
        out.append(f"was lost after {heard.steps} steps: {heard.broke or 'it ended without an answer or a sentence'}")
    if len(heard.runs) > 1:
        out.append(f"was shown {len(heard.runs)} runs at once")
    if end == "sentence":
        out += [f"was told {text[:200]!r}, which is no clear sentence" for text in sentences_of(heard) if not is_sentence(text)]
    if end in ("answered", "stopped"):
        asked = heard.chat[-2]["text"] if len(heard.chat) > 1 else ""
        if asked != question.prompt:
            out.append(f"got the answer to another question: {asked!r}")
        read = heard.viewer["read"]
        if question.word and read is not None and question.word not in " ".join([*read["used"], *read["left"]]):
            out.append("got an answer from other documents than its own")
    return out


def repackaged(weights: bytes, mark: str) -> bytes:
    """A safetensors file with ``mark`` in its metadata, so that no two visitors send the same bytes."""
    size = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8:8 + size])
    header["__metadata__"] = {**header.get("__metadata__", {}), "mark": mark}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + weights[8 + size:]
