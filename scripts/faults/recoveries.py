"""How long a fault holds a study up, as its database shows.

From the injection (of a stop or a full disk: from its end) until every trial that was under way has
an epoch that it had not when the fault struck, or has ended: epochs that must be trained again
first are part of it.
"""

import time

from faults.study import Progress

_ON_THEIR_WAY = 1  # epochs that a worker may have sent before the fault struck it


class Recoveries:
    """The faults that a study has recovered from, and those that it has not yet."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._pending: list[tuple[float, Progress]] = []

    @property
    def num_pending(self) -> int:
        """Faults that the study still suffers from."""
        return len(self._pending)

    def begin(self, progress: Progress) -> None:
        """A fault strikes, or ends, now."""
        self._pending.append((time.monotonic(), progress))

    def look(self, progress: Progress) -> None:
        """See which faults are overcome."""
        now = time.monotonic()
        self.seconds += [
            now - since for since, before in self._pending if _has_gone_on(before, progress)
        ]
        self._pending = [
            (since, before) for since, before in self._pending if not _has_gone_on(before, progress)
        ]


def _has_gone_on(before: Progress, now: Progress) -> bool:
    if not before.running:
        return now.total_epochs > before.total_epochs
    return all(
        now.states[trial] != "RUNNING" or now.epochs[trial] > before.epochs[trial] + _ON_THEIR_WAY
        for trial in before.running
    )
