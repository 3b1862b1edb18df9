import pytest

from hpsearch.dashboard.throttle import Throttle


class Clock:
    """A clock that stands until it is put forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_is_due_after_five_seconds() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    assert not throttle.is_due
    clock.now += 4.9
    assert not throttle.is_due
    clock.now += 0.2
    assert throttle.is_due


@pytest.mark.parametrize(
    ("took", "pause"), [(0.0, 30), (0.1, 30), (0.6, 30), (1.0, 50), (20, 1000)]
)
def test_the_next_is_due_after_fifty_times_as_long_and_half_a_minute(
    took: float, pause: float
) -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)
    with throttle:
        clock.now += took
    clock.now += pause - 0.01
    assert not throttle.is_due
    clock.now += 0.02
    assert throttle.is_due


def test_one_that_fails_takes_its_time_too() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock)

    def fail() -> None:
        with throttle:
            clock.now += 60
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    clock.now += 2999
    assert not throttle.is_due
