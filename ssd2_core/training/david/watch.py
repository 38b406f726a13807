"""How a David in training does: what he answers, greedily, to questions kept out of training. Cheap enough to ask often."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from tokenizers import Tokenizer

from ...evaluation.metrics import exact, normal_words
from ...text.prompts import encode, prompt_format
from .pages import page_text
from .reading import passages
from .silence import SilentPool, written
from .texts import text

MOST_TOKENS = 28
BATCH = 20
READS = 45                      # questions on validation passages, and as many on texts of kinds kept out
SILENT = 24


@dataclass(frozen=True)
class Case:
    """A document and a question. right: the value that an answer must have; said: or what the base says, to be kept to."""

    document: str
    question: str
    right: str = ""
    said: str = ""


def greedy(lm, tokenizer: Tokenizer, prompts: list[list[int]], most: int = MOST_TOKENS) -> list[str]:
    """What ``lm`` says after these prompts, prompts of alike length together."""
    form, out = prompt_format(tokenizer), {}
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for first in range(0, len(order), BATCH):
        chosen = order[first:first + BATCH]
        for i, said in zip(chosen, written(lm, [prompts[i] for i in chosen], form.eos, most)[0], strict=True):
            out[i] = tokenizer.decode(said[:said.index(form.eos)] if form.eos in said else said).strip()
    return [out[i] for i in range(len(prompts))]


def prompt_of(tokenizer: Tokenizer, document: str, question: str) -> list[int]:
    """What David reads: the document, unless there is none, and the question."""
    return prompt_format(tokenizer).prompt(encode(tokenizer, question), encode(tokenizer, document))


def reads_from(said: str, case: Case) -> bool:
    """Whether an answer that should know no document has words of it: long ones or numbers, not asked, not the base's."""
    own = {*normal_words(case.question), *normal_words(case.said)}
    from_document = {*normal_words(case.document)} - own
    return any(word in from_document for word in normal_words(said) if len(word) > 4 or word.isdigit())


class Watch:
    """Three sets of cases: validation passages, synthetic texts of kinds kept out, and silent requests beside such texts."""

    def __init__(self, lm, tokenizer: Tokenizer, pool: SilentPool, rng: random.Random):
        self.lm, self.tokenizer = lm, tokenizer
        rows = [(row["passage"], *asked) for row in passages("validation") for asked in row["questions"]]
        short = [row for row in rows if len(row[0]) < 1500]
        made = [(text, page_text)[i % 2](rng, heldout=True, most=3) for i in range(READS // 3)]
        self.passages = [Case(*row) for row in rng.sample(short, min(READS, len(short)))]
        self.texts = [Case(t.document, qa.question, qa.value) for t in made for qa in t.items]
        self.silent = [Case(made[i % len(made)].document, s.question, "", tokenizer.decode(s.answer_ids).strip())
                       for i, s in enumerate(pool.heldout[:SILENT])]

    def report(self) -> str:
        """One line of JSON: exact on both reading sets, how often a silent request is read to, or begun as the base begins."""
        answer_of = lambda cases: greedy(self.lm, self.tokenizer, [  # noqa: E731
            prompt_of(self.tokenizer, case.document, case.question) for case in cases])
        read, told, kept = answer_of(self.passages), answer_of(self.texts), answer_of(self.silent)
        right = lambda said, case: exact(said, case.right)  # noqa: E731
        begun = lambda said, case: normal_words(said)[:4] == normal_words(case.said)[:4]  # noqa: E731
        wrong = [(c.question, c.right, s) for s, c in zip(told, self.texts, strict=True) if not right(s, c)]
        return json.dumps({"passages": _part(read, self.passages, right), "texts": _part(told, self.texts, right),
                           "false_readings": _part(kept, self.silent, reads_from),
                           "begun_as_the_base": _part(kept, self.silent, begun), "wrong": wrong[:6],
                           "silent": [(c.question, s) for s, c in zip(kept, self.silent, strict=True)][:6]}, ensure_ascii=False)


def _part(said: list[str], cases: list[Case], check: Callable[[str, Case], bool]) -> float:
    return round(sum(map(check, said, cases)) / max(1, len(cases)), 3)
