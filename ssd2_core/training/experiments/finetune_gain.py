"""What fine-tuning gains: questions about texts as people write them, asked before and after, without the text and with it.

Also what it costs: questions about other texts.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from ...config import check_int
from ...evaluation.metrics import exact
from ...evaluation.questions import Question, read_questions
from ..finetune.finetune import FinetuneParams
from ..finetune.learner import Learner, load_learner


def add_arguments(parser: argparse.ArgumentParser, _: str) -> None:
    """The command line of this measurement."""
    parser.add_argument("--data", type=Path, default=Path("assets/evaluation/natural.jsonl"))
    parser.add_argument("--user", default="compact-reader")
    parser.add_argument("--texts", type=int, default=6, help="how many texts one visitor has")
    parser.add_argument("--seconds", type=float, default=FinetuneParams.seconds)
    parser.add_argument("--steps", type=int, help="at most so many")
    parser.add_argument("--limit", type=int, help="how many visitors")
    parser.add_argument("--others", type=Path, help="questions about other texts, asked with them before and after")
    parser.add_argument("--others-limit", type=int, default=40, help="how many of those")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="print every answer that the fine-tuned expert gives")


def visitors(questions: list[Question], texts: int) -> list[list[Question]]:
    """The questions of each visitor: those about so many texts that follow each other."""
    order = list(dict.fromkeys(q.document for q in questions))
    groups = [set(order[at:at + texts]) for at in range(0, len(order), texts)]
    return [[q for q in questions if q.document in group] for group in groups]


def right(learner: Learner, asked: list[Question], with_text: bool, verbose: bool = False) -> int:
    """How many of the questions the expert alone answers right."""
    said = learner.answers([(q.question, q.document if with_text else "") for q in asked])
    if verbose:
        for text, q in zip(said, asked, strict=True):
            print(f"    {q.question} | {q.answer} | {text}", flush=True)
    return sum(exact(text, q.answer) for text, q in zip(said, asked, strict=True))


def run(args: argparse.Namespace) -> int:
    """Fine-tune one expert for each visitor in turn; print a line for each and the whole."""
    torch.set_num_threads(check_int("threads", args.threads, 1, 256))
    groups = visitors(read_questions(args.data), check_int("texts", args.texts, 1, 1000))[:args.limit]
    others = read_questions(args.others)[:args.others_limit] if args.others else []
    total: dict[str, int] = {}
    for asked in groups:
        learner, texts = load_learner(args.user), list(dict.fromkeys(q.document for q in asked))
        found = {"questions": len(asked), "before": right(learner, asked, False),
                 "before_with_text": right(learner, asked, True)}
        found |= {"others": len(others), "others_before": right(learner, others, True)} if others else {}
        began, worked = time.monotonic(), time.process_time()
        curve = learner.learn(texts, args.seconds, args.steps)
        took = {"steps": curve[-1]["step"], "seconds": round(time.monotonic() - began, 1),
                "cpu_seconds": round(time.process_time() - worked, 1)}
        found |= {"after": right(learner, asked, False, args.verbose), "after_with_text": right(learner, asked, True)}
        found |= {"others_after": right(learner, others, True)} if others else {}
        print(json.dumps(found | took), flush=True)
        total = {key: total.get(key, 0) + value for key, value in found.items()}
    whole = {key: total["others" if key.startswith("others") else "questions"] for key in total}
    print(json.dumps({key: value if key in ("questions", "others") else round(value / max(1, whole[key]), 4)
                      for key, value in total.items()}))
    return 0
