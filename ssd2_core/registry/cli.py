"""`python -m ssd2_core models` and `push`: what is here, and how a model folder is published."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path


def add_models(parser: argparse.ArgumentParser) -> None:
    """`models` and its options."""
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--known", action="store_true", help="public diffusion LMs that can be the core, on the Hub")
    parser.set_defaults(run=models)


def models(args: argparse.Namespace) -> int:
    """List the models that are here, or public ones that are known."""
    from .cards import list_models
    if args.known:
        print(known_as_json() if args.json else known_as_text())
        return 0
    cards = list_models()
    if args.json:
        rows = [{"id": c.id, "role": c.role, "parameters": c.parameters, "tokenizer": c.tokenizer_hash, "source": c.source}
                for c in cards]
        print(json.dumps({"models": rows}))
    else:
        for c in cards:
            print(f"{c.id:20} {c.role:11} {c.parameters:>12,} parameters  tokenizer {c.tokenizer_hash}  {c.source}  "
                  f"{c.summary}")
    return 0


def known_as_json() -> str:
    """The public models with their figures."""
    from .known import KNOWN
    return json.dumps({"known": [asdict(each) for each in KNOWN]})


def known_as_text() -> str:
    """The same, a line each."""
    from .known import HEAD, rows
    return "\n".join("{:54} {:10} {:10} {:10} {:>7} {:>7} {:>7}  {}".format(*row) for row in [HEAD, *rows()])


def add_push(parser: argparse.ArgumentParser) -> None:
    """`push` and its options."""
    parser.add_argument("folder", type=Path)
    parser.add_argument("repository", metavar="OWNER/NAME")
    parser.add_argument("--public", action="store_true",
                        help="for everybody; whoever has a model that learned your documents may get them out of it")
    parser.set_defaults(run=push)


def push(args: argparse.Namespace) -> int:
    """Publish a model folder on the Hub."""
    from .hub import publish
    print(publish(args.folder, args.repository, args.public))
    return 0
