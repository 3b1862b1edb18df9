"""The state of one study: counts, the best, time spent and saved, the test result."""

import shlex
import statistics
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from hpsearch.errors import MissingDatabaseError, UnknownStudyError
from hpsearch.home import Home
from hpsearch.records import EpochMetrics, Objective, TrainingKey, sample_std
from hpsearch.report.top import local_time
from hpsearch.space import Scalar
from hpsearch.spec import StudySpec, parse_study
from hpsearch.storage.database import open_database
from hpsearch.storage.lease import live_owner
from hpsearch.storage.record import (
    DOCUMENT,
    OUTCOME,
    Run,
    StudyRecord,
    TestReading,
    is_duplicate,
    rank_trials,
)


@dataclass(frozen=True)
class TrialCounts:
    """How many trials are in which state; a duplicate is in no other count."""

    complete: int
    pruned: int
    failed: int
    running: int
    waiting: int
    duplicate: int


@dataclass(frozen=True)
class BestTrial:
    """The best complete trial."""

    number: int
    value: float
    params: dict[str, Scalar]


@dataclass(frozen=True)
class TestResult:
    """The newest reading of the test set, over the winner's seeds."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    trial: int
    seeds: int
    accuracy_mean: float
    accuracy_std: float
    loss_mean: float
    loss_std: float
    test_set_readings: int
    trials_since: int  # that finished after the reading and had no part in it


@dataclass(frozen=True)
class OwnerInfo:
    """The search that holds the study now."""

    pid: int
    host: str
    since: str  # ISO 8601 with offset


@dataclass(frozen=True)
class StudyStatus:
    """What `hpsearch status` shows."""

    study: str
    dataset: str
    model: str
    objective: Objective
    target: int  # finished trials that the newest run aimed at
    trials: TrialCounts
    outcomes: dict[str, int]  # finished trials by outcome, without the duplicates
    best: BestTrial | None
    epochs_trained: int  # of the search's trials
    epochs_saved: int  # that pruning and early stopping spared the finished trials
    train_seconds: float
    seconds_saved: float  # the epochs saved, each at its trial's mean time
    wall_seconds: float  # over all runs, from start to end
    checkpoint_bytes: int  # of trainings that can be carried on
    methods: dict[str, int]  # how many trials were computed how; see records.Method
    test: TestResult | None
    owner: OwnerInfo | None
    carry_on: str  # the newest run's command, as it can be typed; empty before the first


def document_of(record: StudyRecord) -> dict[str, Any]:
    """The study file as it was stored with the study."""
    document: dict[str, Any] = record.study.user_attrs[DOCUMENT]
    return document


def stored_spec(url: str, name: str) -> StudySpec | None:
    """A stored study's file as it was when it was made; None if hpsearch has stored none so named.

    Raises:
        DatabaseError: the database cannot be read.
    """
    try:
        with closing(open_database(url, create=False)) as database:
            return parse_study(document_of(StudyRecord.of(database, name)), name=name)
    except (MissingDatabaseError, UnknownStudyError):
        return None


def study_status(record: StudyRecord, *, home: Home) -> StudyStatus:
    """Read a study's state."""
    document = document_of(record)
    objective: Objective = document["objective"]
    trials = record.study.get_trials(deepcopy=False)
    trained = [trial for trial in trials if not is_duplicate(trial)]
    states = Counter(trial.state for trial in trained)
    ranked = rank_trials(record, objective=objective)
    histories = record.all_epochs(role="search")
    ended = [
        histories[key]
        for trial in trained
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        and (key := TrainingKey("search", trial.number)) in histories
    ]
    saved = [_saved(epochs, document["training"]["epochs"]) for epochs in ended]
    runs = record.runs()
    targets = [n for run in runs if (n := run.environment["trials"]) is not None]
    owner = live_owner(record.database, record.study_id)
    return StudyStatus(
        study=record.name,
        dataset=document["dataset"],
        model=document["model"],
        objective=objective,
        target=[document["search"]["trials"], *targets][-1],
        trials=TrialCounts(
            complete=states[TrialState.COMPLETE],
            pruned=states[TrialState.PRUNED],
            failed=states[TrialState.FAIL],
            running=states[TrialState.RUNNING],
            waiting=states[TrialState.WAITING],
            duplicate=len(trials) - len(trained),
        ),
        outcomes=dict(Counter(t.user_attrs[OUTCOME] for t in trained if OUTCOME in t.user_attrs)),
        best=(
            BestTrial(ranked[0].number, ranked[0].value or 0.0, dict(ranked[0].params))
            if ranked
            else None
        ),
        epochs_trained=sum(len(epochs) for epochs in histories.values()),
        epochs_saved=sum(epochs for epochs, _ in saved),
        train_seconds=sum(m.duration_s for epochs in histories.values() for m in epochs),
        seconds_saved=sum(seconds for _, seconds in saved),
        wall_seconds=sum(_wall_s(run) for run in runs),
        checkpoint_bytes=home.checkpoint_bytes(record.name),
        methods=dict(Counter({s.key: s.method for s in record.starts(role="search")}.values())),
        test=_test_result(record, trained),
        owner=OwnerInfo(owner.pid, owner.host, local_time(owner.since)) if owner else None,
        carry_on=carry_on_command(runs[-1].environment["command"]) if runs else "",
    )


def carry_on_command(words: list[str]) -> str:
    """The command that carries a run on: its own, but begun anew."""
    return shlex.join(["hpsearch", *(word for word in words[1:] if word != "--restart")])


def _wall_s(run: Run) -> float:
    """From its start to its end by the clock, which may have been put back."""
    return max(0.0, (run.last_alive - run.started).total_seconds())


def _saved(epochs: list[EpochMetrics], at_most: int) -> tuple[int, float]:
    """Epochs that a trial was spared, and their time at the mean of those it had."""
    spared = at_most - len(epochs)
    return spared, spared * statistics.mean(metrics.duration_s for metrics in epochs)


def _test_result(record: StudyRecord, trials: list[FrozenTrial]) -> TestResult | None:
    reading = record.last_reading()
    if reading is None:
        return None
    since = [t for t in trials if t.datetime_complete and t.datetime_complete > reading.finished]
    return summarize_reading(reading, num_readings=record.num_readings(), trials_since=len(since))


def summarize_reading(
    reading: TestReading, *, num_readings: int, trials_since: int = 0
) -> TestResult:
    """Means and sample standard deviations over the seeds."""
    accuracies = [evaluation.accuracy for evaluation in reading.evaluations]
    losses = [evaluation.loss for evaluation in reading.evaluations]
    return TestResult(
        trial=reading.trial,
        seeds=len(reading.evaluations),
        accuracy_mean=statistics.mean(accuracies),
        accuracy_std=sample_std(accuracies),
        loss_mean=statistics.mean(losses),
        loss_std=sample_std(losses),
        test_set_readings=num_readings,
        trials_since=trials_since,
    )
