"""What a study's figures are drawn from, read once, so that they agree while it is searched."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import optuna
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hpsearch.catalogue import dataset_of
from hpsearch.home import Home
from hpsearch.records import EpochMetrics, Objective, TrainingKey, best_epoch, is_maximized
from hpsearch.report.status import document_of, is_fixed_set
from hpsearch.spec import StudySpec
from hpsearch.storage.record import (
    SPLIT,
    FinishedTraining,
    Run,
    Start,
    StudyRecord,
    TestReading,
    is_duplicate,
    rank_trials,
)
from hpsearch.studyparser import parse_stored

Histories = dict[TrainingKey, list[EpochMetrics]]


@dataclass(frozen=True)
class Snapshot:
    """One study at one moment; trials are without those that only repeated a configuration."""

    name: str
    home: Home
    document: dict[str, Any]  # the study file
    trials: list[FrozenTrial]  # by number
    ranked: list[FrozenTrial]  # the complete ones, best first
    histories: Histories  # of every training in every role
    trainings: dict[TrainingKey, FinishedTraining]  # those that ran to their end
    starts: list[Start]
    runs: list[Run]
    reading: TestReading | None  # the newest of a search's winner, or of one configuration
    split: str  # the fingerprint of its images and their split

    @property
    def objective(self) -> Objective:
        """What was searched by."""
        objective: Objective = self.document["objective"]
        return objective

    @property
    def sign(self) -> int:
        """1 where more of the objective is better, else -1."""
        return 1 if is_maximized(self.objective) else -1

    @property
    def max_epochs(self) -> int:
        """That a trial trains for at most."""
        epochs: int = self.document["training"]["epochs"]
        return epochs

    @property
    def class_names(self) -> tuple[str, ...]:
        """In label order."""
        return dataset_of(self.document).class_names

    @cached_property
    def spec(self) -> StudySpec:
        """The study file, read again; under no name, as any program may have given it one."""
        return parse_stored(self.document, name="unnamed")

    @cached_property
    def idle(self) -> frozenset[str]:
        """The searched parameters that mattered to no complete trial, as units of no layer."""
        names = dict.fromkeys(name for trial in self.ranked for name in trial.params)
        return frozenset(
            name
            for name in names
            if not any(self.spec.matters(name, trial.params) for trial in self.ranked)
        )

    def epochs(self, trial: int) -> list[EpochMetrics]:
        """Of a trial of the search."""
        return self.histories.get(TrainingKey("search", trial), [])

    def of_role(self, role: str, trial: int | None) -> Histories:
        """The epochs of a trial's trainings in a role, by seed."""
        keys = sorted(k for k in self.histories if k.role == role and k.trial == trial)
        return {key: self.histories[key] for key in keys}

    @property
    def winner(self) -> int | None:
        """The trial that was tested, or chosen to be, or else is best so far."""
        if self.reading is not None:
            return self.reading.trial
        chosen = [key.trial for key in self.trainings if key.role == "winner"]
        if chosen:
            return chosen[-1]
        return self.ranked[0].number if self.ranked else None

    @property
    def is_chosen(self) -> bool:
        """Whether the winner is one, and not only best so far."""
        return self.reading is not None or any(key.role == "winner" for key in self.trainings)

    def finalist_values(self, trial: int | None) -> list[float]:
        """The objective at the best epoch of each of a trial's trainings with fresh seeds."""
        return [
            best_epoch(epochs, objective=self.objective).value_of(self.objective)
            for key, epochs in self.of_role("finalist", trial).items()
            if key in self.trainings
        ]


def read_snapshot(record: StudyRecord, *, home: Home) -> Snapshot:
    """Read all that the figures need; nothing is written."""
    document = document_of(record)
    histories: Histories = {}
    trainings: dict[TrainingKey, FinishedTraining] = {}
    starts: list[Start] = []
    for role in ("search", "finalist", "winner"):
        histories |= record.all_epochs(role=role)
        trainings |= record.trainings(role=role)
        starts += record.starts(role=role)
    return Snapshot(
        name=record.name,
        home=home,
        document=document,
        trials=[t for t in record.study.get_trials(deepcopy=False) if not is_duplicate(t)],
        ranked=rank_trials(record, objective=document["objective"]),
        histories=histories,
        trainings=trainings,
        starts=starts,
        runs=record.runs(),
        reading=None if is_fixed_set(record) else record.last_reading(),
        split=record.study.user_attrs.get(SPLIT, ""),
    )


def view_of(snapshot: Snapshot, readings: Sequence[TestReading]) -> Snapshot:
    """A fixed set as seen by one configuration: the readings of its networks as one."""
    if not readings:
        return replace(snapshot, reading=None)
    evaluations = tuple(result for reading in readings for result in reading.evaluations)
    return replace(snapshot, reading=replace(readings[-1], evaluations=evaluations))


def as_optuna_study(snapshot: Snapshot, trials: Sequence[FrozenTrial]) -> optuna.Study:
    """Some of the trials as a study in memory, for Optuna's own figures."""
    storage = InMemoryStorage()
    better = StudyDirection.MAXIMIZE if snapshot.sign > 0 else StudyDirection.MINIMIZE
    study_id = storage.create_new_study([better], "figures")
    for trial in trials:
        storage.create_new_trial(study_id, template_trial=trial)
    return optuna.load_study(study_name="figures", storage=storage)


def varied(trials: Sequence[FrozenTrial]) -> list[str]:
    """The parameters that have more than one value, or are not in all of the trials."""
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    missing = object()
    return [n for n in names if len({trial.params.get(n, missing) for trial in trials}) > 1]


def outcome(trial: FrozenTrial) -> str:
    """Complete, pruned, failed, running, waiting: the colour that a trial has."""
    words = {TrialState.FAIL: "failed"}
    return words.get(trial.state, trial.state.name.lower())
