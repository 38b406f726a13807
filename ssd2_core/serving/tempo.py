"""When a run may make its next step: at once, a few times a second, or when it is told to."""

import time
from dataclasses import replace

from ..protocol.messages import Pace


class Tempo:
    """The pace of one run. longest: seconds that it may stand still; then it goes on as fast as it can."""

    def __init__(self, pace: Pace, longest: float, clock=time.monotonic):
        self.pace, self.longest, self.clock = pace, longest, clock
        self.ended = self._counted = clock()    # ended: of the last step, or when the run was paused
        self._held = 0.0

    def change(self, pace: Pace) -> None:
        """Go on like this."""
        self._count()
        self.pace = pace
        if pace.per_second == 0:
            self.ended = self.clock()

    def wait(self) -> float:
        """Seconds until the next step may be made."""
        speed = self.pace.per_second
        if speed is None or self.pace.steps:
            return 0.0
        return max(0.0, self.ended + (1 / speed if speed else self.longest) - self.clock())

    def begin(self) -> bool:
        """A step is made now. -> whether the pace is another one from here on."""
        before = self.pace
        if self.pace.steps:
            self.pace = replace(self.pace, steps=self.pace.steps - 1)
        elif self.pace.per_second == 0:
            self.pace = Pace()
        return self.pace.per_second != before.per_second

    def end(self) -> None:
        """The step is made."""
        self.ended = self._counted = self.clock()

    def held(self) -> float:
        """Seconds that the run was held back since this was asked last, but for its steps."""
        self._count()
        held, self._held = self._held, 0.0
        return held

    def _count(self) -> None:
        now = self.clock()
        if self.pace.per_second is not None:
            self._held += now - self._counted
        self._counted = now
