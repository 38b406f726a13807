"""Rows of token ids for one step: a document read once, and questions about it side by side that do not see one another.

The prompt of a question is ChatML without a system turn:
``<|im_start|>document\\n{document}<|im_end|>\\n<|im_start|>user\\n{question}<|im_end|>\\n<|im_start|>assistant\\n{answer}<|im_end|>``,
which is what ``text.prompts`` writes for a tokenizer of this kind; over a Gemma it writes the same in Gemma's turns.
Letters: B rows, S tokens in a row, N positions with a loss, K most likely tokens of a silent target.
"""

import random
from dataclasses import dataclass, fields

import torch
from tokenizers import Tokenizer
from torch import Tensor

from ...text.prompts import PromptFormat, encode, prompt_format
from .reading import Reading, reading
from .silence import Silent, SilentPool

ROWS, PARTS = 8, 2               # rows in a step, and batches that they are computed in: the memory of four rows is enough
CHUNK = 4                       # steps whose rows are drawn together, so that rows of alike length share a step
LONGEST = 448                   # tokens in a row
BUCKET = 64                     # row lengths are rounded up to a multiple of this: few shapes to compile for
SILENT_RATE = 0.7               # rows that also ask what the document does not answer; two such questions each
NEAR_RATE = 0.10                # rows of a document with questions that its like would answer, and it does not
CHAIN_RATE = 0.2                # rows whose questions are one conversation: each sees the ones before
NO_DOCUMENT_RATE = 0.04         # rows without a document: there, too, David is the base


@dataclass(frozen=True)
class Branch:
    """A question with its answer. target: of a silent one, the base's own prediction."""

    ids: list[int]
    answer_at: int
    target: Silent | None = None


@dataclass(frozen=True)
class Row:
    document: list[int]
    branches: list[Branch]
    chained: bool = False

    def __len__(self) -> int:
        return len(self.document) + sum(len(b.ids) for b in self.branches)


@dataclass(frozen=True)
class Batch:
    """ids, positions: (B, S). mask: (B, S, S), what each token sees. read_at, silent_at: (N, 2) row and place of what has a
    loss. read_ids: (N,) right tokens. silent_ids, silent_logs: (N, K) the base's likeliest tokens, their log-probabilities."""

    ids: Tensor
    positions: Tensor
    mask: Tensor
    read_at: Tensor
    read_ids: Tensor
    silent_at: Tensor
    silent_ids: Tensor
    silent_logs: Tensor

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on ``device``."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


class RowMaker:
    """Rows from the readings and from the pool of silent requests."""

    def __init__(self, tokenizer: Tokenizer, pool: SilentPool):
        self.tokenizer, self.pool = tokenizer, pool
        self.form: PromptFormat = prompt_format(tokenizer)

    def branch(self, question: str, answer: str) -> Branch:
        asked = self.form.question(encode(self.tokenizer, question))
        return Branch([*asked, *encode(self.tokenizer, answer), self.form.eos], len(asked))

    def silent(self, item: Silent) -> Branch:
        asked = self.form.question(encode(self.tokenizer, item.question))
        return Branch([*asked, *item.answer_ids], len(asked), item)

    def document(self, text: str) -> list[int]:
        return self.form.beginning(encode(self.tokenizer, text))

    def row(self, rng: random.Random) -> Row:
        """One row of at most LONGEST tokens."""
        if rng.random() < NO_DOCUMENT_RATE:
            return self.fitting(self.document(""), [self.silent(self.pool.foreign(rng)) for _ in range(5)], False)
        near = self.pool.near(rng) if rng.random() < NEAR_RATE else None
        if near:
            others = [self.silent(self.pool.foreign(rng))] if rng.random() < 0.5 else []
            known = [self.branch(qa.question, qa.answer) for qa in near[0].items[:4]]
            return self.fitting(self.document(near[0].document), [*map(self.silent, near[1]), *others, *known], False)
        made: Reading = reading(rng)
        chained = rng.random() < CHAIN_RATE
        branches = [self.branch(qa.question, qa.answer) for qa in made.items]
        if not chained and rng.random() < SILENT_RATE:
            silent = [self.silent(self.pool.foreign(rng)) for _ in range(2)]
            branches = [branches[0], *silent, *branches[1:]]
        return self.fitting(self.document(made.document), branches, chained) or self.row(rng)

    def fitting(self, document: list[int], branches: list[Branch], chained: bool, longest: int = LONGEST) -> Row | None:
        """As many of the branches as fit; None where not even one does."""
        kept, left = [], longest - len(document)
        for branch in branches:
            if len(branch.ids) <= left:
                kept.append(branch)
                left -= len(branch.ids)
        return Row(document, kept, chained) if kept else None

    def batches(self, seed: int, step: int) -> list[Batch]:
        """The rows of one step in PARTS batches, the same for the same seed and step."""
        rng = random.Random(seed * 1_000_003 + step // CHUNK)
        rows = sorted((self.row(rng) for _ in range(ROWS * CHUNK)), key=len)
        size = ROWS // PARTS
        order = rng.sample(range(CHUNK * PARTS), CHUNK * PARTS)[step % CHUNK * PARTS:][:PARTS]
        return [make_batch(rows[n * size:(n + 1) * size], self.form) for n in order]


def make_batch(rows: list[Row], form: PromptFormat, bucket: int = BUCKET) -> Batch:
    """The tensors of these rows. A token sees what stands before it in the document and in its own branch."""
    longest = -(-max(map(len, rows)) // bucket) * bucket
    ids = torch.full((len(rows), longest), form.eos)
    positions = torch.zeros(len(rows), longest, dtype=torch.long)
    owner = torch.full((len(rows), longest), -1)                        # 0: document; n: the n-th branch; -1: padding
    read_at, read_ids, silent_at, targets = [], [], [], []
    for b, row in enumerate(rows):
        size = len(row.document)
        ids[b, :size] = torch.tensor(row.document, dtype=torch.long)
        positions[b, :size], owner[b, :size] = torch.arange(size), 0
        at = size
        for n, branch in enumerate(row.branches, 1):
            end, begin = at + len(branch.ids), at if row.chained else size
            ids[b, at:end] = torch.tensor(branch.ids)
            positions[b, at:end] = torch.arange(begin, begin + len(branch.ids))
            owner[b, at:end] = 0 if row.chained else n
            predicting = [(b, at + i - 1) for i in range(branch.answer_at, len(branch.ids))]
            if branch.target:
                silent_at += predicting
                targets.append(branch.target)
            else:
                read_at += predicting
                read_ids += branch.ids[branch.answer_at:]
            at = end
    seen = (owner[:, None, :] == owner[:, :, None]) | (owner[:, None, :] == 0)          # (B, S, S)
    seen = seen & torch.ones(longest, longest, dtype=torch.bool).tril()
    seen = seen | torch.eye(longest, dtype=torch.bool)
    none = torch.zeros(0, 1)
    pairs = lambda at: torch.tensor(at, dtype=torch.long).reshape(-1, 2)  # noqa: E731
    return Batch(ids, positions, seen, pairs(read_at), torch.tensor(read_ids, dtype=torch.long), pairs(silent_at),
                 torch.cat([t.top_ids for t in targets]) if targets else none.long(),
                 torch.cat([t.top_logs for t in targets]).float() if targets else none)
