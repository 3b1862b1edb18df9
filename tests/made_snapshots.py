"""Snapshots of studies made by hand, without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial
from small_studies import epoch, small_study

from hpsearch.figures.snapshot import Snapshot
from hpsearch.home import Home
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.storage.record import Evaluation, FinishedTraining, Run, Start, TestReading

T0 = datetime(2026, 11, 21, 12)  # UTC

COMPLETE, PRUNED, RUNNING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING
UNITS = CategoricalDistribution([8, 16, 32])
RATE = FloatDistribution(1e-4, 1e-1, log=True)


def at(seconds: float) -> datetime:
    """So long after the start, UTC."""
    return T0 + timedelta(seconds=seconds)


def _local(seconds: float | None) -> datetime | None:
    """As Optuna has a trial's times."""
    if seconds is None:
        return None
    return at(seconds).replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def made_trial(
    number: int,
    state: TrialState,
    value: float | None = None,
    *,
    units: int = 8,
    rate: float | None = 0.01,
    start_s: float | None = 0,
    end_s: float | None = None,
) -> FrozenTrial:
    """One trial of a space of `dense.units` and, if it has one, `learning_rate`."""
    params: dict[str, Any] = {"dense.units": units}
    distributions: dict[str, BaseDistribution] = {"dense.units": UNITS}
    if rate is not None:
        params["learning_rate"], distributions["learning_rate"] = rate, RATE
    trial = create_trial(state=state, value=value, params=params, distributions=distributions)
    trial.number = number
    trial.datetime_start = _local(start_s)
    trial.datetime_complete = None if not state.is_finished() else _local(end_s or 1)
    return trial


def made_epochs(*accuracies: float | None) -> list[EpochMetrics]:
    """An epoch for each validation accuracy, of a tenth of a second."""
    return [epoch(number, value) for number, value in enumerate(accuracies, start=1)]


def made_snapshot(
    trials: list[FrozenTrial] | None = None,
    epochs: dict[TrainingKey, list[EpochMetrics]] | None = None,
    **fields: Any,
) -> Snapshot:
    """A study of the digits over at most 10 epochs; the complete trials are ranked by value."""
    trials = trials or []
    complete = [trial for trial in trials if trial.state == COMPLETE]
    spec = small_study(training={"epochs": 10})
    return replace(
        Snapshot(
            name="small",
            home=Home(Path("no-such-folder")),
            document=spec.document,
            trials=trials,
            ranked=sorted(complete, key=lambda trial: (-(trial.value or 0), trial.number)),
            histories=epochs or {},
            trainings={},
            starts=[],
            runs=[],
            reading=None,
            split="",
        ),
        **fields,
    )


def search(trial: int) -> TrainingKey:
    return TrainingKey("search", trial)


def made_start(trial: int, seconds: float, *, role: Any = "search", seed: int = 0) -> Start:
    key = TrainingKey(role, trial, seed)
    return Start(key, None, "fp32, contiguous, autograd", "cpu", 1, at(seconds))


def made_run(number: int, start_s: float, alive_s: float) -> Run:
    return Run(number, at(start_s), at(alive_s), {"trials": 3})


def made_training(key: TrainingKey, seconds: float) -> FinishedTraining:
    return FinishedTraining(key, {}, 0, 610, at(seconds))


def made_reading(*confusions: list[list[int]], trial: int = 0) -> TestReading:
    """A reading of the test set with one confusion matrix a seed, of classes a, b, c, ..."""
    return TestReading(1, trial, T0, tuple(_evaluation(*seed) for seed in enumerate(confusions)))


def _evaluation(seed: int, confusion: list[list[int]]) -> Evaluation:
    names = "abcdefghij"[: len(confusion)]
    classes = {}
    for i, name in enumerate(names):
        row, column = sum(confusion[i]), sum(line[i] for line in confusion)
        precision, recall = confusion[i][i] / max(column, 1), confusion[i][i] / max(row, 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        scores = {"precision": precision, "recall": recall, "f1": f1, "support": float(row)}
        classes[name] = scores
    right = sum(confusion[i][i] for i in range(len(confusion)))
    accuracy = right / sum(map(sum, confusion))
    return Evaluation(seed, accuracy, 0.5, classes, confusion, 3, 1.5, 610, "w.safetensors")
