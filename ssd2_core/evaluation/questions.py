"""Questions with their answers, from files: our own lines, and layouts in which such data is published. No torch, no pages."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import VisitorError
from ..text.words import words

QUESTION, DOCUMENT = ("question", "instruction"), ("document", "passage", "context", "input")
ANSWER = ("answer", "answers", "output", "response")
LABELS = ("id", "title", "kind", "type", "category", "topic", "source", "url", "comment")
READ = (*QUESTION, *ANSWER, *DOCUMENT, *LABELS)
MAX_LABEL_WORDS = 3             # an unknown field with more may be the document under another name


@dataclass(frozen=True)
class Question:
    """One line of a data file; document is "" where there is none."""

    question: str
    answer: str
    document: str


def read_questions(path: Path, limit: int | None = None) -> list[Question]:
    """The questions of a file, see ``questions_of``. Raises VisitorError."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise VisitorError(f"{path} cannot be read; give a JSONL file of questions.") from None
    return questions_of(text, path, limit)


def questions_of(text: str, name: str | Path, limit: int | None = None) -> list[Question]:
    """The first ``limit`` questions of a text, a JSON object a line: "question" (or "instruction"), "answer" and, if there is
    one, "document". Rows as SQuAD, Alpaca and Dolly have them are read as well, and so is one JSON value with all of them.

    name: of the file, for the sentence that tells a wrong line's number. Raises VisitorError.
    """
    out = []
    for place, row in _rows(text, name):
        try:
            out.append(_question(row))
        except ValueError as error:
            raise VisitorError(f"{place} of {name} {error}.") from None
        if limit and len(out) == limit:
            break
    if not out:
        raise VisitorError(f"{name} has no questions.")
    return out


def _rows(text: str, name: str | Path) -> Iterator[tuple[str, object]]:
    """Every row with where it stands: "Line 3", or "Entry 3" of a file that is one JSON value."""
    try:
        whole = _parsed(text)
    except ValueError:
        for number, line in enumerate(text.split("\n"), 1):             # splitlines would cut inside a text
            if line.strip():
                try:
                    yield f"Line {number}", _parsed(line)
                except ValueError as error:
                    raise VisitorError(f"Line {number} of {name} {error}.") from None
        return
    if isinstance(whole, dict) and isinstance(whole.get("data"), list):
        whole = whole["data"]
    if not isinstance(whole, list):
        yield f"Line {1 + len(text[:len(text) - len(text.lstrip())].splitlines())}", whole
        return
    for number, row in enumerate((row for part in whole for row in _squad(part)), 1):
        yield f"Entry {number}", row


def _squad(part: object) -> Iterator[object]:
    """The questions of an article as SQuAD's files nest them, each with its paragraph; any other value is a row itself."""
    if not isinstance(part, dict) or not isinstance(part.get("paragraphs"), list):
        yield part
        return
    for paragraph in part["paragraphs"]:
        asked = paragraph.get("qas") if isinstance(paragraph, dict) else None
        for row in asked if isinstance(asked, list) else [paragraph]:
            yield {**row, "context": paragraph.get("context")} if isinstance(row, dict) else row


def _parsed(text: str) -> object:
    """JSON without NaN and Infinity, which are no JSON. ValueError with the end of a sentence."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError:
        raise ValueError("needs JSON with question (or instruction) and answer") from None
    except RecursionError:
        raise ValueError("is nested too deeply; give question, answer and document as texts") from None


def _no_number(word: str) -> None:
    raise ValueError(f"has {word}, which is not JSON; give a text or a number")


def _question(row: object) -> Question:
    """ValueError with the end of a sentence that begins with the line."""
    if not isinstance(row, dict):
        raise ValueError("needs JSON with question (or instruction) and answer")
    asked, answer = _field(row, QUESTION), _first(_field(row, ANSWER))
    document = _field(row, DOCUMENT)
    if not document:
        for key, value in row.items():
            if key not in READ and isinstance(value, str) and len(value.split()) > MAX_LABEL_WORDS:
                raise ValueError(f"has a text named {key[:40]!r}, which is not read; name it document, or leave it out")
    return Question(_text("question", asked), _text("answer", answer), _text("document", document) if document else "")


def _field(row: dict, names: tuple[str, ...]) -> object:
    """The first of these fields that is not empty, None without one."""
    return next((row[name] for name in names if row.get(name) not in (None, "", [], {})), None)


def _first(answers: object) -> object:
    """The first of several right answers, as SQuAD lists them: {"text": [...]}, [{"text": ...}] or [...]."""
    for _ in range(3):
        if isinstance(answers, dict):
            answers = answers.get("text")
        elif isinstance(answers, list):
            answers = answers[0] if answers else None
    return answers


def _text(name: str, value: object) -> str:
    """A field as text; a number is read as it is written. ValueError for anything else and for text without a word."""
    if value is None:
        raise ValueError(f"needs JSON with question (or instruction) and answer; it has no {name}")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or isinstance(value, float) and math.isinf(value):
        raise ValueError(f"has neither text nor a number as its {name}")
    text = str(value)
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError(f"has half a character (U+D800 to U+DFFF) in its {name}; write the whole character or leave it out")
    if not words(text):
        raise ValueError(f"has no word and no number in its {name}; write one, or leave the line out")
    return text
