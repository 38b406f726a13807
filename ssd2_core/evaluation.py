"""Measures answers: core alone, each user alone, ensemble, on JSONL files of questions. Knows the library, not the worker."""

import json
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from .config import EnsembleParams, SamplingParams
from .context import bind_rows
from .documents import passages
from .ensemble import CORE, Ensemble
from .errors import VisitorError
from .library import Expert
from .prompts import answer_text, contexts
from .sampling import Step, generate

BATCH = 64
NUMBERS = {word: str(n) for n, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve".split())}


@dataclass(frozen=True)
class Question:
    """One line of a data file; document is "" where there is none."""

    question: str
    answer: str
    document: str


def read_questions(path: Path, limit: int | None = None) -> list[Question]:
    """Lines {"question" or "instruction", "answer", "document" or "passage"?}. Raises VisitorError with the line's number."""
    out = []
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")      # splitlines would cut inside a text
    except (OSError, UnicodeDecodeError):
        raise VisitorError(f"{path} cannot be read; give a JSONL file of questions.") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            document = row.get("document") or row.get("passage")
            out.append(Question(_text(row.get("question") or row.get("instruction")), _text(row.get("answer")),
                                _text(document) if document else ""))
        except (ValueError, AttributeError, RecursionError):
            raise VisitorError(f"Line {number} of {path} needs JSON with question (or instruction) and answer.") from None
        if limit and len(out) == limit:
            break
    if not out:
        raise VisitorError(f"{path} has no questions.")
    return out


def _text(value: object) -> str:
    """A field as text; a number is read as it is written. ValueError for anything else and for text without a word."""
    text = str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    if not normal_words(text):
        raise ValueError("a text was expected")
    return text


def normal_words(text: str) -> list[str]:
    """Words of letters and digits in lower case, in any script; punctuation and spaces only part them. "Eight" reads as 8."""
    return [NUMBERS.get(word, word) for word in re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).casefold())]


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


def answer_all(experts: dict[str, Expert], questions: list[Question], ensemble: EnsembleParams, sampling: SamplingParams,
               bar: tqdm) -> Iterator[tuple[list[str], int, int, float, dict[str, float]]]:
    """Batch by batch: answers, number of their tokens, how many ended by EOS, steps a block, each expert's summed share.

    A block ends early only when all of its rows rest, so with an early exit each question is a batch of its own.
    """
    first = next(iter(experts.values()))
    eos, size = first.model.config.eos_token_id, BATCH if sampling.early_exit == "off" else 1
    for start in range(0, len(questions), size):
        rows = questions[start:start + size]
        bound = {}
        for name, expert in experts.items():
            given = [contexts(expert.tokenizer, expert.model.config, q.question, (), passages(q.document)) for q in rows]
            bare = [c.bare_ids or c.ids for c in given] if any(c.bare_ids for c in given) else None
            bound[name] = bind_rows(expert.model, [c.ids for c in given], bare)
        fused = Ensemble(bound, ensemble)
        rng = torch.Generator(device=fused.device).manual_seed(sampling.seed)
        ends, decided, steps = [], {}, 0
        for step in generate(fused, sampling, rng):
            decided[step.block] = _decided(decided.get(step.block), step, experts)
            ends += [step] if step.finished else []
            steps += 1
        ids = torch.cat([s.token_ids for s in ends], 1)[:, :sampling.max_new_tokens]
        inside = (ids == eos).long().cumsum(-1) == 0
        shares = {n: (torch.cat([d[n] for d in decided.values()], 1)[:, :ids.shape[1]] * inside).sum().item() for n in experts}
        bar.update(len(rows))
        ended = int((ids == eos).any(-1).sum())
        yield [answer_text(first.tokenizer, row) for row in ids.tolist()], int(inside.sum()), ended, steps / len(ends), shares


def _decided(before: dict[str, torch.Tensor] | None, step: Step, names: Iterable[str]) -> dict[str, torch.Tensor]:
    """Each expert's share (B, L) in a block's tokens, each at the step that set it; 0 where it had no weight or was dropped."""
    now = {name: step.share.get(name, torch.zeros_like(step.confidence)) for name in names}
    return {name: torch.where(step.changed, share, before[name]) for name, share in now.items()} if before else now


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


def measure(name: str, experts: dict[str, Expert], questions: list[Question], ensemble: EnsembleParams,
            sampling: SamplingParams, judge: Callable | None = None) -> dict:
    """One row of the table."""
    said, tokens, ended, made, shares = [], 0, 0, 0.0, Counter()
    start = time.monotonic()
    with tqdm(total=len(questions), desc=name, leave=False) as bar:
        for answers, count, whole, steps, share in answer_all(experts, questions, ensemble, sampling, bar):
            said += answers
            tokens += count
            ended += whole
            made += steps * len(answers)
            shares.update(share)
    row = scores(name, said, questions, tokens, ended, time.monotonic() - start, judge)
    share = {k: round(v / max(tokens, 1), 4) for k, v in shares.items()}
    return row | {"steps_per_block": round(made / len(questions), 2), "share": share}


def evaluate(core: Expert, users: dict[str, Expert], questions: list[Question], ensemble: EnsembleParams,
             sampling: SamplingParams, judge: Callable | None = None) -> list[dict]:
    """Rows for the core alone, each user alone and, when there are users, the ensemble."""
    rows = [measure("core", {CORE: core}, questions, EnsembleParams(), sampling, judge)]
    for name, user in users.items():
        alone = EnsembleParams(lam={name: 1.0}, alpha=ensemble.alpha)
        rows.append(measure(f"user:{name}", {name: user}, questions, alone, sampling, judge))
    if users:
        rows.append(measure("ensemble", {CORE: core, **users}, questions, ensemble, sampling, judge))
    return rows


def table(rows: list[dict]) -> str:
    """The rows as text in columns."""
    head = [key for key in rows[0] if key not in ("share", "data", "steps")]
    lines = [[str(r[k]) for k in head] + [", ".join(f"{k} {v:.2f}" for k, v in r.get("share", {}).items())] for r in rows]
    lines = [[*head, "share"], *lines]
    for key in ("steps", "data"):
        if any(key in r for r in rows):
            lines = [[key if i == 0 else str(rows[i - 1][key]), *line] for i, line in enumerate(lines)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)
