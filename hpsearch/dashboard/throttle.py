"""When something that takes a while may be done again."""

import time
from collections.abc import Callable

_FIRST_AFTER_S = 5.0
_EVERY_S = 30.0
_TIMES = 50  # the time between two is so many times as long as the last took: 2 % at most


class Throttle:
    """Says when a repeated work is due, by how long it took."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock() + _FIRST_AFTER_S
        self._begun = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it may be done now."""
        return self._clock() >= self._due

    def __enter__(self) -> None:
        self._begun = self._clock()

    def __exit__(self, *_: object) -> None:
        now = self._clock()
        self._due = now + max(_EVERY_S, _TIMES * (now - self._begun))
