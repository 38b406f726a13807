"""The limits of one server as environment variables: SSD2_MAX_ACTIVE=4 and so on, each checked once, at the start."""

from collections.abc import Mapping
from dataclasses import fields, replace

from .config import LIMITS, Limits, check_float, check_int
from .errors import LimitError

PREFIX = "SSD2_"
OTHERS = ("SSD2_CACHE",)                # variables of ours that are no limits
MOST = 10**12
AT_LEAST = {"max_own_models": 0, "max_own_weight": 0, "max_trainings": 0, "max_waiting": 0, "max_waiting_trainings": 0,
            "max_users": 0, "max_history_turns": 0, "max_documents": 0, "keep_runs_seconds": 0, "return_seconds": 0}
AT_MOST = {"max_own_weight": 1.0, "max_active": 256, "max_waiting": 10_000, "max_steps": 5000, "max_block_length": 1024,
           "max_new_tokens": 4096}


def read_limits(environment: Mapping[str, str], base: Limits = LIMITS) -> Limits:
    """The limits with what the environment says of them. Raises LimitError: a sentence for each mistake, together."""
    known = {PREFIX + field.name.upper(): field for field in fields(Limits)}
    found, problems = {}, []
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in OTHERS:
            continue
        if name not in known:
            problems.append(f"{name} is no limit of this service; the limits are {', '.join(sorted(known))}.")
            continue
        field = known[name]
        try:
            found[field.name] = _number(name, text, field.name, isinstance(getattr(base, field.name), int))
        except LimitError as error:
            problems.append(str(error))
    limits = replace(base, **found)
    if not problems and limits.max_block_length > limits.max_new_tokens:
        problems.append(f"{PREFIX}MAX_BLOCK_LENGTH ({limits.max_block_length}) must not be above {PREFIX}MAX_NEW_TOKENS "
                        f"({limits.max_new_tokens}).")
    if problems:
        raise LimitError("\n".join(problems))
    return limits


def _number(name: str, text: str, field: str, whole: bool) -> float:
    low, high = AT_LEAST.get(field, 1), AT_MOST.get(field, MOST)
    try:
        value = float(text)
    except ValueError:
        raise LimitError(f"{name} must be a number from {low:g} to {high:g}, not {text!r}.") from None
    return check_int(name, value, low, high) if whole else check_float(name, value, low, high)


def page(limits: Limits) -> str:
    """Every limit with its variable and value, a line each."""
    return "\n".join(f"{PREFIX + field.name.upper()}={getattr(limits, field.name)}" for field in fields(Limits))
