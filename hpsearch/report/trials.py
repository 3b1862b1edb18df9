"""Every trial of a study with what became of it, as rows and CSV."""

from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from hpsearch.records import EpochMetrics, Objective, TrainingKey, best_epoch
from hpsearch.report.spreadsheet import csv_text
from hpsearch.report.top import local_time, parameter_names
from hpsearch.space import Scalar
from hpsearch.storage.record import OUTCOME, REASON, StudyRecord


@dataclass(frozen=True)
class TrialRow:
    """One trial, however it ended."""

    trial: int
    outcome: str  # see `dispatcher.TrialOutcome`; running or waiting where it has not ended
    value: float | None  # the objective at its best epoch so far
    epochs: int
    duration_s: float  # of training, without pauses
    reason: str
    params: dict[str, Scalar]
    start: str  # ISO 8601 with offset; empty where it has not begun
    end: str


_COLUMNS = ("trial", "outcome", "value", "epochs", "duration_s")


def trial_rows(record: StudyRecord, *, objective: Objective) -> list[TrialRow]:
    """All trials by number."""
    histories = record.all_epochs(role="search")
    return [
        _row(trial, histories.get(TrainingKey("search", trial.number), []), objective)
        for trial in record.study.get_trials(deepcopy=False)
    ]


def _row(trial: FrozenTrial, epochs: list[EpochMetrics], objective: Objective) -> TrialRow:
    return TrialRow(
        trial=trial.number,
        outcome=_outcome(trial),
        value=best_epoch(epochs, objective=objective).value_of(objective) if epochs else None,
        epochs=len(epochs),
        duration_s=sum(metrics.duration_s for metrics in epochs),
        reason=trial.user_attrs.get(REASON, ""),
        params=dict(trial.params),
        start=local_time(trial.datetime_start) if trial.datetime_start else "",
        end=local_time(trial.datetime_complete) if trial.datetime_complete else "",
    )


def _outcome(trial: FrozenTrial) -> str:
    state = trial.state.name.lower()
    if trial.state in (TrialState.RUNNING, TrialState.WAITING):
        return state
    outcome: str = trial.user_attrs.get(OUTCOME, state)
    return outcome


def trials_csv(rows: list[TrialRow]) -> str:
    """The rows as RFC 4180 CSV in full precision."""
    names = parameter_names(rows)
    return csv_text(
        [*_COLUMNS, *names, "start", "end", "reason"],
        [
            [getattr(row, column) for column in _COLUMNS]
            + [row.params.get(name) for name in names]
            + [row.start, row.end, row.reason]
            for row in rows
        ],
    )
