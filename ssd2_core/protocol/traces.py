"""A finished run as one JSON text, and back: docs/traces.md says it in words."""

import json
from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from pathlib import Path

from ..config import EnsembleParams, SamplingParams
from ..errors import LimitError
from .frames import Frame, frame_from_dict
from .messages import Change, Document, Done, Pin, Request
from .trace_schema import MAX_BYTES, VERSION, checked_trace

TRACE_VERSION = VERSION


def trace_to_json(frames: list[Frame], about: dict) -> str:
    """A finished run as one JSON text: {"version", "about", "frames"}, see docs/traces.md."""
    return json.dumps({"version": TRACE_VERSION, "about": about, "frames": [f.to_dict() for f in frames]},
                      ensure_ascii=False, separators=(",", ":"))


def fitting_trace(frames: list[Frame], about: dict, most: int = MAX_BYTES) -> str:
    """The same in at most ``most`` bytes of UTF-8: with fewer decimals, then fewer candidates, then none.

    What is within the default can be read again. Raises LimitError when even the shortest is too long.
    """
    for digits, candidates in ((None, None), (3, None), (3, 2), (3, 0), (2, 0)):
        text = trace_to_json([shorter(frame, digits, candidates) for frame in frames], about)
        size = len(text.encode())
        if size <= most:
            return text
    raise LimitError(f"This run takes {size:,} bytes, more than {most:,}; ask for fewer steps or tokens.")


def shorter(frame: Frame, digits: int | None, candidates: int | None) -> Frame:
    """The frame with so many decimals and candidates for each position; None leaves them as they are."""
    def cut(value):
        if isinstance(value, float):
            return value if digits is None else round(value, digits)
        if isinstance(value, dict):
            return {name: cut(each) for name, each in value.items()}
        return type(value)(cut(each) for each in value) if isinstance(value, list | tuple) else value
    best = {} if candidates == 0 else {name: [cell[:candidates] for cell in cells] for name, cells in frame.candidates.items()}
    kept = replace(frame, candidates=best)
    return kept if digits is None else Frame(**{f.name: cut(getattr(kept, f.name)) for f in fields(Frame)})


def renamed(frame: Frame, names: dict[str, str]) -> Frame:
    """The frame with other names for experts; those not in ``names`` keep theirs."""
    return replace(frame, **{part: {names.get(name, name): value for name, value in getattr(frame, part).items()}
                             for part in ("share", "weight", "candidates")})


def trace_from_json(text: str | bytes) -> tuple[list[Frame], dict]:
    """Inverse of ``trace_to_json``, for files that anybody may have written. Raises LimitError in one sentence.

    Frames of version 1 have no candidates, no disagreement and no pins, those before version 4 not what the networks saw.
    """
    data = checked_trace(text)
    newer = {"candidates": {}, "disagreement": [], "pinned": [], "revision": 0, "input_texts": [], "input_mass": [],
             "settled": []}
    return [frame_from_dict(newer | frame) for frame in data["frames"]], data["about"]


def load_trace(path: str | Path) -> tuple[list[Frame], dict]:
    """The frames of a trace file, and what it says about the run. Raises LimitError in one sentence."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        raise LimitError(f"{path} cannot be read; give the path of a trace.") from None
    return trace_from_json(data)


def about_run(request: Request, done: Done, titles: dict[str, str], documents: Iterable[Document] = (),
              texts: bool = True) -> dict:
    """What a trace says of its run, see docs/traces.md. documents: those that it names, with their ``texts`` or without."""
    steered = {"pins": [asdict(pin) for pin in request.pins], "plan": [asdict(change) for change in request.plan]}
    return {"prompt": request.prompt, "core": request.core, "experts": ["core", *request.users], "titles": titles,
            "documents": [{"name": d.name, "text": d.text} if texts else {"name": d.name} for d in documents],
            "settings": {"sampling": asdict(request.sampling), "ensemble": asdict(request.ensemble)},
            **{name: entries for name, entries in steered.items() if entries},
            "answer": done.answer, "finish_reason": done.finish_reason,
            "figures": {"steps": done.steps, "forwards": done.forwards, "tokens": done.tokens, "seconds": done.seconds,
                        "tokens_per_second": done.tokens_per_second, "shares": done.shares, "device": done.device,
                        "dtype": done.dtype}}


def request_from(about: dict, documents: tuple[Document, ...] = ()) -> Request:
    """The request that a trace tells of, as ``load_trace`` gives it. documents: instead of its own. Raises LimitError."""
    missing = [name for name in ("prompt", "core", "experts", "settings") if name not in about]
    if missing:
        raise LimitError(f"This trace does not say its {missing[0]}, so its run cannot be made again.")
    told = about.get("documents", [])
    if told and not documents and not all(isinstance(d, dict) and "text" in d for d in told):
        raise LimitError(f"This trace names {len(told)} documents without their text; give the files with --docs.")
    settings = about["settings"]
    return Request("", about["prompt"], about["core"], tuple(name for name in about["experts"] if name != "core"),
                   documents or tuple(Document(**d) for d in told), (), SamplingParams(**settings["sampling"]),
                   EnsembleParams(**settings["ensemble"]), pins=tuple(map(_pin, about.get("pins", ()))),
                   plan=tuple(Change(c["step"], c["ensemble"] and EnsembleParams(**c["ensemble"]), c["pin"] and _pin(c["pin"]))
                              for c in about.get("plan", ())))


def _pin(data: dict) -> Pin:
    return Pin(**data | {"token_ids": tuple(data["token_ids"])})
