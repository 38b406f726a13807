"""The settings of a question as options of a command line, as the JSON of an evaluation and as the documentation's table."""

import argparse
from collections.abc import Mapping

from ..config import WEIGHT, EnsembleParams, SamplingParams, Settings, knobs, made_of, values_of
from ..errors import VisitorError
from .limits import span, table


def add_knobs(parser: argparse.ArgumentParser, *classes: type) -> None:
    """An option for each knob of these dataclasses. The values are texts until ``chosen`` has read them."""
    for knob in knobs(*classes).values():
        may_be = f", {span(knob)}" if knob.kind in (int, float) else ""
        usual = "" if knob.default is None else "; %(default)s when left out"
        metavar = knob.example or (f"{{{','.join(knob.choices)}}}" if knob.choices else None)
        parser.add_argument(*knob.options, dest=knob.name, default=knob.default, metavar=metavar,
                            help=f"{knob.help}{may_be}".replace("%", "%%") + usual)


def chosen(args: argparse.Namespace, *classes: type) -> dict[str, object]:
    """The values of ``add_knobs``, by name. Raises LimitError."""
    given = {name: (knob, getattr(args, name)) for name, knob in knobs(*classes).items()}
    return {name: knob.parse(value) if isinstance(value, str) else value for name, (knob, value) in given.items()}


def add_question(parser: argparse.ArgumentParser) -> None:
    """Who answers and how: the options of ``generate`` and ``evaluate``."""
    parser.add_argument("--core", default=Settings().core, help="bundled id, local folder or Hub id")
    parser.add_argument("--user", action="append", default=[], metavar="ID[=LAM]",
                        help=f"a user expert and its weight, {span(WEIGHT)}; may be repeated")
    add_knobs(parser, EnsembleParams, SamplingParams, Settings)
    parser.add_argument("--json", action="store_true")


def ensemble_params(args: argparse.Namespace) -> EnsembleParams:
    """What ``add_question`` says of the experts. Raises VisitorError."""
    return made_of(EnsembleParams, chosen(args, EnsembleParams), lam=user_weights(args.user))


def sampling_params(args: argparse.Namespace, usual: Mapping[str, object] | None = None) -> SamplingParams:
    """What ``add_question`` says of the sampling. usual: what stands where an option is left out. Raises VisitorError."""
    left = {name: value for name, value in (usual or {}).items() if not isinstance(getattr(args, name), str)}
    return made_of(SamplingParams, chosen(args, SamplingParams) | left)


def user_weights(users: list[str]) -> dict[str, float]:
    """ID or ID=LAM of each ``--user``; without a weight it gets the usual one divided by the number of users."""
    out: dict[str, float | None] = {}
    for text in users:
        name, has_weight, weight = text.rpartition("=") if "=" in text else (text, "", "")
        if not name or name in out:
            raise VisitorError(f"--user {text!r} names no model." if not name else f"--user {name} is given twice; keep one.")
        try:
            out[name] = float(weight) if has_weight else None
        except ValueError:
            raise VisitorError(f"The weight in --user {text!r} must be a number from 0 to 1.") from None
    return {name: WEIGHT.default / len(out) if weight is None else weight for name, weight in out.items()}


def as_json(core: str, ensemble: EnsembleParams, sampling: SamplingParams, **more: object) -> dict:
    """The settings of an evaluation by name; also under the old names, which figures that were kept are read by."""
    values = values_of(ensemble, sampling) | more
    old = {alias: values[name] for name, knob in knobs(SamplingParams).items() for alias in knob.aliases}
    return {"core": core, "lam": dict(ensemble.lam), **values, **old}


def rows() -> list[tuple[str, str, str, str, str]]:
    """Option, default, range, key in links and meaning of every setting of a question."""
    found = [(knob.options[0], str(knob.default), span(knob), knob.link or name, knob.help)
             for name, knob in knobs(SamplingParams, EnsembleParams).items()]
    return [("--user ID=LAM", str(WEIGHT.default), span(WEIGHT), "users", WEIGHT.help), *found]


def markdown() -> str:
    """The settings as the documentation's table."""
    return table(("option", "usual", "may be", "in links", "what it is"), rows())


def page() -> str:
    """The settings, a line each."""
    return "\n".join(f"{option:18}  {usual:9}  {words:34}  {meaning}" for option, usual, words, _, meaning in rows())


def add_command(parser: argparse.ArgumentParser) -> None:
    """`settings`: every setting of a question."""
    parser.add_argument("--markdown", action="store_true", help="as the documentation's table")
    parser.set_defaults(run=lambda args: print(markdown() if args.markdown else page()) or 0)
