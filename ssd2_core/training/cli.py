"""The command line of training: ``python -m ssd2_core train RECIPE``."""

import argparse
import json
from pathlib import Path

from . import attribute_model
from .adapt import cli, make_data
from .compact import COMPACT, train_compact, write_heldout
from .david import recipe as david
from .experiments import ar_vs_diffusion, finetune_gain
from .finetune import finetune
from .model_card import figures_table, write_card


def parser() -> argparse.ArgumentParser:
    """The command line of ``train``."""
    top = argparse.ArgumentParser(prog="python -m ssd2_core train")
    recipes = top.add_subparsers(dest="recipe", required=True)
    compact = recipes.add_parser("compact", help="tokenizer, core, reader and islander from made-up data, on a CPU")
    compact.add_argument("--only", choices=sorted(COMPACT), action="append")
    compact.add_argument("--out", type=Path, default=Path("runs/compact"))
    compact.add_argument("--steps", type=int)
    compact.add_argument("--start", type=Path, help="go on from the trained models in this folder, with fresh optimizers")
    compact.add_argument("--threads", type=int, default=2)
    compact.add_argument("--bf16", action="store_true", help="twice as fast on a processor that multiplies bfloat16 itself")
    compact.add_argument("--autoregressive", action="store_true", help="next tokens instead of blocks, to compare with")
    cards = recipes.add_parser("cards", help="write the compact models' cards from an evaluation")
    cards.add_argument("figures", type=Path, nargs="+", help="what evaluate --json printed")
    cards.add_argument("--models", type=Path, default=Path("assets/models"))
    cli.add_parsers(recipes)
    ar_vs_diffusion.add_parsers(recipes)
    make_data.add_parsers(recipes)
    finetune.add_parser(recipes)
    david.add_parser(recipes)
    finetune_gain.add_parser(recipes)
    attribute_model.add_parser(recipes)
    heldout = recipes.add_parser("heldout", help="write the reported question sets")
    heldout.add_argument("--out", type=Path, default=Path("assets/evaluation"))
    heldout.add_argument("--number", type=int, default=600)
    return top


def main(argv: list[str]) -> int:
    """Run one recipe."""
    args = parser().parse_args(argv)
    if hasattr(args, "runs"):
        return args.runs(args)
    if args.recipe == "heldout":
        write_heldout(args.out, args.number)
        return 0
    if args.recipe == "cards":
        table = figures_table([json.loads(path.read_text(encoding="utf-8")) for path in args.figures])
        for name, spec in COMPACT.items():
            write_card(name, args.models / spec.model_id, table)
        return 0
    for name in args.only or ("core", "reader", "islander"):
        train_compact(name, args.out, args.steps, args.threads, args.start, args.autoregressive, args.bf16)
    return 0
