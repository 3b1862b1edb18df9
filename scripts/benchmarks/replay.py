"""An executor that replays recorded curves on a clock of its own.

The real search loop runs against them in seconds instead of hours.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.curves import Curve, CurveEpoch, Curves
from hpsearch.executors.messages import EpochFinished, Event, Task, TrainingFinished
from hpsearch.records import EpochMetrics, TrainingKey


@dataclass
class _Running:
    """A task under way: the curve it follows and how far it is."""

    task: Task
    curve: Curve
    num_reported: int = 0


class ReplayExecutor:
    """Implements `hpsearch.executors.messages.Executor`; time passes only between events."""

    def __init__(self, curves: Curves, *, num_slots: int) -> None:
        self.now_s = 0.0
        self._curves = curves
        self._num_slots = num_slots
        self._running: dict[TrainingKey, _Running] = {}
        self._ends: list[tuple[float, TrainingKey]] = []  # a heap: each running task's next epoch

    @property
    def num_slots(self) -> int:
        """Tasks that run at once."""
        return self._num_slots

    def submit(self, task: Task) -> None:
        """Start a task now."""
        plan = task.plan
        curves = self._curves[plan.configuration.fingerprint]
        self._running[task.key] = _Running(task, curves[plan.seed % len(curves)])
        self._schedule(task.key)

    def stop(self, key: TrainingKey) -> None:
        """Drop a task; its slot is free at once."""
        del self._running[key]
        self._ends = [end for end in self._ends if end[1] != key]
        heapq.heapify(self._ends)

    def kill(self, key: TrainingKey) -> None:
        """Drop a task."""
        self.stop(key)

    def is_waiting(self, key: TrainingKey) -> bool:
        """Never: a task starts when it is submitted."""
        return False

    def poll(self, timeout_s: float) -> Sequence[Event]:
        """The next event on the clock."""
        if not self._ends:
            return []
        self.now_s, key = heapq.heappop(self._ends)
        running = self._running[key]
        if running.num_reported == len(running.curve):
            del self._running[key]
            return [TrainingFinished(key, 0)]
        epoch = running.curve[running.num_reported]
        running.num_reported += 1
        self._schedule(key)
        return [EpochFinished(key, _metrics(running.num_reported, epoch))]

    def pause(self, timeout_s: float) -> Sequence[Event]:
        """Drop everything."""
        self._running.clear()
        self._ends.clear()
        return []

    def close(self) -> None:
        """Drop everything."""
        self.pause(0.0)

    def _schedule(self, key: TrainingKey) -> None:
        running = self._running[key]
        at_end = running.num_reported == len(running.curve)
        duration_s = 0.0 if at_end else running.curve[running.num_reported].duration_s
        heapq.heappush(self._ends, (self.now_s + duration_s, key))


def _metrics(number: int, epoch: CurveEpoch) -> EpochMetrics:
    return EpochMetrics(
        epoch=number,
        loss=0.0,
        accuracy=0.0,
        val_loss=epoch.val_loss,
        val_accuracy=epoch.val_accuracy,
        learning_rate=0.0,
        duration_s=epoch.duration_s,
        images_per_s=0.0,
    )
