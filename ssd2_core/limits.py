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
MEANINGS = {
    "max_prompt_chars": "characters of a prompt",
    "max_history_turns": "earlier messages that a question may bring along",
    "max_documents": "documents of one question",
    "max_document_chars": "characters of one document",
    "max_file_bytes": "bytes of one document's file",
    "max_model_bytes": "bytes of the weights that a visitor brings",
    "max_own_models": "models of one visitor's own at a time",
    "max_own_weight": "weight that a visitor's own model may have",
    "max_visitor_bytes": "bytes of all visitors' models together",
    "max_upload_bytes": "bytes of all uploads that lie on the disk",
    "max_request_bytes": "bytes of one HTTP request",
    "idle_seconds": "seconds after which the models of a silent visitor are deleted",
    "training_seconds": "seconds that a training may take",
    "max_trainings": "trainings of one visitor in one visit",
    "max_waiting_trainings": "trainings that may wait",
    "max_users": "small experts in one question",
    "max_steps": "steps of one block",
    "max_block_length": "tokens of one block",
    "max_new_tokens": "tokens of one answer",
    "max_active": "questions that are answered at once",
    "max_waiting": "questions that may wait; one more gets a sentence",
    "max_each": "questions of one visitor at a time, waiting ones too",
    "keep_runs_seconds": "seconds that an ended run stays in memory",
    "return_seconds": "seconds that what is a visitor's waits for a broken connection to come back",
}


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


def bounds(field: str) -> tuple[float, float]:
    """The least and the most that a limit may be set to."""
    return AT_LEAST.get(field, 1), AT_MOST.get(field, MOST)


def _number(name: str, text: str, field: str, whole: bool) -> float:
    low, high = bounds(field)
    try:
        value = float(text)
    except ValueError:
        raise LimitError(f"{name} must be a number from {low:g} to {high:g}, not {text!r}.") from None
    return check_int(name, value, low, high) if whole else check_float(name, value, low, high)


def rows(limits: Limits) -> list[tuple[str, str, str, str]]:
    """Variable, value, range and meaning of every limit."""
    out = []
    for field in fields(Limits):
        low, high = bounds(field.name)
        least = f"{low:g} or more" if high == MOST else f"{low:g} to {high:,g}"
        out.append((PREFIX + field.name.upper(), f"{getattr(limits, field.name)}", least, MEANINGS[field.name]))
    return out


def page(limits: Limits) -> str:
    """Every limit as VARIABLE=value with its range and meaning, a line each."""
    return "\n".join(f"{f'{name}={value}':36}  {least:12}  {meaning}" for name, value, least, meaning in rows(limits))


def markdown(limits: Limits) -> str:
    """The same as the table that README has."""
    lines = [f"| `{name}` | {value} | {least} | {meaning} |" for name, value, least, meaning in rows(limits)]
    return "\n".join(["| variable | value | may be | what it limits |", "| --- | --- | --- | --- |", *lines])
