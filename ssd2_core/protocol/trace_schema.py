"""What a trace file may hold: the gate for files that anybody may have written. Plain data; docs/traces.md says it in words.

Every mistake is a LimitError in one sentence. Texts are data: nothing here, and nothing that shows them, reads them as code.
"""

import json

from ..config import EnsembleParams, SamplingParams, knobs
from ..errors import LimitError

VERSION, VERSIONS = 4, (1, 2, 3, 4)
MAX_BYTES = 2_000_000
MAX_FRAMES, MAX_CELLS, MAX_EXPERTS, MAX_CANDIDATES = 10_000, 1024, 9, 16
MAX_TOKEN, MAX_NAME, MAX_TEXT, MAX_DOCUMENTS, MAX_CHANGES = 400, 300, 200_000, 40, 10_000
SHARES = (-0.01, 1.01)                  # rounded values may lie a little outside 0..1
FIRST_FIELDS = ("request_id", "block", "step", "num_steps", "alpha_bar", "token_ids", "texts", "confidence", "entropy", "share",
                "weight", "changed", "rival_texts", "is_eos", "elapsed_ms")
NEWER_FIELDS = ("candidates", "disagreement", "pinned", "revision")         # since version 2
INPUT_FIELDS = ("input_texts", "input_mass", "settled")                     # since version 4
FIGURES = ("steps", "forwards", "tokens", "seconds", "tokens_per_second")


def checked_trace(text: str | bytes) -> dict:
    """The data of a trace, all of it checked: {"version", "about", "frames"}. Raises LimitError."""
    if len(text) > MAX_BYTES:
        raise LimitError(f"A trace may have at most {MAX_BYTES / 1e6:g} MB; this file is larger.")
    try:
        data = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise LimitError("This file is not JSON, so it is no trace; choose one that was downloaded here.") from None
    _keys("A trace", data, ("version", "about", "frames"))
    version = data["version"]
    if isinstance(version, bool) or version not in VERSIONS:
        raise LimitError(f"A trace of version {' or '.join(map(str, VERSIONS))} was expected, not {_shown(version)}.")
    frames = _list("frames", data["frames"], MAX_FRAMES)
    if not frames:
        raise LimitError("This trace has no frames, so there is nothing to show.")
    _check_about(_dict("about", data["about"], len(ABOUT)))
    _check_frames(frames, FIRST_FIELDS + NEWER_FIELDS * (version > 1) + INPUT_FIELDS * (version > 3))
    return data


def _no_number(name: str) -> float:
    raise ValueError(name)


def _shown(value: object) -> str:
    """A value as a sentence quotes it: short, whatever it is."""
    return _short(repr(value), 40)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _keys(what: str, value: object, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    if not isinstance(value, dict):
        raise LimitError(f"{what} must be an object with {', '.join(names)}, not {_shown(value)}.")
    wrong = sorted((set(names) - set(value)) | (set(value) - set(names) - set(optional)))
    if wrong:
        verb = "lacks" if wrong[0] in names else "has an unknown"
        raise LimitError(f"{what} {verb} {_shown(wrong[0])}; it has {', '.join(names + optional)}.")


def _list(what: str, value: object, most: int, length: int | None = None) -> list:
    if not isinstance(value, list):
        raise LimitError(f"{what} must be a list, not {_shown(value)}.")
    if len(value) > most:
        raise LimitError(f"{what} may have at most {most} entries, not {len(value)}.")
    if length is not None and len(value) != length:
        raise LimitError(f"{what} has {len(value)} entries; {length} were expected.")
    return value


def _dict(what: str, value: object, most: int) -> dict:
    if not isinstance(value, dict) or len(value) > most:
        raise LimitError(f"{what} must be an object of at most {most} entries, not {_shown(value)}.")
    for key in value:
        _text(f"a name in {what}", key, MAX_NAME)
    return value


def _text(what: str, value: object, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise LimitError(f"{what} must be text of at most {most} characters, not {_shown(value)}.")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise LimitError(f"{what} has half a character (a lone surrogate); it was not written by this program.")
    return value


def _number(what: str, value: object, low: float, high: float, whole: bool = False) -> None:
    kind = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        raise LimitError(f"{what} must be a {'whole ' if whole else ''}number from {low:g} to {high:g}, not {_shown(value)}.")


def _bool(what: str, value: object) -> None:
    if not isinstance(value, bool):
        raise LimitError(f"{what} must be true or false, not {_shown(value)}.")


CELLS = {"token_ids": lambda what, v: _number(what, v, 0, 2**31 - 1, whole=True),
         "texts": lambda what, v: _text(what, v, MAX_TOKEN), "rival_texts": lambda what, v: _text(what, v, MAX_TOKEN),
         "confidence": lambda what, v: _number(what, v, *SHARES), "entropy": lambda what, v: _number(what, v, -0.01, 100),
         "disagreement": lambda what, v: _number(what, v, -0.01, 100), "changed": _bool, "is_eos": _bool, "pinned": _bool,
         "input_texts": lambda what, v: _text(what, v, MAX_TOKEN), "input_mass": lambda what, v: _number(what, v, *SHARES),
         "settled": _bool}


def _check_frames(frames: list, names: tuple[str, ...]) -> None:
    """Every frame by itself, and that they are one run: the same experts, one length in a block, blocks and steps in order.

    The first and the last block may be shorter than the others.
    """
    first, before, lengths = None, (0, 0), {}
    for n, frame in enumerate(frames, 1):
        what = f"Frame {n}"
        _keys(what, frame, names)
        first = first or frame
        there = len(_list(f"{what}: texts", frame["texts"], MAX_CELLS))
        experts = list(_dict(f"{what}: share", frame["share"], MAX_EXPERTS))
        if not experts or set(experts) != set(first["share"]) or not there:
            raise LimitError(f"{what} must have cells, and shares of the same experts as the first frame.")
        _check_scalars(what, frame, before)
        length = lengths.setdefault(frame["block"], there)
        before = (frame["block"], frame["step"])
        for name in names:
            if name in CELLS:
                empty_allowed = name in NEWER_FIELDS + INPUT_FIELDS and frame[name] == []
                for cell in _list(f"{what}: {name}", frame[name], MAX_CELLS, None if empty_allowed else length):
                    CELLS[name](f"{what}: {name}", cell)
        for name in ("share", "weight"):
            _keys(f"{what}: {name}", frame[name], tuple(experts))
            for values in frame[name].values():
                for value in _list(f"{what}: {name}", values, MAX_CELLS, length):
                    _number(f"{what}: {name}", value, *SHARES)
        if "candidates" in names:
            _check_candidates(f"{what}: candidates", frame["candidates"], length)


def _check_scalars(what: str, frame: dict, before: tuple[int, int]) -> None:
    _text(f"{what}: request_id", frame["request_id"], MAX_NAME)
    _number(f"{what}: num_steps", frame["num_steps"], *knobs(SamplingParams)["num_steps"].bounds(), whole=True)
    _number(f"{what}: step", frame["step"], 1, frame["num_steps"], whole=True)
    _number(f"{what}: block", frame["block"], 0, MAX_FRAMES, whole=True)
    _number(f"{what}: alpha_bar", frame["alpha_bar"], *SHARES)
    _number(f"{what}: elapsed_ms", frame["elapsed_ms"], 0, 1e12)
    _number(f"{what}: revision", frame.get("revision", 0), 0, 1e6, whole=True)
    block, step = before
    if not (frame["block"] == block and frame["step"] > step) and not (frame["block"] == block + 1 and step):
        raise LimitError(f"{what} is out of order: block {frame['block']}, step {frame['step']} after {block}, {step}.")


def _check_candidates(what: str, value: object, length: int) -> None:
    for cells in _dict(what, value, MAX_EXPERTS + 1).values():
        for cell in _list(what, cells, MAX_CELLS, length):
            for candidate in _list(what, cell, MAX_CANDIDATES):
                text, share = _list(what, candidate, 2, 2)
                _text(what, text, MAX_TOKEN)
                _number(what, share, *SHARES)


def _check_about(about: dict) -> None:
    for name, value in about.items():
        if name not in ABOUT:
            raise LimitError(f"about has an unknown {_shown(name)}; it may have {', '.join(ABOUT)}.")
        ABOUT[name](f"about: {name}", value)


def _texts(what: str, value: object) -> None:
    for text in _list(what, value, MAX_EXPERTS):
        _text(what, text, MAX_NAME)


def _titles(what: str, value: object) -> None:
    for text in _dict(what, value, MAX_EXPERTS).values():
        _text(what, text, MAX_NAME)


def _shares(what: str, value: object) -> None:
    for share in _dict(what, value, MAX_EXPERTS).values():
        _number(what, share, *SHARES)


def _documents(what: str, value: object) -> None:
    for document in _list(what, value, MAX_DOCUMENTS):
        if isinstance(document, str):               # version 1 has names alone
            document = {"name": document}
        _keys(what, document, ("name",), ("text",))
        _text(what, document["name"], MAX_NAME)
        _text(what, document.get("text", ""), MAX_TEXT)


def _settings(what: str, value: object) -> None:
    """The settings as the classes that check them take them."""
    _keys(what, value, ("sampling", "ensemble"))
    for name, kind in (("sampling", SamplingParams), ("ensemble", EnsembleParams)):
        _fields(f"{what}: {name}", value[name], kind)


def _fields(what: str, value: object, kind: type) -> None:
    """The fields of a class that checks them itself."""
    found = _dict(what, value, 20)
    try:
        kind(**{**found, **({"lam": _dict("lam", found["lam"], MAX_EXPERTS)} if "lam" in found else {})})
    except LimitError as error:
        raise LimitError(f"{what}: {_short(str(error), 200)}") from None
    except (TypeError, ValueError, OverflowError):
        raise LimitError(f"{what} has an entry that is not known here.") from None


def _pins(what: str, value: object) -> None:
    for pin in _list(what, value, MAX_CHANGES):
        _pin(what, pin)


def _pin(what: str, value: object) -> None:
    _keys(what, value, ("block", "position", "text", "token_ids"))
    for name in ("block", "position"):
        _number(f"{what}: {name}", value[name], 0, MAX_FRAMES, whole=True)
    _text(f"{what}: text", value["text"], MAX_TOKEN)
    for token in _list(f"{what}: token_ids", value["token_ids"], MAX_CELLS):
        _number(f"{what}: token_ids", token, 0, 2**31 - 1, whole=True)


def _plan(what: str, value: object) -> None:
    for change in _list(what, value, MAX_CHANGES):
        _keys(what, change, ("step", "ensemble", "pin"))
        _number(f"{what}: step", change["step"], 0, MAX_FRAMES, whole=True)
        if change["ensemble"] is not None:
            _fields(f"{what}: ensemble", change["ensemble"], EnsembleParams)
        if change["pin"] is not None:
            _pin(f"{what}: pin", change["pin"])


def _figures(what: str, value: object) -> None:
    _keys(what, value, (*FIGURES, "shares", "device", "dtype"))
    for name in FIGURES:
        _amount(f"{what}: {name}", value[name])
    _shares(f"{what}: shares", value["shares"])
    for name in ("device", "dtype"):
        _text(f"{what}: {name}", value[name], MAX_NAME)


def _amount(what: str, value: object) -> None:
    _number(what, value, 0, 1e12)


def _name(what: str, value: object) -> None:
    _text(what, value, MAX_NAME)


def _long(what: str, value: object) -> None:
    _text(what, value, MAX_TEXT)


ABOUT = {"prompt": _long, "core": _name, "experts": _texts, "titles": _titles, "documents": _documents, "settings": _settings,
         "answer": _long, "finish_reason": _name, "figures": _figures, "pins": _pins, "plan": _plan,
         "steps": _amount, "seconds": _amount, "shares": _shares}          # the last three are version 1's figures
