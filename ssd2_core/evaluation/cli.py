"""`python -m ssd2_core evaluate`: core alone, each user alone and the ensemble on files of questions."""

import argparse
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import replace

from ..config import SamplingParams, Settings, check_int, knobs
from ..errors import ModelError, VisitorError
from ..models.device_map import options_of
from ..protocol.options import add_question, as_json, ensemble_params, sampling_params
from ..registry.base_models import find_base
from ..registry.cards import base_id, local_card, preferred_pair
from ..registry.model_card import check_compatible, is_compatible
from ..registry.own_sampling import usual
from .metrics import table
from .questions import read_questions


def add_command(parser: argparse.ArgumentParser) -> None:
    """The command and its options."""
    parser.add_argument("data", nargs="+", metavar="DATA.jsonl")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--sweep", metavar="4,8,16", help="measure with each of these numbers of steps")
    parser.add_argument("--base", help="an autoregressive LM: its own answers as a row, and everybody's perplexity under it")
    add_question(parser)
    parser.set_defaults(run=evaluate, core=None)


def evaluate(args: argparse.Namespace) -> int:
    """Measure and print."""
    from ..models.loading import load
    from .evaluate import evaluate as measure_all
    if args.base:
        from .baseline import BaseLM

    params, sweep = ensemble_params(args), step_counts(args.sweep, sampling_params(args))
    if args.limit is not None:
        check_int("limit", args.limit, 1, 10**9)
    sheets = {str(path): read_questions(path, args.limit) for path in args.data}
    where = options_of(args)
    chosen = args.core or default_core(params.lam)
    core = load(chosen, progress=tell, **where)
    sampling = sampling_params(args, usual(core.card.own))
    users = {name: load(name, progress=tell, **where) for name in params.lam}
    check_compatible(core.card, [user.card for user in users.values()])
    base = BaseLM(args.base) if args.base else None
    rows = []
    for path, questions in sheets.items():
        found = [base.row(questions, sampling.max_new_tokens)] if base else []
        for steps in sweep:
            more = measure_all(core, users, questions, params, replace(sampling, num_steps=steps), base and base.perplexity)
            found += [{"steps": steps, **row} for row in more] if len(sweep) > 1 else more
        rows += [{"data": path, **row} for row in found] if len(sheets) > 1 else found
    settings = as_json(chosen, params, sampling, num_steps=sweep[0] if len(sweep) == 1 else sweep, base=args.base,
                       data=list(sheets))
    print(json.dumps({"rows": rows, "settings": settings}) if args.json else table(rows))
    return 0


def default_core(users: Iterable[str]) -> str:
    """$SSD2_CORE, else the core of the default pair that goes with ``users``; the compact one where the base of the better one
    is not here and cannot be fetched, which is said.
    """
    given, pair = os.environ.get("SSD2_CORE"), preferred_pair()
    if given or not pair:
        return given or Settings().core
    core, cards = local_card(pair[0]), [local_card(user) for user in users]
    if not all(card is None or is_compatible(card, core) for card in cards):
        return Settings().core
    try:
        find_base(base_id(core.id), tell)
    except ModelError as error:
        tell(f"{error} {Settings().core} is measured instead of {core.id}.", 0.0)
        return Settings().core
    return core.id


def step_counts(sweep: str | None, sampling: SamplingParams) -> list[int]:
    """The numbers of --sweep, or the one of the settings. Raises VisitorError."""
    if not sweep:
        return [sampling.num_steps]
    steps = knobs(SamplingParams)["num_steps"]
    try:
        return [steps.check(int(part)) for part in sweep.split(",")]
    except ValueError:
        raise VisitorError(f"--sweep must be numbers from {steps.low} to {steps.high} with commas between them, not "
                           f"{sweep!r}.") from None


def tell(text: str, part: float) -> None:
    """What is being loaded, on the terminal."""
    print(f"{text} {part:.0%}" if part else text, file=sys.stderr)
