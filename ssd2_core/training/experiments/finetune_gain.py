"""What fine-tuning gains: questions about texts as people write them, asked before and after, without the text and with it."""

import argparse
import json
import time
from pathlib import Path

import torch

from ...config import check_int
from ...evaluation.metrics import exact
from ...evaluation.questions import Question, read_questions
from ...models.loading import Expert, load
from ..finetune.finetune import FinetuneParams, finetune
from ..validation import answers_alone


def add_arguments(parser: argparse.ArgumentParser, _: str) -> None:
    """The command line of this measurement."""
    parser.add_argument("--data", type=Path, default=Path("assets/evaluation/natural.jsonl"))
    parser.add_argument("--user", default="compact-reader")
    parser.add_argument("--texts", type=int, default=6, help="how many texts one visitor has")
    parser.add_argument("--seconds", type=float, default=FinetuneParams.seconds)
    parser.add_argument("--limit", type=int, help="how many visitors")
    parser.add_argument("--threads", type=int, default=2)


def visitors(questions: list[Question], texts: int) -> list[list[Question]]:
    """The questions of each visitor: those about so many texts that follow each other."""
    order = list(dict.fromkeys(q.document for q in questions))
    groups = [set(order[at:at + texts]) for at in range(0, len(order), texts)]
    return [[q for q in questions if q.document in group] for group in groups]


def right(expert: Expert, asked: list[Question], with_text: bool) -> int:
    """How many of the questions the expert alone answers right."""
    said = answers_alone(expert.model, expert.tokenizer, [(q.question, q.document if with_text else "") for q in asked], 16)
    return sum(exact(text, q.answer) for text, q in zip(said, asked, strict=True))


def run(args: argparse.Namespace) -> int:
    """Fine-tune one expert for each visitor in turn; print a line for each and the whole."""
    torch.set_num_threads(check_int("threads", args.threads, 1, 256))
    groups = visitors(read_questions(args.data), check_int("texts", args.texts, 1, 1000))[:args.limit]
    total = {"questions": 0, "before": 0, "before_with_text": 0, "after": 0, "after_with_text": 0}
    for asked in groups:
        expert, texts = load(args.user), list(dict.fromkeys(q.document for q in asked))
        found = {"questions": len(asked), "before": right(expert, asked, False), "before_with_text": right(expert, asked, True)}
        began = time.monotonic()
        curve = finetune(expert.model, expert.tokenizer, texts, FinetuneParams(seconds=args.seconds))
        seconds = round(time.monotonic() - began, 1)
        found |= {"after": right(expert, asked, False), "after_with_text": right(expert, asked, True)}
        print(json.dumps(found | {"steps": curve[-1]["step"], "seconds": seconds}), flush=True)
        total = {key: total[key] + found[key] for key in total}
    n = max(1, total["questions"])
    print(json.dumps({key: value if key == "questions" else round(value / n, 4) for key, value in total.items()}))
    return 0
