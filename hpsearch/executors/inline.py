"""Runs tasks in this process, one epoch a poll: for debugging, tests and `--workers 0`."""

from collections.abc import Iterator, Sequence

from hpsearch.data.tensors import DataCache
from hpsearch.executors.messages import Event, Task, TrainingPaused, ends_task
from hpsearch.executors.task_run import TaskRun
from hpsearch.records import TrainingKey
from hpsearch.training.device import prepare_device


class InlineExecutor:
    """One slot, in this process."""

    def __init__(self, *, device: str) -> None:
        self._device = prepare_device(device)
        self._data = DataCache(self._device)
        self._run: TaskRun | None = None
        self._events: Iterator[Event] = iter(())

    @property
    def num_slots(self) -> int:
        """One."""
        return 1

    def submit(self, task: Task) -> None:
        """Make the task the one that polls advance."""
        assert self._run is None, "one task at a time"
        self._run = TaskRun(task, self._data, device=self._device)
        self._events = self._run.events()

    def stop(self, key: TrainingKey) -> None:
        """Forget the task."""
        if self._run is not None and self._run.task.key == key:
            self._run = None

    def kill(self, key: TrainingKey) -> None:
        """Forget the task: an epoch that hangs hangs this process."""
        self.stop(key)

    def is_waiting(self, key: TrainingKey) -> bool:
        """No: a task begins with the next poll."""
        return False

    def poll(self, timeout_s: float) -> Sequence[Event]:
        """Train until something happens; the time-out does not shorten an epoch."""
        if self._run is None:
            return []
        event = next(self._events)
        if ends_task(event):
            self._run = None
        return [event]

    def pause(self, timeout_s: float) -> Sequence[Event]:
        """Checkpoint the task and stop it."""
        if self._run is None:
            return []
        run, self._run = self._run, None
        return [*run.save_checkpoint(), TrainingPaused(run.task.key)]

    def close(self) -> None:
        """Forget the task."""
        self._run = None
