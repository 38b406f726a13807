"""Frame: one denoising step as small plain data, the one schema of live runs, stories, traces, the API and tests.

Knows nothing of torch: ``from_step`` only calls ``.tolist()`` on what a Step holds.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from .errors import LimitError
from .traces import MAX_BYTES, VERSION, checked_trace

TRACE_VERSION = VERSION
TOGETHER = "together"           # the fused distribution, among the candidates


@dataclass(frozen=True)
class Frame:
    """What one step of one row shows. Lists have one entry per block position (L).

    block, step: counted from 0 and from 1; num_steps: T; alpha_bar: cumulative signal of the *input* of this step.
    texts: current tokens; confidence: probability of the current token, 0..1; entropy: of the fused distribution, nats.
    share, weight: by expert, 0..1, each sums to 1 over the experts. changed: token differs from the step before.
    rival_texts: the second candidate. elapsed_ms: since the run began.
    is_eos: cells that end the answer; everything after the first one is not part of it.
    candidates: by expert, and TOGETHER for the fused distribution, the best tokens of each position as [text, probability].
    disagreement: Jensen-Shannon divergence of the experts under their weights, nats. pinned: tokens that were given.
    revision: how often settings or pins had changed by this step.
    """

    request_id: str
    block: int
    step: int
    num_steps: int
    alpha_bar: float
    token_ids: list[int]
    texts: list[str]
    confidence: list[float]
    entropy: list[float]
    share: dict[str, list[float]]
    weight: dict[str, list[float]]
    changed: list[bool]
    rival_texts: list[str]
    is_eos: list[bool]
    elapsed_ms: float
    candidates: dict[str, list[list[tuple[str, float]]]] = field(default_factory=dict)
    disagreement: list[float] = field(default_factory=list)
    pinned: list[bool] = field(default_factory=list)
    revision: int = 0

    def to_dict(self) -> dict:
        """All fields as JSON-ready data."""
        return asdict(self)


def from_step(step, request_id: str, decode: Callable[[list[int]], list[str]], eos_token_id: int | None,
              elapsed_ms: float, revision: int = 0) -> Frame:
    """The first row of a ``sampling.Step`` as a Frame; ``decode`` turns token ids into one text per token."""
    rounded = lambda values: [round(v, 4) for v in values]  # noqa: E731
    token_ids = step.token_ids[0].tolist()
    return Frame(
        request_id=request_id, block=step.block, step=step.step, num_steps=step.num_steps,
        alpha_bar=round(step.alpha_bar, 5), token_ids=token_ids, texts=decode(token_ids),
        confidence=rounded(step.confidence[0].tolist()), entropy=rounded(step.entropy[0].tolist()),
        share={name: rounded(value[0].tolist()) for name, value in step.share.items()},
        weight={name: rounded(value[0].tolist()) for name, value in step.weight.items()},
        changed=step.changed[0].tolist(), rival_texts=decode(step.rival_ids[0].tolist()),
        is_eos=[i == eos_token_id for i in token_ids], elapsed_ms=round(elapsed_ms, 1),
        candidates={name: _candidates(top, decode) for name, top in step.candidates.items()},
        disagreement=rounded(step.disagreement[0].tolist()), pinned=step.pinned.tolist(), revision=revision)


def _candidates(top: tuple, decode: Callable[[list[int]], list[str]]) -> list[list[tuple[str, float]]]:
    """The best tokens of each position with their probabilities; top: (log-probabilities, ids)."""
    chances, ids = top[0][0].exp().tolist(), top[1][0].tolist()
    return [list(zip(decode(each), (round(p, 4) for p in row), strict=True)) for each, row in zip(ids, chances, strict=True)]


def frame_from_dict(data: dict) -> Frame:
    """Inverse of ``Frame.to_dict``. Raises ValueError that names the missing or unknown fields."""
    expected = {f.name for f in fields(Frame)}
    if set(data) != expected:
        raise ValueError(f"a frame has the fields {sorted(expected)}; this one differs by {sorted(expected ^ set(data))}.")
    return Frame(**data | {"candidates": {name: [[tuple(candidate) for candidate in cell] for cell in cells]
                                          for name, cells in data["candidates"].items()}})


def trace_to_json(frames: list[Frame], about: dict) -> str:
    """A finished run as one JSON text: {"version", "about", "frames"}, see ssd2_core/traces.md."""
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

    Frames of version 1 have no candidates, no disagreement and no pins.
    """
    data = checked_trace(text)
    newer = {"candidates": {}, "disagreement": [], "pinned": [], "revision": 0}
    return [frame_from_dict(newer | frame) for frame in data["frames"]], data["about"]


def load_trace(path: str | Path) -> tuple[list[Frame], dict]:
    """The frames of a trace file, and what it says about the run. Raises LimitError in one sentence."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        raise LimitError(f"{path} cannot be read; give the path of a trace.") from None
    return trace_from_json(data)
