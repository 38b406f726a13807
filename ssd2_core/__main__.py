"""The command line of SSD-2 Studio. ``--json`` prints JSON."""

import argparse
import logging
import os
import select
import sys
from importlib import import_module

from .errors import VisitorError

# Where the function lies that gives a command its options and says what runs it; only that of the asked command is loaded.
COMMANDS = {
    "models": ("registry.cli:add_models", "list the models that are here"),
    "generate": ("serving.cli:add_command", "answer one prompt, step by step"),
    "evaluate": ("evaluation.cli:add_command", "measure experts and ensemble on JSONL questions"),
    "convert": ("models.cli:add_command", "read a published checkpoint once, offline, and write it as a model folder"),
    "push": ("registry.cli:add_push", "publish a model folder on the Hub, for you alone unless --public"),
    "deploy": ("deploy:add_command", "put the studio on the Hub as a Space"),
    "settings": ("protocol.options:add_command", "the settings of a question and what they may be"),
    "limits": ("protocol.limits:add_command", "the limits of a service and the variables that set them"),
    "soak": ("loadtest.cli:add_command", "many visitors, a worker that is killed, stops, faults; fails if one is lost"),
    "bench": ("benchmark.cli:add_command", "measure speed and memory"),
}
INTERRUPTED, PIPE_CLOSED = 128 + 2, 128 + 13        # exit codes as a shell has them for SIGINT and SIGPIPE


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The whole command line, or with the options of one command alone."""
    top = argparse.ArgumentParser(prog="python -m ssd2_core", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, (where, help) in COMMANDS.items():
        one = commands.add_parser(name, help=help)
        if only in (None, name):
            module, _, function = where.partition(":")
            getattr(import_module(f".{module}", __package__), function)(one)
    commands.add_parser("train", help="train a model: python -m ssd2_core train --help", add_help=False)
    return top


def run(argv: list[str]) -> int:
    """Run one command. Raises VisitorError."""
    if argv[:1] == ["train"]:
        from .training.cli import main as train
        return train(argv[1:])
    args = parser(next((word for word in argv if word in COMMANDS), "")).parse_args(argv)
    return args.run(args)


def main(argv: list[str] | None = None) -> int:
    """Run one command; a visitor's mistake is one line on stderr and exit code 2."""
    logging.basicConfig(format="%(message)s")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    sys.stdout.reconfigure(errors="replace")        # for a terminal that is not UTF-8
    try:
        try:
            return run(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()                      # now, so that a closed pipe is met here and not while Python ends
    except VisitorError as error:
        print(str(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return closed_pipe()


def closed_pipe() -> int:
    """While a BrokenPipeError is handled: the exit code, or the error again if it is not that nobody reads our output."""
    if not is_closed(sys.stdout):
        raise
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())      # Python flushes once more when it ends
    return PIPE_CLOSED


def is_closed(stream) -> bool:
    """Whether nobody reads what is written to a stream any more."""
    asked = select.poll()
    asked.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in asked.poll(0))


if __name__ == "__main__":
    sys.exit(main())
