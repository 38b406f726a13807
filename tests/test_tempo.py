"""When a run may make its next step, by a clock of our own: what it stood still is told once, whoever lets it go on."""

import pytest

from ssd2_core.protocol.messages import Pace
from ssd2_core.serving.tempo import Tempo


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def step(tempo, clock, seconds: float = 1.0) -> None:
    tempo.begin()
    clock.now += seconds
    tempo.end()


@pytest.mark.parametrize("on", [Pace(), Pace(2.0), Pace(0.0, 1)])
def test_a_pause_counts_as_held_back_however_it_ends(clock, on):
    tempo = Tempo(Pace(), 60.0, clock)
    step(tempo, clock)
    tempo.change(Pace(0.0))
    clock.now += 30
    assert tempo.wait() == 30
    tempo.change(on)
    assert tempo.held() == 30 and tempo.held() == 0
    step(tempo, clock)
    assert tempo.held() == 0


def test_a_pause_that_is_too_long_is_held_back_and_over(clock):
    tempo = Tempo(Pace(0.0), 60.0, clock)
    clock.now += 60
    assert tempo.wait() == 0 and tempo.held() == 60 and tempo.begin() and tempo.pace == Pace()


def test_a_slow_run_is_held_back_between_its_steps_and_a_free_one_never(clock):
    tempo = Tempo(Pace(0.5), 60.0, clock)
    step(tempo, clock)
    assert tempo.wait() == 2
    clock.now += 2
    assert tempo.wait() == 0 and tempo.held() == 2
    tempo.change(Pace())
    clock.now += 5                                                  # others are being answered
    assert tempo.wait() == 0 and tempo.held() == 0


def test_steps_that_were_asked_for_are_made_one_after_another(clock):
    tempo = Tempo(Pace(0.0, 2), 60.0, clock)
    for left in (1, 0):
        assert tempo.wait() == 0 and not tempo.begin() and tempo.pace == Pace(0.0, left)
        tempo.end()
    assert tempo.wait() == 60
