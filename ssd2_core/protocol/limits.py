"""The limits of a service: read from the environment, told as a page and as the documentation's table."""

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace

from ..config import LIMITS, MOST, Knob, Limits, knobs
from ..errors import LimitError

PREFIX = "SSD2_"
OTHERS = ("SSD2_CACHE", "SSD2_CORE")   # variables of ours that are no limits


def read_limits(environment: Mapping[str, str], base: Limits = LIMITS) -> Limits:
    """The limits with what the environment says of them. Raises LimitError: a sentence for each mistake, together."""
    known = {variable(limit): limit for limit in knobs(Limits).values()}
    found, problems = {}, []
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in OTHERS:
            continue
        if name not in known:
            problems.append(f"{name} is no limit of this service; the limits are {', '.join(sorted(known))}.")
            continue
        try:
            found[known[name].name] = replace(known[name], name=name).parse(text)
        except LimitError as error:
            problems.append(str(error))
    limits = replace(base, **found)
    if not problems and limits.max_block_length > limits.max_new_tokens:
        problems.append(f"{PREFIX}MAX_BLOCK_LENGTH ({limits.max_block_length}) must not be above {PREFIX}MAX_NEW_TOKENS "
                        f"({limits.max_new_tokens}).")
    if problems:
        raise LimitError("\n".join(problems))
    return limits


def variable(limit: Knob) -> str:
    """The variable of the environment that sets a limit."""
    return PREFIX + limit.name.upper()


def span(knob: Knob) -> str:
    """What a setting may be, in words."""
    if knob.choices:
        return ", ".join(knob.choices)
    return f"{knob.low:g} or more" if knob.high == MOST else f"{knob.low:g} to {knob.high:,.16g}"


def rows(limits: Limits) -> list[tuple[str, str, str, str]]:
    """Variable, value, range and meaning of every limit."""
    return [(variable(limit), f"{getattr(limits, name)}", span(limit), limit.help) for name, limit in knobs(Limits).items()]


def page(limits: Limits) -> str:
    """Every limit as VARIABLE=value with its range and meaning, a line each."""
    return "\n".join(f"{f'{name}={value}':36}  {least:12}  {meaning}" for name, value, least, meaning in rows(limits))


def markdown(limits: Limits) -> str:
    """The same as the documentation's table."""
    return table(("variable", "value", "may be", "what it limits"), rows(limits))


def table(head: tuple[str, ...], cells: list[tuple[str, ...]]) -> str:
    """A table in Markdown, the first column as code."""
    lines = [" | ".join((f"`{first}`", *rest)) for first, *rest in cells]
    return "\n".join(f"| {line} |" for line in (" | ".join(head), " | ".join(["---"] * len(head)), *lines))


def add_command(parser: argparse.ArgumentParser) -> None:
    """`limits`: every limit with the variable that sets it, as the environment has them."""
    parser.add_argument("--markdown", action="store_true", help="as the documentation's table")
    parser.set_defaults(run=lambda args: print((markdown if args.markdown else page)(read_limits(os.environ))) or 0)
