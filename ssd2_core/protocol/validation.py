"""Whether a request may be asked at all: types, sizes and numbers against the limits. Knows nothing of models or the worker."""

import re
from collections.abc import Collection
from dataclasses import replace

from ..config import EnsembleParams, Limits, SamplingParams, check_int, knobs
from ..errors import BusyError, DocumentError, LimitError, ModelError, VisitorError
from .messages import Change, Document, Pace, Pin, Request, Turn, is_private

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")
RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_NAME_CHARS = 300
MAX_PIN_CHARS, MAX_CHANGES = 60, 200
MAX_PACE = 1000               # steps a second


def printable(text: str) -> str:
    """What a model wrote, so that it can be part of a question's history: without control characters."""
    return UNPRINTABLE.sub("", text)


def check_text(name: str, value: object, max_chars: int, error: type[VisitorError] = LimitError) -> str:
    """Return ``value`` if it is a string of printable characters, tabs and line ends within ``max_chars``."""
    if not isinstance(value, str):
        raise error(f"{name} must be text, not {type(value).__name__}.")
    if len(value) > max_chars:
        raise error(f"{name} may have at most {max_chars} characters, not {len(value)}; shorten it.")
    found = UNPRINTABLE.search(value)
    if found:
        raise error(f"{name} has the control character U+{ord(found.group()):04X} at position {found.start() + 1}; remove it.")
    return value


def check_items(name: str, value: object, max_items: int, kind: type) -> tuple:
    """Return ``value`` as a tuple if it is a list or tuple of ``kind`` within ``max_items``."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, kind) for item in value):
        raise LimitError(f"{name} must be a list of {kind.__name__.lower()} entries.")
    if len(value) > max_items:
        raise LimitError(f"{name} may have at most {max_items} entries, not {len(value)}; remove some.")
    return tuple(value)


def check_weights(ensemble: object, users: Collection[str]) -> EnsembleParams:
    """Return ``ensemble`` if it is one and has weights for chosen users only."""
    if not isinstance(ensemble, EnsembleParams):
        raise LimitError("The ensemble settings are incomplete.")
    unknown = sorted(set(ensemble.lam) - set(users))
    if unknown:
        raise ModelError(f"There is a weight for {unknown[0]!r}, which is not one of the chosen users.")
    return ensemble


def check_own_weights(ensemble: EnsembleParams, limits: Limits) -> None:
    """Refuse too much weight for models that a visitor brought: nobody has seen what they say."""
    for name, weight in ensemble.lam.items():
        if is_private(name) and weight > limits.max_own_weight:
            raise LimitError(f"the weight of your own model must be at most {limits.max_own_weight:g}, not {weight:g}.")


def check_sampling(sampling: object, limits: Limits) -> SamplingParams:
    """Return ``sampling`` if what it asks for is within the limits."""
    if not isinstance(sampling, SamplingParams):
        raise LimitError("The sampling settings are incomplete.")
    for name, knob in knobs(SamplingParams).items():
        knob.check(getattr(sampling, name), limits)
    return sampling


def check_documents(value: object, limits: Limits) -> tuple[Document, ...]:
    """Return documents as a tuple if their number, names and sizes are within the limits."""
    documents = check_items("The list of documents", value, limits.max_documents, Document)
    for document in documents:
        check_text("A document's name", document.name, MAX_NAME_CHARS, DocumentError)
        check_text(f"The document {document.name!r}", document.text, limits.max_document_chars, DocumentError)
    return documents


def check_pin(pin: object, limits: Limits) -> Pin:
    """Return ``pin`` if its place is within the limits and it gives either text or tokens."""
    if not isinstance(pin, Pin):
        raise LimitError("A pin was expected.")
    check_int("the block of a pin", pin.block, 0, limits.max_new_tokens - 1)
    check_int("the position of a pin", pin.position, 0, limits.max_block_length - 1)
    text = check_text("A pinned word", pin.text, MAX_PIN_CHARS)
    ids = check_items("The tokens of a pin", pin.token_ids, limits.max_block_length, int)
    if bool(text.strip()) == bool(ids):
        raise LimitError("A pin gives a word or token ids, one of them.")
    for token in ids:
        check_int("a pinned token", token, 0, 2**31 - 1)
    return replace(pin, token_ids=ids)


def check_pace(pace: object, limits: Limits) -> Pace:
    """Return ``pace`` if it is one that a run can have."""
    if not isinstance(pace, Pace):
        raise LimitError("A pace was expected.")
    check_int("the steps to make now", pace.steps, 0, limits.max_steps)
    speed = pace.per_second
    if speed is not None and (isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 <= speed <= MAX_PACE
                              or 0 < speed < 1 / limits.max_pause_seconds):
        raise LimitError(f"the pace must be 0, or from {1 / limits.max_pause_seconds:.2g} to {MAX_PACE} steps a second, "
                         f"not {speed!r}.")
    return pace


def check_plan(value: object, users: Collection[str], limits: Limits) -> tuple[Change, ...]:
    """Return the planned changes as a tuple if each is one that could be made while a run goes on."""
    plan = check_items("The plan", value, MAX_CHANGES, Change)
    for change in plan:
        check_int("the step of a change", change.step, 0, limits.max_steps * limits.max_new_tokens)
        if change.ensemble is not None:
            check_weights(change.ensemble, users)
        if change.pin is not None:
            check_pin(change.pin, limits)
    return plan


def check_places(owners: list[str], owner: str, limits: Limits, places: int) -> None:
    """Refuse one more request of ``owner`` while those of ``owners`` are under way. An empty owner may fill all ``places``."""
    if len(owners) >= places + limits.max_waiting:
        raise BusyError(f"All places are taken and {limits.max_waiting} requests wait already; try again in a minute.")
    if owner and owners.count(owner) >= limits.max_each:
        raise BusyError(f"You have {limits.max_each} questions here already; wait for one of them or stop it.")


def check_request(request: object, limits: Limits) -> Request:
    """Return the request, lists as tuples, if everything about it is within ``limits``; else raise a VisitorError."""
    if not isinstance(request, Request):
        raise LimitError("A request was expected.")
    if request.request_id and not (isinstance(request.request_id, str) and RUN_ID.fullmatch(request.request_id)):
        raise LimitError("The run's id may have letters, digits, - and _, at most 64 of them.")
    if not check_text("The prompt", request.prompt, limits.max_prompt_chars).strip():
        raise LimitError("The prompt is empty; write a question.")
    users = check_items("The list of users", request.users, limits.max_users, str)
    for model_id in (request.core, *users):
        check_text("A model's id", model_id, MAX_NAME_CHARS, ModelError)
    if len(set(users)) < len(users) or "core" in users:
        raise ModelError("Each user can be chosen once, and none can be named core.")
    documents = check_documents(request.documents, limits)
    history = check_items("The history", request.history, limits.max_history_turns, Turn)
    for turn in history:
        check_text("A message of the history", turn.text, limits.max_document_chars)
        if turn.role not in ("user", "assistant") or not isinstance(turn.private, bool):
            raise LimitError(f"A message of the history must be of the user or the assistant, not {turn.role!r}.")
    check_text("The owner", request.owner, MAX_NAME_CHARS)
    check_sampling(request.sampling, limits)
    check_weights(request.ensemble, users)
    check_pace(request.pace, limits)
    pins = check_items("The list of pins", request.pins, limits.max_new_tokens, Pin)
    pins, plan = tuple(check_pin(pin, limits) for pin in pins), check_plan(request.plan, users, limits)
    return replace(request, users=users, documents=documents, history=history, pins=pins, plan=plan)
