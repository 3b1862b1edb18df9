"""Small studies on scikit-learn's digits, and how tests run them: for real, or without workers."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from databases import ServedHome

from hpsearch.data.training_set import TrainingSet, prepare_training_set
from hpsearch.dispatcher import Dispatcher, TrialOutcome
from hpsearch.executors.messages import EpochFinished, Event, Task, TrainingFinished
from hpsearch.home import Home
from hpsearch.interruption import Interruption
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.run import RunRequest, RunResult, run_study
from hpsearch.search import Search
from hpsearch.session import Session
from hpsearch.spec import StudySpec
from hpsearch.storage.database import Database, open_database
from hpsearch.storage.record import StudyRecord
from hpsearch.study import open_study, prepare_study
from hpsearch.studyparser import parse_study
from hpsearch.training.plan import Plan

RATES = {"low": 1e-3, "high": 1e-1, "log": True}


class Seen:
    """An observer that keeps what it is shown."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, int, int]] = []
        self.started_keys: list[TrainingKey] = []
        self.epochs: list[tuple[TrainingKey, int]] = []
        self.warned_keys: list[TrainingKey] = []
        self.outcomes: dict[TrainingKey, TrialOutcome] = {}
        self.remarks: list[str] = []

    def phase(
        self, title: str, *, done: int, total: int, best: tuple[int, float] | None = None
    ) -> None:
        self.phases.append((title, done, total))

    def started(self, key: TrainingKey, *, max_epochs: int) -> None:
        self.started_keys.append(key)

    def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        self.epochs.append((key, metrics.epoch))

    def warned(self, key: TrainingKey, *, reason: str) -> None:
        self.warned_keys.append(key)

    def ended(self, key: TrainingKey, *, outcome: TrialOutcome, detail: str) -> None:
        assert key not in self.outcomes, f"{key} ended twice"
        self.outcomes[key] = outcome

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def tick(self) -> None:
        pass


def small_study(name: str = "small", **tables: Any) -> StudySpec:
    """A study of a tiny MLP whose trials take milliseconds; `tables` replace or extend its own."""
    base: dict[str, Any] = {
        "dataset": "digits",
        "model": "mlp",
        "training": {"epochs": 2, "validation": 0.2, "subset": 300},
        "search": {"sampler": "random", "pruner": "none", "trials": 3},
        "space": {"learning_rate": RATES, "dense.units": 8},
        "final": {"finalists": 1, "seeds": 1},
    }
    for key, table in tables.items():
        merged = {**base[key], **table} if key in ("training", "search", "final") else table
        base[key] = merged
    return parse_study(base, name=name)


@cache
def _empty_database() -> bytes:
    with TemporaryDirectory() as folder:
        home = Home(Path(folder))
        open_database(home.database_url, create=True).close()
        return (home.root / "hpsearch.db").read_bytes()


def make_database(home: Home) -> Path:
    """An empty database where `home` has its own; copied, as Optuna takes a second to make one."""
    path = home.root / "hpsearch.db"
    if not path.exists() and not isinstance(home, ServedHome):
        home.root.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_empty_database())
    return path


@contextmanager
def new_database(home: Home) -> Iterator[Database]:
    """An empty database, open."""
    make_database(home)
    with closing(open_database(home.database_url, create=False)) as database:
        yield database


def run_small(
    spec: StudySpec, home: Home, *, observer: Seen | None = None, **request: Any
) -> RunResult:
    """Run a study to the file's number of trials in this process, without testing the winner."""
    make_database(home)
    settings = {
        "data_dir": home.root,
        "trials": spec.search.trials,
        "workers": 0,
        "test": False,
        **request,
    }
    return run_study(
        RunRequest(spec=spec, home=home, storage=home.database_url, **settings),
        observer=observer or Seen(),
    )


@contextmanager
def stored(home: Home, name: str = "small") -> Iterator[StudyRecord]:
    """The record of a study, as the database holds it."""
    with closing(open_database(home.database_url, create=False)) as database:
        yield StudyRecord.of(database, name)


def rows(record: StudyRecord) -> list[tuple[int, str, dict[str, Any]]]:
    """Number, state and parameters of every trial, in order."""
    trials = record.study.get_trials(deepcopy=False)
    return [(trial.number, trial.state.name, trial.params) for trial in trials]


def numbers_of(record: StudyRecord) -> dict[TrainingKey, list[tuple[object, ...]]]:
    """Every search epoch's figures but the two that depend on the clock."""
    return {
        key: [
            (m.epoch, m.loss, m.accuracy, m.val_loss, m.val_accuracy, m.learning_rate)
            for m in epochs
        ]
        for key, epochs in record.all_epochs(role="search").items()
    }


class FakeExecutor:
    """An executor without workers: `script` says what happens to each submitted task."""

    def __init__(self, script: Callable[[Task], Sequence[Event]], *, num_slots: int = 1) -> None:
        self.num_slots = num_slots
        self.submitted: list[TrainingKey] = []
        self.stopped: list[TrainingKey] = []
        self.killed: list[TrainingKey] = []
        self.waiting: set[TrainingKey] = set()
        self.at_pause: list[Event] = []  # what workers still say when they are paused
        self._script = script
        self._events: list[Event] = []

    def submit(self, task: Task) -> None:
        self.submitted.append(task.key)
        self._events += self._script(task)

    def stop(self, key: TrainingKey) -> None:
        self.stopped.append(key)  # events on their way come all the same, as from a real worker

    def kill(self, key: TrainingKey) -> None:
        self.killed.append(key)
        self._events = [event for event in self._events if event.key != key]

    def is_waiting(self, key: TrainingKey) -> bool:
        return key in self.waiting

    def poll(self, timeout_s: float) -> Sequence[Event]:
        events, self._events = self._events, []
        return events

    def pause(self, timeout_s: float) -> Sequence[Event]:
        return self.at_pause

    def close(self) -> None:
        pass


def epoch(number: int, val_accuracy: float | None = 0.5) -> EpochMetrics:
    """An epoch with this validation accuracy; its validation loss is 1 minus that."""
    val_loss = None if val_accuracy is None else 1 - val_accuracy
    return EpochMetrics(number, 0.5, 0.5, val_loss, val_accuracy, 0.001, 0.1, 1000.0)


def trained(key: TrainingKey, *accuracies: float) -> list[Event]:
    """The events of a training with these validation accuracies that ran to its end."""
    epochs = [EpochFinished(key, epoch(n, value)) for n, value in enumerate(accuracies, start=1)]
    return [*epochs, TrainingFinished(key, 610)]


@dataclass
class Bench:
    """A study opened for a fake executor."""

    record: StudyRecord
    training_set: TrainingSet
    home: Home
    spec: StudySpec
    interruption: Interruption = field(default_factory=Interruption)
    observer: Seen = field(default_factory=Seen)

    def dispatcher(
        self, executor: FakeExecutor, *, clock: Callable[[], float] = time.monotonic
    ) -> Dispatcher:
        return Dispatcher(
            executor,
            self.record,
            observer=self.observer,
            interruption=self.interruption,
            keep_alive=lambda: None,
            clock=clock,
        )

    def session(self, executor: FakeExecutor) -> Session:
        return Session(
            self.spec,
            self.record,
            self.dispatcher(executor),
            self.training_set,
            self.home,
            self.observer,
        )

    def search(self, executor: FakeExecutor) -> Search:
        return Search(self.session(executor))

    def task(self, trial: int) -> Task:
        key = TrainingKey("search", trial)
        plan = Plan(
            configuration=self.spec.configuration({"learning_rate": 0.01, "dense.units": 8}),
            training_set=self.training_set,
            seed=trial,
            epochs=self.spec.training.epochs,
            stop_after=self.spec.training.epochs,
            objective=self.spec.objective,
            early_stopping=None,
            precision="fp32",
            train_on="train",
        )
        return Task(key, plan, self.home.checkpoint(self.spec.name, key))


@contextmanager
def bench(home: Home, spec: StudySpec) -> Iterator[Bench]:
    """A new study, or one to carry on, with everything that a search needs but workers."""
    training_set = prepare_training_set(
        spec.dataset, spec.training, data_dir=home.root, cache=home.cache
    )
    with new_database(home) as database:
        open_study(database, spec, training_set, home=home, restart=False)
        study = prepare_study(database, spec, training_set)
        yield Bench(StudyRecord(database, study), training_set, home, spec)
