"""``python -m ssd2_core train david``: from the base to a folder with David, resumable."""

import argparse
import random
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import count
from pathlib import Path

import torch
from tokenizers import Tokenizer

from ...models.checkpoints import base_folder
from ...models.lora import TARGETS
from ...registry.base_models import find_base
from ...registry.cards import tokenizer_hash
from ...registry.vocabulary import vocabulary_of
from .course import add_run_arguments, device_of, learn
from .losses import ReadingLoss
from .model import BASE, add_low_rank, export, load_base, trained
from .rows import BUCKET, LONGEST, PARTS, Batch, RowMaker
from .silence import make_pool, read_pool
from .watch import Watch

RANK, ALPHA = 16, 32
CONFIG = {"kind": "next-token", "base": BASE, "lora": {"r": RANK, "lora_alpha": ALPHA, "target_modules": list(TARGETS)},
          "role": "reader", "title": "David", "summary": "Reads your documents and answers from them; silent about all else.",
          "license": "apache-2.0", "max_context": 2048, "history_turns": 8, "prompt_style": "auto"}


def add_arguments(parser: argparse.ArgumentParser, _: str) -> None:
    """The command line of the recipe."""
    parser.add_argument("--base", default=BASE,
                        help="any small causal LM whose tokenizer has ChatML or Gemma's turns, by Hub id or folder")
    parser.add_argument("--out", type=Path, default=Path("runs/david"))
    parser.add_argument("--minutes", type=float, default=90.0, help="of training, resumed parts included")
    parser.add_argument("--steps", type=int, help="so many steps instead of minutes")
    parser.add_argument("--learning-rate", type=float, default=6e-4)
    parser.add_argument("--silent", type=int, default=1500, help="requests that the base answers before training begins")
    parser.add_argument("--no-compile", action="store_true")
    add_run_arguments(parser, threads=1)


def config_for(base_id: str, base: Path, lm: torch.nn.Module) -> dict:
    """What the config.json of David says, over the base of this name, which lies in the folder ``base``."""
    return CONFIG | {"base": base_id, "tokenizer_hash": tokenizer_hash(base / "tokenizer.json"),
                     "vocabulary": vocabulary_of(base / "tokenizer.json"),
                     "num_parameters": sum(parameter.numel() for parameter in lm.parameters())}


def run(args: argparse.Namespace) -> int:
    """Make the silent requests once, train, and write the folder ``export``."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    folder = base_folder(find_base(args.base))
    tokenizer, lm = Tokenizer.from_file(str(folder / "tokenizer.json")), load_base(folder).to(device_of(args))
    say = lambda text: print(time.strftime("%H:%M:%S"), text, flush=True)  # noqa: E731
    make_pool(lm, tokenizer, args.out, args.silent, args.seed, say)
    pool = read_pool(args.out)
    add_low_rank(lm, RANK, ALPHA).to(lm.device)
    if not args.no_compile:
        torch._dynamo.config.recompile_limit = 4 * LONGEST // BUCKET        # one for each length of a row
        for layer in lm.model.layers:
            layer.compile(dynamic=False)
    rows, watch = RowMaker(tokenizer, pool), Watch(lm, tokenizer, pool, random.Random(7))

    def batches(first: int, process: int) -> Iterator[Batch]:
        return (batch for step in count(first // PARTS) for batch in rows.batches(args.seed + process, step))

    def watched() -> str:
        with nullcontext() if args.no_compile else torch.compiler.set_stance("force_eager"):
            return watch.report()

    learn(ReadingLoss(lm), batches, args, PARTS, watched, say)
    export(trained(lm), config_for(args.base, folder, lm), args.out / "export")
    return 0
