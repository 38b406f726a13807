"""What drafts are learned from: the greedy answers of the models themselves, made once and kept in a file."""

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer
from torch import nn

from ...errors import ModelError
from ...text.prompts import encode, prompt_format
from ..david.reading import reading
from ..david.silence import requests, written

TOGETHER = {"cpu": 64, "cuda": 512}     # answers that are written at a time
CHUNK = 8                               # batches whose answers are drawn together, so that those of alike length share one


@dataclass(frozen=True)
class Answer:
    """A prompt and what a model wrote after it, as token ids."""

    prompt: list[int]
    said: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.said)


def greedy(lm: nn.Module, prompts: list[list[int]], eos: int, most: int, log=print) -> list[Answer]:
    """What ``lm`` writes after each prompt, up to its end or ``most`` tokens."""
    began, order, found = time.monotonic(), sorted(range(len(prompts)), key=lambda i: len(prompts[i])), {}
    together = TOGETHER[lm.device.type]
    for first in range(0, len(order), together):
        chosen = order[first:first + together]
        for i, said in zip(chosen, written(lm, [prompts[i] for i in chosen], eos, most)[0], strict=True):
            found[i] = Answer(prompts[i], said)
        log(f"answers: {len(found)} of {len(prompts)}, {time.monotonic() - began:.0f} s")
    return [found[i] for i in range(len(prompts))]


def core_prompts(tokenizer: Tokenizer, number: int, seed: int) -> list[list[int]]:
    """Requests of every kind, without documents."""
    form = prompt_format(tokenizer)
    return [form.prompt(encode(tokenizer, question)) for question, _ in requests(seed, number)[0][:number]]


def reader_prompts(tokenizer: Tokenizer, number: int, seed: int) -> list[list[int]]:
    """Documents, each with a question that it answers."""
    form, rng, found = prompt_format(tokenizer), random.Random(seed), []
    while len(found) < number:
        made = reading(rng)
        document = encode(tokenizer, made.document)
        found += [form.prompt(encode(tokenizer, item.question), document) for item in made.items]
    return found[:number]


def write_answers(file: Path, **answers: list[Answer]) -> None:
    """Keep answers by model."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = {name: [[one.prompt, one.said] for one in each] for name, each in answers.items()}
    part = file.with_suffix(".part")
    part.write_text(json.dumps(rows), encoding="utf-8")
    part.replace(file)


def read_answers(file: Path) -> dict[str, list[Answer]]:
    """Answers by model, those alone that have something to draft. Raises ModelError."""
    rows = json.loads(file.read_text(encoding="utf-8"))
    found = {name: [Answer(*row) for row in each if len(row[1]) > 2] for name, each in rows.items()}
    empty = [name for name, each in found.items() if not each]
    if empty:
        raise ModelError(f"{file} has no answer of the {empty[0]} with at least three tokens; delete it, and it is made again.")
    return found


def batches(answers: list[Answer], size: int, rng: random.Random) -> Iterator[list[Answer]]:
    """Batches without an end, each of answers of alike length."""
    while True:
        drawn = sorted(rng.choices(answers, k=size * CHUNK), key=len)
        for n in rng.sample(range(CHUNK), CHUNK):
            yield drawn[n * size:(n + 1) * size]
