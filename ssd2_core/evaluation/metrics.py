"""How answers to questions are scored. Knows no models, no torch and no pages."""

from collections import Counter
from collections.abc import Callable

from ..text.words import words
from .questions import Question

NUMBERS = {word: str(n) for n, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve".split())}


def normal_words(text: str) -> list[str]:
    """Words in lower case; punctuation and spaces only part them. "Eight" reads as 8. Scripts that put no spaces between words
    (Han, kana, Thai) are compared letter by letter."""
    return [NUMBERS.get(word, word) for word in words(text)]


def exact(said: str, right: str) -> bool:
    """Whether the right words stand in what was said, one after the other, case and punctuation aside."""
    words, wanted = normal_words(said), normal_words(right)
    return bool(wanted) and any(words[i:i + len(wanted)] == wanted for i in range(len(words) - len(wanted) + 1))


def token_f1(said: str, right: str) -> float:
    """F1 over words, as SQuAD counts it."""
    a, b = normal_words(said), normal_words(right)
    both = sum((Counter(a) & Counter(b)).values())
    return 2 * both / (len(a) + len(b)) if both else 0.0


def rouge_l(said: str, right: str) -> float:
    """F-measure of the longest common subsequence of words (Lin, 2004)."""
    a, b = normal_words(said), normal_words(right)
    row = [0] * (len(b) + 1)
    for x in a:
        corner = 0
        for j, y in enumerate(b, 1):
            corner, row[j] = row[j], corner + 1 if x == y else max(row[j], row[j - 1])
    return 2 * row[-1] / (len(a) + len(b)) if row[-1] else 0.0


def distinct_2(texts: list[str]) -> float:
    """Different pairs of neighbouring words over all such pairs of the texts (Li et al., 2016)."""
    pairs = [pair for text in texts for words in (normal_words(text),) for pair in zip(words, words[1:], strict=False)]
    return round(len(set(pairs)) / len(pairs), 4) if pairs else 0.0


def scores(name: str, said: list[str], questions: list[Question], tokens: int, ended: int, seconds: float,
           judge: Callable[[list[Question], list[str]], float] | None = None) -> dict:
    """One row of the table, from the answers. judge: their perplexity."""
    n = len(questions)
    mean = lambda score: round(sum(score(s, q.answer) for s, q in zip(said, questions, strict=True)) / n, 4)  # noqa: E731
    row = {"name": name, "n": n, "exact": mean(exact), "f1": mean(token_f1), "rouge_l": mean(rouge_l),
           "distinct_2": distinct_2(said), "tokens": round(tokens / n, 2), "ended": round(ended / n, 4),
           "tokens_per_second": round(tokens / max(seconds, 1e-9), 1)}
    return row | ({"perplexity": round(judge(questions, said), 2)} if judge else {})


def per_token(steps: int, tokens: int) -> float:
    """Denoising steps for each token of the answers."""
    return round(steps / max(tokens, 1), 3)


def correction_and_resistance(right: dict[str, list[bool]]) -> dict:
    """What an ensemble makes of questions that one of its experts alone answers right, with the number of such questions.

    correction: share of those right together where the core alone was wrong and a user alone right; resistance: where the core
    was right and every user wrong. None where there is no such question. right: whether each answer was right, by the name of
    the row, "core", "user:NAME" and "ensemble"; without all three nothing is known.
    """
    users = [answers for name, answers in right.items() if name.startswith("user:")]
    if not (users and "core" in right and "ensemble" in right):
        return {}
    core, both, user = right["core"], right["ensemble"], [any(answers) for answers in zip(*users, strict=True)]
    corrected = [c for a, b, c in zip(core, user, both, strict=True) if b and not a]
    resisted = [c for a, b, c in zip(core, user, both, strict=True) if a and not b]
    share = lambda found: round(sum(found) / len(found), 4) if found else None  # noqa: E731
    return {"correction": share(corrected), "correction_n": len(corrected),
            "resistance": share(resisted), "resistance_n": len(resisted)}


def table(rows: list[dict]) -> str:
    """The rows as text in columns."""
    head = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in ("share", "data", "steps")]
    shown = lambda value: "-" if value is None else str(value)  # noqa: E731
    lines = [[*(shown(r.get(k, "")) for k in head), ", ".join(f"{k} {v:.2f}" for k, v in r.get("share", {}).items())]
             for r in rows]
    lines = [[*head, "share"], *lines]
    for key in ("steps", "data"):
        if any(key in r for r in rows):
            lines = [[key if i == 0 else str(rows[i - 1][key]), *line] for i, line in enumerate(lines)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)
