"""Data for adapted models: a base's own instructions and answers, and synthetic documents with questions, as JSONL files."""

import argparse
import json
import random
import time
from pathlib import Path

from tqdm import tqdm

from ...config import check_int
from ...text.prompts import encode
from ..data import documents
from ..data.instructions import instructions

SHORTEST, LONGEST = 12, 600     # characters of a sampled instruction
BRIEFLY = " Answer briefly, in one or two sentences."
FRESH = 64                      # questions that are written at a time


def add_arguments(parser: argparse.ArgumentParser, recipe: str) -> None:
    """The command lines of both recipes."""
    add = parser.add_argument
    add("--seed", type=int, default=0)
    add("--out", type=Path, required=True)
    if recipe == "documents":
        add("--number", type=int, default=5000)
        return
    from .cli import BASE
    add("--base", default=BASE)
    add("--prompts", type=Path, help="JSONL with instructions that are answered first")
    add("--synthetic", "--made-up", type=int, default=0, help="instructions about everyday topics, answered next")
    add("--number", type=int, default=1000, help="instructions that the base writes itself, the last ones")
    add("--brief", action="store_true", help="ask for short answers; the data keeps the instruction as it was")
    add("--batch", type=int, default=FRESH)
    add("--max-tokens", type=int, default=200)
    add("--temperature", type=float, default=0.7, help="of the answers; instructions are written at 1.0")
    add("--minutes", type=float, default=60.0)


def run(args: argparse.Namespace) -> int:
    """Write the documents, or let the base write."""
    return write_documents(args) if args.recipe == "documents" else sample(args)


def write_documents(args: argparse.Namespace) -> int:
    """Lines {"question", "answer", "document"} from the generator of the compact reader's training data."""
    check_int("number", args.number, 1, 10**7)
    rng = random.Random(args.seed)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with open(args.out, "w", encoding="utf-8") as file:
        left = args.number
        while left:
            made = documents.scene(rng)
            for qa in made.items[:left]:
                row = {"question": qa.question, "answer": qa.answer, "document": made.document}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            left -= min(left, len(made.items))
    return 0


def sample(args: argparse.Namespace) -> int:
    """Lines {"instruction", "answer", "source", "ended"}; a file that is there is gone on with, and nothing comes twice.

    ended: the answer came to its end; otherwise it was cut at --max-tokens.
    """
    from ...evaluation.baseline import BaseLM
    from .datasets import read_examples
    check_int("number", args.number, 0, 10**7)
    check_int("synthetic", args.synthetic, 0, 10**7)
    base, end = BaseLM(args.base), time.monotonic() + 60 * args.minutes
    done = [json.loads(line) for line in args.out.read_text(encoding="utf-8").splitlines()] if args.out.exists() else []
    seen = {row["instruction"] for row in done}
    given = [e.instruction for e in (read_examples([str(args.prompts)]) if args.prompts else [])]
    given += instructions(random.Random(args.seed), args.synthetic)
    given = [text for text in dict.fromkeys(given) if text and text not in seen]
    left, turn = args.number - sum(row["source"] == "base" for row in done), len(done)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with open(args.out, "a", encoding="utf-8") as file, tqdm(total=len(given) + max(0, left), mininterval=5) as bar:
        while (given or left > 0) and time.monotonic() < end:
            source = "given" if given else "base"
            texts, given = (given[:args.batch], given[args.batch:]) if given else (_instructions(base, args.batch, turn), given)
            texts = [t for t in dict.fromkeys(texts) if t not in seen][:None if source == "given" else left]
            turn += args.batch
            seen.update(texts)
            answers = _answers(base, texts, args, turn) if texts else []
            for text, (answer, ended) in zip(texts, answers, strict=True):
                if answer:
                    row = {"instruction": text, "answer": answer, "source": source, "ended": ended}
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
            left -= len(texts) if source == "base" else 0
            file.flush()
            bar.update(len(texts))
    return 0


def _instructions(base, count: int, seed: int) -> list[str]:
    """What the base writes after nothing but the header of a user's turn (Magpie, arXiv 2406.08464)."""
    header = base.form.opening["user"]
    written = base.continued([header] * count, 120, temperature=1.0, seed=seed)
    texts = [base.tokenizer.decode(ids).strip() for ids in written]
    return [t for t in texts if SHORTEST <= len(t) <= LONGEST]


def _answers(base, texts: list[str], args: argparse.Namespace, seed: int) -> list[tuple[str, bool]]:
    """Answers of the base, and whether each one ended in time."""
    prompts = [base.form.question(encode(base.tokenizer, t + BRIEFLY * args.brief)) for t in texts]
    ids = base.continued(prompts, args.max_tokens, args.temperature, seed)
    return [(base.tokenizer.decode(row).strip(), len(row) < args.max_tokens) for row in ids]
