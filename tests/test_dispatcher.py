from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from made_plans import METHOD
from small_studies import Bench, FakeExecutor, Seen, bench, epoch, small_study, trained

from hpsearch.dispatcher import MAX_DEATHS, Dispatcher
from hpsearch.errors import InterruptedRunError
from hpsearch.executors.messages import (
    CheckpointFailed,
    EpochFinished,
    Event,
    Task,
    TrainingFailed,
    TrainingFinished,
    TrainingStarted,
    TrainingTimedOut,
    WorkerLost,
)
from hpsearch.home import Home
from hpsearch.records import TrainingKey

KEY, OTHER = TrainingKey("search", 0), TrainingKey("search", 1)


@pytest.fixture
def home(any_home: Home) -> Home:
    return any_home


FULL = TrainingFailed(KEY, "out-of-memory", "MemoryError: ", "", alone=False)


@pytest.fixture
def study(home: Home) -> Iterator[Bench]:
    with bench(home, small_study()) as study:
        yield study


def drain(dispatcher: Dispatcher) -> list[Event]:
    events: list[Event] = []
    while dispatcher.num_active:
        events += dispatcher.events()
    return events


def dying(times: int) -> FakeExecutor:
    """The first trial's worker dies after its first epoch, so many times."""

    def script(task: Task) -> Sequence[Event]:
        if task.key == KEY and executor.submitted.count(KEY) <= times:
            return [EpochFinished(KEY, epoch(1)), WorkerLost(KEY, "it ended with status -9")]
        return trained(task.key, 0.5, 0.6)

    executor = FakeExecutor(script)
    return executor


def test_no_more_tasks_are_started_than_there_are_slots(study: Bench) -> None:
    executor = FakeExecutor(lambda task: [], num_slots=2)
    dispatcher = study.dispatcher(executor)
    assert dispatcher.num_free == 2
    for trial in range(3):
        dispatcher.submit(study.task(trial))
    assert executor.submitted == [KEY, OTHER]
    assert (dispatcher.num_active, dispatcher.num_free) == (3, 0)


def test_the_end_of_a_task_starts_the_next(study: Bench) -> None:
    executor = FakeExecutor(lambda task: trained(task.key, 0.5))
    dispatcher = study.dispatcher(executor)
    for trial in range(3):
        dispatcher.submit(study.task(trial))
    drain(dispatcher)
    assert [key.trial for key in executor.submitted] == [0, 1, 2]
    assert len(study.record.trainings(role="search")) == 3


def test_epochs_that_come_again_are_neither_recorded_nor_told_again(study: Bench) -> None:
    dispatcher = study.dispatcher(dying(1))
    dispatcher.submit(study.task(0))
    events = drain(dispatcher)
    told = [event.metrics.epoch for event in events if isinstance(event, EpochFinished)]
    assert told == [m.epoch for m in study.record.epochs(KEY)] == [1, 2]
    assert study.observer.epochs == [(KEY, 1), (KEY, 2)]


def test_every_start_is_recorded_with_its_method_and_its_run(study: Bench) -> None:
    run = study.record.start_run({"trials": 1})

    def script(task: Task) -> Sequence[Event]:
        first = TrainingStarted(task.key, METHOD, "cpu", executor.submitted.count(KEY))
        if len(executor.submitted) == 1:
            return [first, EpochFinished(KEY, epoch(1)), WorkerLost(KEY, "gone")]
        return [first, *trained(task.key, 0.5, 0.6)]

    executor = FakeExecutor(script)
    dispatcher = study.dispatcher(executor)
    dispatcher.submit(study.task(0))
    events = drain(dispatcher)
    assert not any(isinstance(event, TrainingStarted) for event in events)
    starts = study.record.starts(role="search")
    assert [(s.key, s.run, s.device, s.epoch) for s in starts] == [
        (KEY, run, "cpu", 1),
        (KEY, run, "cpu", 2),
    ]
    assert {s.method for s in starts} == {"fp32, contiguous, written-out"}


def test_a_training_goes_on_as_it_was_begun_after_its_worker_s_death_and_in_the_next_run(
    study: Bench,
) -> None:
    tasks: list[Task] = []
    begun = TrainingStarted(KEY, METHOD, "some GPU", 1)

    def script(task: Task) -> Sequence[Event]:
        tasks.append(task)
        return [begun, EpochFinished(KEY, epoch(1)), *([WorkerLost(KEY, "")] * (len(tasks) == 1))]

    dispatcher = study.dispatcher(FakeExecutor(script))
    dispatcher.submit(study.task(0))
    list(dispatcher.events())
    list(dispatcher.events())
    study.dispatcher(FakeExecutor(script)).submit(study.task(0), known=study.record.epochs(KEY))
    assert [task.begun for task in tasks] == [None, begun, begun]


def test_a_gap_in_the_epochs_is_our_mistake(study: Bench) -> None:
    executor = FakeExecutor(lambda task: [EpochFinished(task.key, epoch(2))])
    dispatcher = study.dispatcher(executor)
    dispatcher.submit(study.task(0))
    with pytest.raises(AssertionError, match="a gap"):
        list(dispatcher.events())


def test_a_lost_task_is_started_again_under_its_own_key(study: Bench) -> None:
    executor = dying(MAX_DEATHS - 1)
    dispatcher = study.dispatcher(executor)
    dispatcher.submit(study.task(0))
    dispatcher.submit(study.task(1))
    events = drain(dispatcher)
    assert executor.submitted == [KEY, KEY, KEY, OTHER]
    assert not any(isinstance(event, WorkerLost | TrainingFailed) for event in events)


def test_the_third_death_fails_the_task_alone(study: Bench) -> None:
    dispatcher = study.dispatcher(dying(3))
    dispatcher.submit(study.task(0))
    dispatcher.submit(study.task(1))
    events = drain(dispatcher)
    failed = [event for event in events if isinstance(event, TrainingFailed)]
    assert [(event.key, event.outcome) for event in failed] == [(KEY, "worker-lost")]
    assert "3 workers died of it; it ended with status -9" in failed[0].reason
    assert TrainingFinished(OTHER, 610) in events


class Lives(FakeExecutor):
    """The first trial's lives end as they are given, the last of them well."""

    def __init__(self, *ends: Event) -> None:
        super().__init__(self._live)
        self.alone: list[bool] = []  # of the first trial's lives
        self._ends = [*ends]

    def _live(self, task: Task) -> Sequence[Event]:
        if task.key == KEY:
            self.alone.append(task.alone)
            if self._ends:
                return [EpochFinished(KEY, epoch(1)), self._ends.pop(0)]
        return trained(task.key, 0.5, 0.6)


def failures(events: list[Event]) -> list[TrainingFailed]:
    return [event for event in events if isinstance(event, TrainingFailed)]


def test_a_task_out_of_memory_beside_others_is_tried_alone_before_all_that_wait(
    study: Bench,
) -> None:
    executor = Lives(FULL)
    dispatcher = study.dispatcher(executor)
    dispatcher.submit(study.task(0))
    dispatcher.submit(study.task(1))
    events = drain(dispatcher)
    assert executor.submitted == [KEY, KEY, OTHER]
    assert executor.alone == [False, True]
    assert failures(events) == []
    told = [e.metrics.epoch for e in events if isinstance(e, EpochFinished) and e.key == KEY]
    assert told == [m.epoch for m in study.record.epochs(KEY)] == [1, 2]


@pytest.mark.parametrize("alone", [True, False])  # False: an executor that cannot keep a device
def test_it_is_tried_alone_once(alone: bool, study: Bench) -> None:
    executor = Lives(FULL, replace(FULL, alone=alone))
    dispatcher = study.dispatcher(executor)
    dispatcher.submit(study.task(0))
    assert failures(drain(dispatcher)) == [replace(FULL, alone=alone)]
    assert executor.submitted == [KEY, KEY]


@pytest.mark.parametrize(
    "end", [replace(FULL, alone=True), TrainingFailed(KEY, "error", "", "", alone=False)]
)
def test_a_failure_that_others_had_no_part_in_is_not_tried_again(
    end: TrainingFailed, study: Bench
) -> None:
    executor = Lives(end)
    dispatcher = study.dispatcher(executor)
    dispatcher.submit(study.task(0))
    assert failures(drain(dispatcher)) == [end]
    assert executor.submitted == [KEY]


def test_a_want_of_memory_is_no_death_and_deaths_leave_a_task_alone(study: Bench) -> None:
    deaths = [WorkerLost(KEY, "it ended with status -9")] * (MAX_DEATHS - 1)
    executor = Lives(*deaths[1:], FULL, *deaths[:1])
    dispatcher = study.dispatcher(executor)
    dispatcher.submit(study.task(0))
    assert failures(drain(dispatcher)) == []
    assert executor.alone == [False, False, True, True]


class Reasons(Seen):
    """An observer that keeps why trainings were started again."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[str] = []

    def warned(self, key: TrainingKey, *, reason: str) -> None:
        self.reasons.append(reason)


def test_the_observer_hears_why_a_task_is_started_again(study: Bench) -> None:
    study.observer = observer = Reasons()
    dispatcher = study.dispatcher(Lives(WorkerLost(KEY, "it ended with status -9"), FULL))
    dispatcher.submit(study.task(0))
    drain(dispatcher)
    assert observer.reasons == [
        "it ended with status -9; it goes on from its checkpoint in another",
        "out of memory beside others; again, alone",
    ]


def test_the_observer_hears_once_that_a_trainings_checkpoints_cannot_be_written(
    study: Bench,
) -> None:
    study.observer = observer = Reasons()
    failed = CheckpointFailed(KEY, "no checkpoint: No space left on device")
    executor = FakeExecutor(lambda task: [failed, failed, *trained(task.key, 0.5, 0.6)])
    dispatcher = study.dispatcher(executor)
    for _ in range(2):
        dispatcher.submit(study.task(0), known=study.record.epochs(KEY))
        assert isinstance(drain(dispatcher)[-1], TrainingFinished)
    assert observer.reasons == [failed.reason] * 2, "once in each of its lives"


def test_nothing_more_is_heard_of_a_stopped_task(study: Bench) -> None:
    executor = FakeExecutor(lambda task: trained(task.key, 0.5, 0.6))
    dispatcher = study.dispatcher(executor)
    dispatcher.submit(study.task(0))
    for event in dispatcher.events():
        assert event == EpochFinished(KEY, epoch(1, 0.5))
        dispatcher.stop(KEY)
    assert executor.stopped == [KEY]
    assert dispatcher.num_active == 0
    assert len(study.record.epochs(KEY)) == 1


def test_an_interruption_pauses_the_tasks_and_keeps_their_last_epochs(study: Bench) -> None:
    executor = FakeExecutor(lambda task: [EpochFinished(task.key, epoch(1))])
    executor.at_pause = [EpochFinished(KEY, epoch(2))]
    dispatcher = study.dispatcher(executor)
    dispatcher.submit(study.task(0))
    study.interruption.requested = True
    with pytest.raises(InterruptedRunError):
        list(dispatcher.events())
    assert [m.epoch for m in study.record.epochs(KEY)] == [1, 2]
    assert dispatcher.num_active == 0


class Hanging(FakeExecutor):
    """The first trial never ends; the clock ticks ten seconds a poll."""

    def __init__(self, *epochs: int) -> None:
        super().__init__(self._hang)
        self.now_s = 0.0
        self._epochs = epochs

    def _hang(self, task: Task) -> Sequence[Event]:
        if task.key == KEY:
            return [EpochFinished(KEY, epoch(number)) for number in self._epochs]
        return trained(task.key, 0.5)

    def poll(self, timeout_s: float) -> Sequence[Event]:
        self.now_s += 10.0
        return super().poll(timeout_s)


def timed(study: Bench, executor: Hanging) -> Dispatcher:
    return study.dispatcher(executor, clock=lambda: executor.now_s)


def limited(study: Bench, trial: int = 0) -> Task:
    return replace(study.task(trial), limit_s=35.0)


def test_a_task_that_takes_too_long_is_ended_with_its_worker_and_the_next_one_starts(
    study: Bench,
) -> None:
    executor = Hanging(1)
    dispatcher = timed(study, executor)
    dispatcher.submit(limited(study))
    dispatcher.submit(limited(study, 1))
    events = drain(dispatcher)
    assert executor.killed == [KEY]
    assert TrainingTimedOut(KEY, "longer than 35 s") in events
    assert events[-1] == TrainingFinished(OTHER, 610)
    assert executor.now_s == 50.0  # four polls of the first, and one of the second


def test_what_a_task_has_trained_in_earlier_runs_counts(study: Bench) -> None:
    executor = Hanging()
    dispatcher = timed(study, executor)
    known = [replace(epoch(number), duration_s=10.0) for number in (1, 2)]
    dispatcher.submit(limited(study), known=known)
    drain(dispatcher)
    assert executor.now_s == 20.0


def test_waiting_for_a_device_does_not_count(study: Bench) -> None:
    executor = Hanging()
    executor.waiting = {KEY}
    dispatcher = timed(study, executor)
    dispatcher.submit(limited(study))
    for _ in range(10):
        assert list(dispatcher.events()) == []
    executor.waiting.clear()
    drain(dispatcher)
    assert executor.now_s == 100.0 + 40.0


def test_a_task_without_a_limit_may_take_any_time(study: Bench) -> None:
    executor = Hanging()
    dispatcher = timed(study, executor)
    dispatcher.submit(study.task(0))
    for _ in range(100):
        assert list(dispatcher.events()) == []
