"""What the search and its workers say to each other: frozen dataclasses of plain values.

An executor takes `Task`s and answers with `Event`s. `Executor` is the whole interface: `inline`
runs tasks in this process, `local` in processes of this machine; a cluster engine would be a third.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from hpsearch.records import EpochMetrics, Method, TrainingKey
from hpsearch.training.plan import Plan


@dataclass(frozen=True)
class TrainingStarted:
    """A worker has the network ready, or the checkpoint of an earlier life of the task."""

    key: TrainingKey
    method: Method
    device: str  # as PyTorch names its model: cpu, NVIDIA H200
    epoch: int  # the first that it trains now, counted from 1


@dataclass(frozen=True)
class Task:
    """One training to do."""

    key: TrainingKey
    plan: Plan
    checkpoint: Path  # continued from if it is there, written to now and then
    weights: Path | None = None  # where to leave the weights at the end, as safetensors
    plain: bool = False  # computed by PyTorch's own layers and autograd only
    alone: bool = False  # nothing else trains on its device meanwhile
    limit_s: float | None = None  # of training, epochs before an interruption included
    begun: TrainingStarted | None = None  # in an earlier life; on such a device its method is kept


@dataclass(frozen=True)
class EpochFinished:
    """An epoch is over; epochs of an earlier life of the task come again after it is continued."""

    key: TrainingKey
    metrics: EpochMetrics


@dataclass(frozen=True)
class CheckpointFailed:
    """A checkpoint could not be written, say for want of space; the training goes on."""

    key: TrainingKey
    reason: str


@dataclass(frozen=True)
class TrainingFinished:
    """The training ran to its last epoch, or stopped early by its own rule."""

    key: TrainingKey
    num_parameters: int


@dataclass(frozen=True)
class TrainingDiverged:
    """The loss is not finite."""

    key: TrainingKey
    reason: str


@dataclass(frozen=True)
class TrainingFailed:
    """The training cannot go on."""

    key: TrainingKey
    outcome: Literal["error", "infeasible", "out-of-memory", "worker-lost"]
    reason: str  # the exception in one line
    traceback: str
    alone: bool = True  # False: out of memory on a device that others had, too


@dataclass(frozen=True)
class TrainingTimedOut:
    """The training took longer than it may; only the search's side can tell, for it may hang."""

    key: TrainingKey
    reason: str


@dataclass(frozen=True)
class TrainingPaused:
    """The training left a checkpoint and stopped, as it was asked to."""

    key: TrainingKey


@dataclass(frozen=True)
class WorkerLost:
    """The worker died; the task is in nobody's hands."""

    key: TrainingKey
    reason: str


Event = (
    TrainingStarted
    | EpochFinished
    | CheckpointFailed
    | TrainingFinished
    | TrainingDiverged
    | TrainingFailed
    | TrainingTimedOut
    | TrainingPaused
    | WorkerLost
)


def ends_task(event: Event) -> bool:
    """Whether nothing more comes of the task."""
    return not isinstance(event, TrainingStarted | EpochFinished | CheckpointFailed)


@dataclass(frozen=True)
class Ready:
    """The first word of a worker process: it has imported what it needs, and takes tasks now."""


@dataclass(frozen=True)
class Unready:
    """The only word of a worker process that cannot start."""

    reason: str


Answer = Literal["continue", "stop", "pause"]


@dataclass(frozen=True)
class Command:
    """What a worker process is told beside its tasks: the answer to an epoch."""

    answer: Answer


class Executor(Protocol):
    """Runs tasks, as many at a time as it has slots."""

    @property
    def num_slots(self) -> int:
        """How many tasks run at once."""

    def submit(self, task: Task) -> None:
        """Start a task; at most `num_slots` may be under way.

        One that is to be alone starts as soon as nothing else trains on a device.
        """

    def stop(self, key: TrainingKey) -> None:
        """End a task without a checkpoint; it sends no further event."""

    def kill(self, key: TrainingKey) -> None:
        """End a task whose worker may hang; it sends no further event."""

    def is_waiting(self, key: TrainingKey) -> bool:
        """Whether a task still waits for its device, or for its worker to start."""

    def poll(self, timeout_s: float) -> Sequence[Event]:
        """What has happened since the last call; waits for something at most so long."""

    def pause(self, timeout_s: float) -> Sequence[Event]:
        """Checkpoint and stop every task; one that takes longer loses its epoch in hand."""

    def close(self) -> None:
        """End everything at once."""
