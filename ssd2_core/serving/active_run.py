"""One request while it is answered: its steps as frames, its answer and its figures. Needs no torch and no network itself."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..config import LIMITS
from ..errors import LimitError
from ..protocol.frames import Frame, from_step
from ..protocol.messages import Change, Done, Pace, Pin, Request, Started
from .tempo import Tempo


@dataclass
class Run:
    """A request that is being answered.

    steps: yields each Step with its Description. ensemble: has params, forwards and dropped.

    pin: puts a Pin where the sampler finds it, raises LimitError. revision: changes of settings and pins so far. asked: changes
    to be made before the next step. tempo: when that is. What a run is held back counts nowhere.
    is_over: whether the last step was made, so that only the end is to be told.
    """

    request: Request
    steps: Iterator[Any]
    ensemble: Any
    decode_each: Callable[[list[int]], list[str]]
    decode: Callable[[list[int]], str]
    ends: Sequence[int]
    started: Started
    device: str
    dtype: str
    pin: Callable[[Pin], None]
    began: float = field(default_factory=time.monotonic)
    num_steps: int = 0
    blocks: dict[int, Frame] = field(default_factory=dict)
    decided: dict[tuple[int, int], dict[str, float]] = field(default_factory=dict)      # (block, position) -> shares when set
    dropped: int = 0
    revision: int = 0
    asked: list[Change] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    tempo: Tempo = field(default_factory=lambda: Tempo(Pace(), LIMITS.max_pause_seconds))
    is_over: Callable[[], bool] = lambda: False

    def wait(self) -> float:
        """Seconds until its next step."""
        return 0.0 if self.is_over() else self.tempo.wait()

    def begin(self) -> bool:
        """A step is made now. -> whether the pace is another one from here on."""
        if self.is_over():
            return False
        self.began += self.tempo.held()
        return self.tempo.begin()

    def make_changes(self) -> list[Change]:
        """Make what is planned for the next step and what was asked for since the last one. -> the latter, with its step.

        Called before anything of that step is computed, so that a run with the same plan is the same run. A pin that does not
        fit is told as a notice.
        """
        for change in self.request.plan:
            if change.step == self.num_steps:
                self._make(change)
        asked, self.asked = self.asked, []
        return [replace(change, step=self.num_steps) for change in asked if self._make(change)]

    def _make(self, change: Change) -> bool:
        if change.ensemble is not None:
            self.ensemble.params = change.ensemble
        if change.pin is not None:
            try:
                self.pin(change.pin)
            except LimitError as error:
                self.refused.append(str(error))
                return False
        self.revision += 1
        return True

    def step(self) -> Frame | None:
        """Make one denoising step; None when there is none left."""
        found = next(self.steps, None)
        if found is None:
            return None
        elapsed_ms = (time.monotonic() - self.began) * 1000
        frame = from_step(*found, self.request.request_id, self.decode_each, self.ends, elapsed_ms,
                          self.revision, self.blocks.get(found[0].block))
        rest = [0.0] * len(frame.token_ids)
        frame = replace(frame, share={name: frame.share.get(name, rest) for name in self.started.experts},
                        weight={name: frame.weight.get(name, rest) for name in self.started.experts})
        self.num_steps += 1
        for i, changed in enumerate(frame.changed):
            if changed or (frame.block, i) not in self.decided:
                self.decided[frame.block, i] = {name: share[i] for name, share in frame.share.items()}
        self.blocks[frame.block] = frame
        return frame

    def new_notices(self) -> tuple[str, ...]:
        """A sentence for each expert that was dropped, and each pin that was refused, since the last call."""
        names, self.dropped = self.ensemble.dropped[self.dropped:], len(self.ensemble.dropped)
        refused, self.refused = self.refused, []
        return (*(f"{name} gave values that are not finite and was left out." for name in names), *refused)

    def answer_cells(self) -> tuple[list[tuple[Frame, int]], bool]:
        """The answer so far as (frame, position) of each token, cut at EOS and at max tokens; and whether EOS was met."""
        cells = [(self.blocks[b], i) for b in sorted(self.blocks) for i in range(len(self.blocks[b].token_ids))]
        cells = cells[:self.request.sampling.max_new_tokens]
        end = next((n for n, (frame, i) in enumerate(cells) if frame.is_eos[i]), None)
        return cells[:end], end is not None

    def done(self, stopped: bool) -> Done:
        """The end of this run, with its figures."""
        cells, has_eos = self.answer_cells()
        self.began += self.tempo.held()
        seconds = time.monotonic() - self.began
        count = len(cells)
        deciders = [self.decided[frame.block, i] for frame, i in cells]
        return Done(
            request_id=self.request.request_id, answer=self.decode([f.token_ids[i] for f, i in cells]).strip(),
            finish_reason="stopped" if stopped else "eos" if has_eos else "length", steps=self.num_steps,
            forwards=self.ensemble.forwards, tokens=count, seconds=round(seconds, 3),
            tokens_per_second=round(count / seconds, 2) if seconds else 0.0,
            shares={n: round(sum(d[n] for d in deciders) / max(count, 1), 4) for n in self.started.experts},
            device=self.device, dtype=self.dtype)
