"""The top table: the best complete trials, with the columns of the write-ups, as rows and CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hpsearch.records import Objective, TrainingKey, best_epoch
from hpsearch.report.spreadsheet import csv_text
from hpsearch.space import Scalar
from hpsearch.storage.record import StudyRecord, rank_trials
from hpsearch.times import show_trial_time


@dataclass(frozen=True)
class TopRow:
    """One complete trial; losses and accuracies are those of its best epoch."""

    rank: int
    trial: int
    params: dict[str, Scalar]
    val_accuracy: float
    val_loss: float
    accuracy: float
    loss: float
    epochs: int  # that were run
    duration_s: float  # of training, without pauses
    start: str  # ISO 8601 with offset
    end: str
    val_balanced_accuracy: float | None = None  # where that is the objective


ACCURACIES = ("val_accuracy", "val_loss", "accuracy", "loss")  # of the best epoch
_MEASURES = (*ACCURACIES, "epochs", "duration_s", "start", "end")


def top_rows(record: StudyRecord, *, objective: Objective, count: int) -> list[TopRow]:
    """The best `count` complete trials."""
    histories = record.all_epochs(role="search")
    rows = []
    for rank, trial in enumerate(rank_trials(record, objective=objective)[:count], start=1):
        epochs = histories[TrainingKey("search", trial.number)]
        best = best_epoch(epochs, objective=objective)
        assert best.val_accuracy is not None
        assert best.val_loss is not None
        rows.append(
            TopRow(
                rank=rank,
                trial=trial.number,
                params=dict(trial.params),
                val_accuracy=best.val_accuracy,
                val_loss=best.val_loss,
                accuracy=best.accuracy,
                loss=best.loss,
                epochs=len(epochs),
                duration_s=sum(metrics.duration_s for metrics in epochs),
                start=show_trial_time(trial.datetime_start),
                end=show_trial_time(trial.datetime_complete),
                val_balanced_accuracy=(
                    best.val_balanced_accuracy if objective == "val_balanced_accuracy" else None
                ),
            )
        )
    return rows


def objective_measures(rows: Sequence[TopRow]) -> list[str]:
    """The columns before val_accuracy: the objective, where it has no column anyway."""
    is_balanced = any(row.val_balanced_accuracy is not None for row in rows)
    return ["val_balanced_accuracy"] if is_balanced else []


class _WithParameters(Protocol):
    @property
    def params(self) -> dict[str, Scalar]: ...


def parameter_names(rows: Sequence[_WithParameters]) -> list[str]:
    """Every parameter that any row has, in the order of first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row.params))


def top_csv(rows: list[TopRow]) -> str:
    """The rows as RFC 4180 CSV in full precision, the parameters spread out after `trial`."""
    names, measures = parameter_names(rows), [*objective_measures(rows), *_MEASURES]
    return csv_text(
        ["rank", "trial", *names, *measures],
        [
            [row.rank, row.trial]
            + [row.params.get(name) for name in names]
            + [getattr(row, measure) for measure in measures]
            for row in rows
        ],
    )
