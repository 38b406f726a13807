"""Examples for adapted models: from JSONL files or Hub datasets to learnt sequences in the tokenizer's own prompt format."""

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from ...errors import VisitorError
from ...text.prompts import encode, prompt_format
from .batch import Sequence

QUESTIONS, ANSWERS, DOCUMENTS = (("instruction", "question", "prompt"), ("answer", "response", "output"),
                                 ("document", "passage", "context"))
Draw = Callable[[random.Random], Sequence]
BLIND_RATE = 0.2                # of a reader's questions that come without their document, with another question's answer


@dataclass(frozen=True)
class Example:
    """An instruction with its answer, maybe about a document; or, with an empty instruction, a plain text as its answer.

    ended: the answer is whole; one that was cut says nothing about where answers end.
    """

    instruction: str
    answer: str
    document: str = ""
    ended: bool = True


def to_example(row: dict) -> Example | None:
    """A row of any of the usual shapes: fields, {"text"}, {"messages"} or {"instances"}; None when it holds no answer."""
    if isinstance(row.get("messages"), list):
        said = {m.get("role"): m.get("content") for m in row["messages"][:3] if isinstance(m, dict)}
        row = {"instruction": said.get("user"), "answer": said.get("assistant")}
    elif isinstance(row.get("instances"), list) and row["instances"]:
        first = row["instances"][0]
        row = {"instruction": f"{row.get('instruction', '')}\n{first.get('input', '')}".strip(), "answer": first.get("output")}
    elif isinstance(row.get("text"), str):
        return Example("", row["text"]) if row["text"].strip() else None
    found = [next((str(row[k]) for k in keys if isinstance(row.get(k), (str, int, float)) and str(row[k]).strip()), "")
             for keys in (QUESTIONS, ANSWERS, DOCUMENTS)]
    return Example(*found, row.get("ended") is not False) if found[0] and found[1] else None


def read_examples(sources: Iterable[str]) -> list[Example]:
    """Examples of JSONL files and Hub datasets ("owner/name", its "train" split). Raises VisitorError in one sentence."""
    out = []
    for source in sources:
        found = [e for e in map(to_example, _rows(source)) if e]
        if not found:
            raise VisitorError(f"{source} has no examples: lines with instruction and answer, messages, or text were expected.")
        out += found
    return out


def _rows(source: str) -> Iterable[dict]:
    if Path(source).is_file():
        try:
            return [json.loads(line) for line in Path(source).read_text(encoding="utf-8").split("\n") if line.strip()]
        except ValueError:
            raise VisitorError(f"{source} is not JSONL; every line must be one JSON object.") from None
    try:
        from datasets import load_dataset
    except ImportError:
        raise VisitorError(f"{source} is no file here; for a dataset of the Hub run pip install datasets first.") from None
    try:
        return load_dataset(source, split="train", streaming=True)
    except Exception as error:
        raise VisitorError(f"{source} is neither a JSONL file nor a dataset that the Hub gives: {error}.") from None


def text_sequences(tokenizer: Tokenizer, examples: list[Example], L: int, length: int) -> Draw:
    """Pieces of texts: any ``length`` tokens, blocks from the first ones on."""
    form = prompt_format(tokenizer)
    texts = [encode(tokenizer, e.answer) if not e.instruction else
             form.exchange(encode(tokenizer, e.instruction), encode(tokenizer, e.answer)) for e in examples]
    texts = [t for t in texts if len(t) > L]
    if not texts:
        raise VisitorError(f"No text of the data is longer than one block of {L} tokens.")

    def draw(rng: random.Random) -> Sequence:
        ids = rng.choice(texts)
        at = rng.randrange(max(1, len(ids) - length + 1))
        return Sequence(ids[at:at + length], rng.randint(1, min(L, len(ids[at:at + length]) - L)), ends=False)

    return draw


def answer_sequences(tokenizer: Tokenizer, examples: list[Example], length: int, reads: bool) -> Draw:
    """Questions with their answers, of which the answers are learnt.

    reads: the document comes first; a share of the questions comes without it and with another question's answer, so that the
    best a reader can do there is to be unsure. What is too long is cut: a sequence has at most ``length`` tokens, and an answer
    that was cut is not learnt to end there.
    """
    form = prompt_format(tokenizer)
    rows = [(encode(tokenizer, e.document), encode(tokenizer, e.instruction),
             encode(tokenizer, e.answer) + [form.eos] * e.ended) for e in examples if e.instruction]
    if not rows:
        raise VisitorError("The data has no instructions with answers; plain texts serve the adapt recipe only.")

    def draw(rng: random.Random) -> Sequence:
        document, asked, answer = rng.choice(rows)
        if reads and (not document or rng.random() < BLIND_RATE):
            document, answer = [], rng.choice(rows)[2]
        question = form.question(asked[:length // 2])
        room = length - len(question) - len(form.part("document", [])) - min(len(answer), length // 4) - 1
        before = form.part("document", document[:max(0, room)]) if reads and document else []
        before = [*before, *question]
        kept = answer[:max(1, length - len(before))]
        return Sequence([*before, *kept], len(before), ends=kept[-1] == form.eos)

    return draw
