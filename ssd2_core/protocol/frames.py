"""Frame: one denoising step as small plain data, the one schema of live runs, stories, traces, the API and tests.

Knows nothing of torch: ``from_step`` only calls ``.tolist()`` on what a Step holds.
"""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, fields


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
    input_texts: what the networks saw at this step, the likeliest token of the noise, the latest estimate or a random
    token, "" for nothing yet; input_mass: its probability there, 0..1. settled: has its token from this step on.
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
    input_texts: list[str] = field(default_factory=list)
    input_mass: list[float] = field(default_factory=list)
    settled: list[bool] = field(default_factory=list)

    def to_dict(self) -> dict:
        """All fields as JSON-ready data."""
        return asdict(self)


def from_step(step, description, request_id: str, decode: Callable[[list[int]], list[str]], ends: Collection[int],
              elapsed_ms: float, revision: int = 0, before: Frame | None = None) -> Frame:
    """The first row of a ``diffusion.step.Step`` and its Description as a Frame; ``decode`` gives one text per token.

    ends: ids that end an answer. before: the last frame of the same block, which tells of the positions that this step did
    not predict.
    """
    rounded = lambda values: [round(v, 4) for v in values]  # noqa: E731
    token_ids = step.token_ids[0].tolist()
    first = step.state.window.start or 0
    seen, is_random = rounded(description.input_mass[0].tolist()), step.state.noisy_ids is not None

    def whole(values: list, earlier: list | None, nothing: object) -> list:
        """What was predicted, between what stood there before."""
        rest = earlier or [nothing] * len(token_ids)
        return [*rest[:first], *values, *rest[first + len(values):]]

    def by_expert(rows: dict, part: str, nothing: object, convert: Callable) -> dict:
        return {name: whole(convert(row), getattr(before, part).get(name) if before else None, nothing)
                for name, row in rows.items()}
    return Frame(
        request_id=request_id, block=step.block, step=step.step, num_steps=step.state.num_steps,
        alpha_bar=round(step.alpha_bar, 5), token_ids=token_ids, texts=decode(token_ids),
        confidence=rounded(step.after.confidence[0].tolist()), entropy=rounded(step.after.entropy[0].tolist()),
        share=by_expert(description.share, "share", 0.0, lambda row: rounded(row[0].tolist())),
        weight=by_expert(step.prediction.weights, "weight", 0.0, lambda row: rounded(row[0].tolist())),
        changed=step.changed[0].tolist(),
        rival_texts=whole(decode(description.runner_up_ids[0].tolist()), before and before.rival_texts, ""),
        is_eos=[i in ends for i in token_ids], elapsed_ms=round(elapsed_ms, 1),
        candidates=by_expert(description.candidates, "candidates", [], lambda top: _candidates(top, decode)),
        disagreement=whole(rounded(description.disagreement[0].tolist()), before and before.disagreement, 0.0),
        pinned=step.pinned.tolist(), revision=revision,
        input_texts=[text if mass or is_random else "" for text, mass in zip(
            decode(description.input_ids[0].tolist()), seen, strict=True)],
        input_mass=seen, settled=step.after.settled[0].tolist())


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
