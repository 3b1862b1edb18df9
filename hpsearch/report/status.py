"""The state of one study: counts, the best, time spent and saved, the test result."""

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

from hpsearch.augmentation import augmentation_in_words
from hpsearch.commandline import carry_on_command
from hpsearch.home import Home
from hpsearch.records import EpochMetrics, Objective, TrainingKey, sample_std
from hpsearch.space import Scalar
from hpsearch.spec import AUGMENTATION, StudySpec
from hpsearch.storage.lease import live_owner
from hpsearch.storage.record import (
    DOCUMENT,
    FINISHED,
    OUTCOME,
    Run,
    StudyRecord,
    TestReading,
    is_duplicate,
    rank_trials,
)
from hpsearch.studyparser import parse_stored
from hpsearch.times import show_time, utc_of_trial


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
    accuracy_std: float | None  # None with one seed, as all deviations
    loss_mean: float
    loss_std: float | None
    test_set_readings: int
    trials_since: int  # that finished after the reading and had no part in it
    balanced_accuracy_mean: float | None = None  # None where an older hpsearch tested
    balanced_accuracy_std: float | None = None


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
    kind: Literal["search", "fixed set"]
    model: str
    objective: Objective
    target: int  # finished trials that the newest run aimed at
    trials: TrialCounts
    outcomes: dict[str, int]  # finished trials by outcome, without the duplicates
    failures: dict[str, str]  # finalists and retrainings that failed, with the reason
    best: BestTrial | None
    epochs_trained: int  # of the search's trials
    epochs_saved: int  # that pruning and early stopping spared the finished trials
    train_seconds: float
    seconds_saved: float  # the epochs saved, each at its trial's mean time
    wall_seconds: float  # over all runs, from start to end
    checkpoint_bytes: int  # of trainings that can be carried on
    methods: dict[str, int]  # how many trials were computed how; see records.Method
    test: TestResult | None  # of a search
    networks_tested: int  # of a fixed set
    owner: OwnerInfo | None
    carry_on: str  # see the function of this name
    augmentation: str = "none"  # that all trials share, in words
    published: float | None = None  # the test accuracy that a document reports of its search


def document_of(record: StudyRecord) -> dict[str, Any]:
    """The study file as it was stored with the study."""
    document: dict[str, Any] = record.study.user_attrs[DOCUMENT]
    return document


def _model_of(document: Mapping[str, Any]) -> str:
    """The model of a search; all that a fixed set has."""
    configurations = document.get("configurations", {}).values()
    models = [configuration["model"] for configuration in configurations]
    return " and ".join(dict.fromkeys(models or [document["model"]]))


def _networks_tested(record: StudyRecord) -> int:
    return len({reading.trial for reading in record.readings()})


def _trials_of(document: Mapping[str, Any]) -> int:
    """How many trials the study file asks for."""
    if "configurations" in document:
        return len(document["configurations"]) * int(document["fixed"]["seeds"])
    return int(document["search"]["trials"])


def is_fixed_set(record: StudyRecord) -> bool:
    """Whether a study has named configurations, each tested, instead of a search."""
    return "configurations" in document_of(record)


def stored_spec(record: StudyRecord) -> StudySpec:
    """The study file as it was stored, read again.

    Raises:
        StudyFileError: see `parse_stored`.
    """
    return parse_stored(document_of(record), name=record.name)


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
    search = _newest_search(runs)
    owner = live_owner(record.database, record.study_id)
    return StudyStatus(
        study=record.name,
        dataset=document["dataset"],
        kind="fixed set" if is_fixed_set(record) else "search",
        model=_model_of(document),
        objective=objective,
        target=search.environment["trials"] if search else _trials_of(document),
        trials=TrialCounts(
            complete=states[TrialState.COMPLETE],
            pruned=states[TrialState.PRUNED],
            failed=states[TrialState.FAIL],
            running=states[TrialState.RUNNING],
            waiting=states[TrialState.WAITING],
            duplicate=len(trials) - len(trained),
        ),
        outcomes=dict(Counter(t.user_attrs[OUTCOME] for t in trained if OUTCOME in t.user_attrs)),
        failures=record.failures(),
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
        test=None if is_fixed_set(record) else _test_result(record, trials),
        networks_tested=_networks_tested(record) if is_fixed_set(record) else 0,
        owner=OwnerInfo(owner.pid, owner.host, show_time(owner.since)) if owner else None,
        carry_on=_carry_on(runs, trials),
        augmentation=augmentation_in_words(document.get(AUGMENTATION, {})),
        published=(document.get("published") or {}).get("test_accuracy"),
    )


def carry_on(record: StudyRecord) -> str:
    """The newest search's command, as it can be typed; empty before the first.

    It carries on all trials that were begun, also those beyond its own.
    """
    return _carry_on(record.runs(), record.study.get_trials(deepcopy=False))


def _carry_on(runs: Sequence[Run], trials: Sequence[FrozenTrial]) -> str:
    search = _newest_search(runs)
    if search is None:
        return ""
    begun = (*FINISHED, TrialState.RUNNING)
    num_begun = sum(trial.state in begun and not is_duplicate(trial) for trial in trials)
    words: list[str] = search.environment["command"]
    if search.environment["trials"] < num_begun:
        words = [*_without_option(words, "--trials"), "--trials", str(num_begun)]
    return carry_on_command(words)


def _newest_search(runs: Sequence[Run]) -> Run | None:
    """The last run that was not for the test alone."""
    return next((run for run in reversed(runs) if run.environment["trials"] is not None), None)


def _without_option(words: list[str], name: str) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        if word == name:
            next(rest)
        elif not word.startswith(f"{name}="):
            yield word


def _wall_s(run: Run) -> float:
    """From its start to its end by the clock, which may have been put back."""
    return max(0.0, (run.last_alive - run.started).total_seconds())


def _saved(epochs: list[EpochMetrics], at_most: int) -> tuple[int, float]:
    """Epochs that a trial was spared, and their time at the mean of those it had."""
    spared = at_most - len(epochs)
    return spared, spared * statistics.mean(metrics.duration_s for metrics in epochs)


def _test_result(record: StudyRecord, trials: Sequence[FrozenTrial]) -> TestResult | None:
    reading = record.last_reading()
    if reading is None:
        return None
    since = trials_since(reading, trials)
    return summarize_reading(reading, num_readings=record.num_readings(), trials_since=since)


def trials_since(reading: TestReading, trials: Sequence[FrozenTrial]) -> int:
    """How many of a search's trials finished after a test, and had no part in it."""
    ends = [t.datetime_complete for t in trials if t.datetime_complete and not is_duplicate(t)]
    return sum(utc_of_trial(end) > reading.finished for end in ends)


def summarize_reading(
    reading: TestReading, *, num_readings: int, trials_since: int = 0
) -> TestResult:
    """Means and sample standard deviations over the seeds."""
    accuracies = [evaluation.accuracy for evaluation in reading.evaluations]
    losses = [evaluation.loss for evaluation in reading.evaluations]
    balanced = [
        evaluation.balanced_accuracy
        for evaluation in reading.evaluations
        if evaluation.balanced_accuracy is not None
    ]
    return TestResult(
        trial=reading.trial,
        seeds=len(reading.evaluations),
        accuracy_mean=statistics.mean(accuracies),
        accuracy_std=sample_std(accuracies),
        loss_mean=statistics.mean(losses),
        loss_std=sample_std(losses),
        test_set_readings=num_readings,
        trials_since=trials_since,
        balanced_accuracy_mean=statistics.mean(balanced) if balanced else None,
        balanced_accuracy_std=sample_std(balanced),
    )
