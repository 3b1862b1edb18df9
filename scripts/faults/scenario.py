"""What a scenario is, and where it happens."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faults.row import Row


@dataclass(frozen=True)
class Ground:
    """Where a scenario happens, and its chance."""

    folder: Path  # its own, empty
    random: random.Random


class Scenario(Protocol):
    """One kind of harm; its fields say how much of it."""

    @property
    def name(self) -> str:
        """By which it is asked for."""

    def run(self, ground: Ground) -> Row:
        """Do the harm, and find out what came of it."""


def places(random: random.Random, *, total_epochs: int, count: int) -> list[int]:
    """At how many recorded epochs of the whole study to strike: spread evenly, in order.

    Some come twice, so that a fault strikes a search that has not yet recovered from the last.
    """
    last = max(2, int(0.97 * total_epochs))  # something is left to disturb
    return sorted(random.choices(range(1, last), k=count))
