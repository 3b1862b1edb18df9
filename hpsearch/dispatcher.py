"""Keeps an executor's slots filled and records what comes back: shared by `search` and `evaluate`.

Every epoch goes into the database once, also when a task is continued from a checkpoint and sends
its earlier epochs again. A task whose worker dies goes to another worker, at most three times.
One that runs out of memory beside others is tried once more, alone on its device. One that takes
longer than it may is ended, also when its worker hangs.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, Protocol

from hpsearch.durations import show_duration
from hpsearch.errors import InterruptedRunError
from hpsearch.executors.messages import (
    CheckpointFailed,
    EpochFinished,
    Event,
    Executor,
    Task,
    TrainingFailed,
    TrainingFinished,
    TrainingStarted,
    TrainingTimedOut,
    WorkerLost,
)
from hpsearch.interruption import Interruption
from hpsearch.records import EpochMetrics, Method, TrainingKey
from hpsearch.storage.database import utc_now
from hpsearch.storage.record import FinishedTraining, StudyRecord

MAX_DEATHS = 3
_POLL_S = 0.5
_PAUSE_S = 10.0

TrialOutcome = Literal[
    "complete",
    "pruned",
    "diverged",
    "infeasible",
    "error",
    "out-of-memory",
    "worker-lost",
    "timeout",
    "duplicate",
]


class Observer(Protocol):
    """Whoever wants to see a run: the terminal's live view, a plain log, a test."""

    def phase(
        self, title: str, *, done: int, total: int, best: tuple[int, float] | None = None
    ) -> None:
        """A phase begins: the search, the finalists, the retraining.

        `best` is the number and value of the best trial so far.
        """

    def started(self, key: TrainingKey, *, max_epochs: int) -> None:
        """A training was given to a worker."""

    def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        """A training finished an epoch."""

    def warned(self, key: TrainingKey, *, reason: str) -> None:
        """Something is wrong, but the training goes on, or is given to a worker again."""

    def remark(self, text: str) -> None:
        """Something about the whole run that its user should know; it goes on."""

    def ended(self, key: TrainingKey, *, outcome: TrialOutcome, detail: str) -> None:
        """A training ended; `detail` is its value or the reason, for people."""

    def tick(self) -> None:
        """Time has passed."""


class Dispatcher:
    """Tasks in, recorded events out."""

    def __init__(
        self,
        executor: Executor,
        record: StudyRecord,
        *,
        observer: Observer,
        interruption: Interruption,
        keep_alive: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executor = executor
        self._record = record
        self._observer = observer
        self._interruption = interruption
        self._keep_alive = keep_alive
        self._waiting: deque[Task] = deque()
        self._running: dict[TrainingKey, Task] = {}
        self._num_epochs: dict[TrainingKey, int] = {}  # recorded so far
        self._spent_s: dict[TrainingKey, float] = {}  # on epochs of earlier runs
        self._deaths: Counter[TrainingKey] = Counter()
        self._unsaved: set[TrainingKey] = set()  # whose checkpoints cannot be written
        self._begun: dict[TrainingKey, float] = {}  # by the clock, had it trained without a break
        self._clock = clock

    @property
    def num_active(self) -> int:
        """Tasks submitted and not yet ended."""
        return len(self._waiting) + len(self._running)

    @property
    def num_free(self) -> int:
        """Tasks that could start at once."""
        return max(0, self._executor.num_slots - self.num_active)

    def submit(self, task: Task, *, known: Sequence[EpochMetrics] = ()) -> None:
        """Start the task as soon as a slot is free; `known` epochs of it are recorded already."""
        self._num_epochs[task.key] = len(known)
        self._spent_s[task.key] = sum(metrics.duration_s for metrics in known)
        self._waiting.append(replace(task, begun=self._begun_as(task.key)) if known else task)
        self._fill()

    def stop(self, key: TrainingKey) -> None:
        """End a task; nothing more is heard of it."""
        self._executor.stop(key)
        self._forget(key)

    def events(self) -> Iterator[Event]:
        """What has happened since, recorded; waits a moment for something to.

        A task that lost its worker, or its memory to others, is started again and not mentioned,
        until it is a `TrainingFailed`.

        Raises:
            InterruptedRunError: a signal came; every task has been checkpointed.
        """
        self._fill()
        for event in self._executor.poll(_POLL_S):
            if event.key in self._running:  # else it was stopped while this event was on its way
                yield from self._handle(event)
        yield from self._overdue()
        self._keep_alive()
        self._observer.tick()
        if self._interruption.requested:
            self.pause()
            raise InterruptedRunError("interrupted")

    def pause(self) -> None:
        """Checkpoint and stop every task; what they still report is recorded."""
        self._waiting.clear()
        for event in self._executor.pause(_PAUSE_S):
            if isinstance(event, EpochFinished):
                self._record_epoch(event)
        self._running.clear()
        self._begun.clear()

    def _handle(self, event: Event) -> Iterator[Event]:
        match event:
            case TrainingStarted():
                self._running[event.key] = replace(self._running[event.key], begun=event)
                self._record.add_start(
                    event.key, method=str(event.method), device=event.device, epoch=event.epoch
                )
            case EpochFinished():
                if self._record_epoch(event):
                    self._observer.epoch(event.key, event.metrics)
                    yield event
            case CheckpointFailed():
                self._warn_once(event)
            case WorkerLost():
                yield from self._lost(event)
            case TrainingFailed() if self._may_fit_alone(event):
                self._retry_alone(event)
            case TrainingFinished():
                self._record_finish(event)
                self._forget(event.key)
                yield event
            case _:
                self._forget(event.key)
                yield event

    def _begun_as(self, key: TrainingKey) -> TrainingStarted | None:
        """How the training was begun, or last continued, in an earlier run."""
        start = self._record.last_start(key)
        if start is None:
            return None
        return TrainingStarted(key, Method.parse(start.method), start.device, start.epoch)

    def _warn_once(self, event: CheckpointFailed) -> None:
        """Tell of a training's first missing checkpoint; the next ones miss, too."""
        if event.key not in self._unsaved:
            self._unsaved.add(event.key)
            self._observer.warned(event.key, reason=event.reason)

    def _record_epoch(self, event: EpochFinished) -> bool:
        """Record an epoch; False if it is recorded already."""
        if event.metrics.epoch <= self._num_epochs[event.key]:
            return False
        assert event.metrics.epoch == self._num_epochs[event.key] + 1, "a gap in the epochs"
        self._record.add_epoch(event.key, event.metrics)
        self._num_epochs[event.key] += 1
        return True

    def _record_finish(self, event: TrainingFinished) -> None:
        plan = self._running[event.key].plan
        self._record.add_training(
            FinishedTraining(
                key=event.key,
                configuration=plan.configuration.model_dump(mode="json"),
                seed_value=plan.seed,
                num_parameters=event.num_parameters,
                finished=utc_now(),
            )
        )

    def _lost(self, event: WorkerLost) -> Iterator[Event]:
        task = self._running.pop(event.key)
        self._deaths[event.key] += 1
        if self._deaths[event.key] < MAX_DEATHS:
            reason = f"{event.reason}; it goes on from its checkpoint in another"
            self._start_again(task, reason=reason)
            return
        reason = f"{MAX_DEATHS} workers died of it; {event.reason}"
        yield TrainingFailed(event.key, "worker-lost", reason, traceback="")

    def _overdue(self) -> Iterator[Event]:
        """End the tasks that have taken longer than they may."""
        now = self._clock()
        for key, task in list(self._running.items()):
            if self._executor.is_waiting(key):
                self._begun[key] = now - self._spent_s[key]
            if task.limit_s is not None and now - self._begun[key] > task.limit_s:
                self._executor.kill(key)
                self._forget(key)
                yield TrainingTimedOut(key, f"longer than {show_duration(task.limit_s)}")

    def _may_fit_alone(self, event: TrainingFailed) -> bool:
        was_alone = event.alone or self._running[event.key].alone
        return event.outcome == "out-of-memory" and not was_alone

    def _retry_alone(self, event: TrainingFailed) -> None:
        task = replace(self._running.pop(event.key), alone=True)
        self._start_again(task, reason="out of memory beside others; again, alone")

    def _start_again(self, task: Task, *, reason: str) -> None:
        """Start a task before all that wait."""
        self._observer.warned(task.key, reason=reason)
        self._waiting.appendleft(task)
        self._fill()

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._executor.num_slots:
            task = self._waiting.popleft()
            self._running[task.key] = task
            self._begun.setdefault(task.key, self._clock() - self._spent_s[task.key])
            self._executor.submit(task)
            self._observer.started(task.key, max_epochs=task.plan.stop_after)

    def _forget(self, key: TrainingKey) -> None:
        del self._running[key], self._begun[key]
        self._deaths.pop(key, None)
        self._unsaved.discard(key)
