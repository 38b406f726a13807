"""How much longer something takes, from how much of it is done and how long that took."""

import time
from collections.abc import Callable

MIN_SECONDS, MIN_PART = 1.0, 0.02       # before, an estimate says nothing


class TimeLeft:
    """Adds to a sentence about a work under way how long it still takes: (sentence, 0..1) -> the same to ``notify``.

    A new sentence is a new work. clock: in seconds.
    """

    def __init__(self, notify: Callable[[str, float], None], clock: Callable[[], float] = time.monotonic):
        self.notify, self.clock = notify, clock
        self.text, self.began, self.first = "", 0.0, 0.0

    def __call__(self, text: str, part: float) -> None:
        now = self.clock()
        if text != self.text or part < self.first:
            self.text, self.began, self.first = text, now, part
        took, done = now - self.began, part - self.first
        if took >= MIN_SECONDS and done >= MIN_PART and part < 1:
            text = f"{text.removesuffix('.')}, about {in_words(took * (1 - part) / done)} left."
        self.notify(text, part)


def in_words(seconds: float) -> str:
    """8 s, 3 min."""
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"
