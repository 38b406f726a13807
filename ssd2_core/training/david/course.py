"""A run that trains adapters, by minutes or steps: where it computes, what it says, what its first minute must show."""

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import nn

from ...errors import ModelError
from ..loop import LoopParams, Stream, train
from .model import trained

NO_END = 10**9                  # steps of a run that ends with its minutes
EVERY = 20                      # steps between checkpoints and lines
WATCH_SECONDS, FIRST_SECONDS = 900, 60
Say = Callable[[str], None]


def add_run_arguments(parser: argparse.ArgumentParser, threads: int) -> None:
    """Options of a run; a machine that is paid by the minute is not wasted when its first minute is not as expected."""
    parser.add_argument("--cpu", action="store_true", help="not on a GPU even if there is one")
    parser.add_argument("--threads", type=int, default=threads, help="of the CPU")
    parser.add_argument("--least-steps", type=int, default=0, metavar="N",
                        help="stop after the first minute if fewer steps were made in it")
    parser.add_argument("--most-loss", type=float, default=float("inf"), metavar="X",
                        help="stop after the first minute if the loss is higher then")
    parser.add_argument("--seed", type=int, default=0)


def device_of(args: argparse.Namespace) -> str:
    """Where the run computes, as accelerate chooses it."""
    return "cuda" if torch.cuda.is_available() and not args.cpu else "cpu"


class Course:
    """What is said of a run. watch: makes a report, which is asked for now and then."""

    def __init__(self, args: argparse.Namespace, watch: Callable[[], str], say: Say):
        self.args, self.watch, self.say = args, watch, say
        self.began = self.watched = time.monotonic()
        self.steps, self.proven = 0, False

    def check(self, step: int, _: nn.Module) -> dict[str, str]:
        """What a row of the curve has besides figures."""
        if time.monotonic() - self.watched < WATCH_SECONDS:
            return {}
        self.watched = time.monotonic()
        self.say(report := self.watch())
        return {"watch": report}

    def tell(self, step: int, shown: dict[str, float], _: float | None) -> None:
        """After each step. Raises ModelError when the first minute was not as it must be."""
        self.steps += 1
        spent = time.monotonic() - self.began
        if step % EVERY == 0:
            figures = {name: round(value, 4) for name, value in shown.items()}
            self.say(json.dumps({"step": step, **figures, "minutes": round(spent / 60, 2)}))
        if not self.proven and spent > FIRST_SECONDS:
            self.proven = True
            self._look(shown["loss"])

    def _look(self, loss: float) -> None:
        least, most = self.args.least_steps, self.args.most_loss
        if self.steps < least or loss > most:
            raise ModelError(f"The first {FIRST_SECONDS} seconds made {self.steps} steps to a loss of {loss:.3f}; at least "
                             f"{least} and at most {most:g} were asked for with --least-steps and --most-loss. The run has "
                             "stopped.")


def learn(loss_of: nn.Module, batches: Stream, args: argparse.Namespace, parts: int, watch: Callable[[], str],
          say: Say) -> None:
    """Train adapters for ``args.minutes`` or ``args.steps``, each of ``parts`` batches, with checkpoints in ``args.out``.

    The rate falls to nothing over the last 60 % of the run. ``watch`` is said now and then and at the end. Raises ModelError.
    """
    limits = {"steps": args.steps} if args.steps else {"steps": NO_END, "seconds": 60 * args.minutes, "pace": "time"}
    params = LoopParams(learning_rate=args.learning_rate, warmup=30, decay=0.6, lowest=0.0, whole=True, accumulate=parts,
                        cpu=args.cpu, save_every=EVERY, report_every=EVERY, **limits)
    optimizer = torch.optim.AdamW(trained(loss_of).values(), betas=(0.9, 0.98), weight_decay=0.01)
    course = Course(args, watch, say)
    found = train(loss_of, [optimizer], batches, params, folder=args.out, identity={"learns": type(loss_of).__name__},
                  check=course.check, tell=course.tell)
    say(json.dumps(found.curve[-1]))
    with torch.no_grad():
        say(watch())
