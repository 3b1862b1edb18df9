"""The stored test result of a study, for people and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from hpsearch.report.configurations import (
    configuration_rows,
    configurations_csv,
    print_configurations,
)
from hpsearch.report.spreadsheet import csv_text
from hpsearch.report.status import document_of, is_fixed_set, stored_spec, summarize_reading
from hpsearch.report.terminal import print_table, test_line
from hpsearch.storage.record import Evaluation, StudyRecord
from hpsearch.times import show_time

_SEED_COLUMNS = (
    "seed",
    "accuracy",
    "balanced_accuracy",
    "loss",
    "epochs",
    "train_seconds",
    "num_parameters",
    "weights",
)


def test_as_json(record: StudyRecord) -> dict[str, Any] | list[dict[str, Any]]:
    """Of a search, the newest reading; of a fixed set, its table.

    A reading is its summary, and every seed's result with per-class scores and confusion matrix.
    """
    if is_fixed_set(record):
        return [asdict(row) for row in configuration_rows(record, stored_spec(record))]
    reading, num_readings = record.last_reading(), record.num_readings()
    assert reading is not None
    return {
        **asdict(summarize_reading(reading, num_readings=num_readings)),
        "finished": show_time(reading.finished),
        "evaluations": [asdict(evaluation) for evaluation in reading.evaluations],
    }


def test_csv(record: StudyRecord) -> str:
    """Of a search a row for each seed of the newest reading; of a fixed set its table."""
    if is_fixed_set(record):
        return configurations_csv(configuration_rows(record, stored_spec(record)))
    reading = record.last_reading()
    assert reading is not None
    return csv_text(
        _SEED_COLUMNS,
        [[getattr(result, name) for name in _SEED_COLUMNS] for result in reading.evaluations],
    )


def print_test(console: Console, record: StudyRecord) -> None:
    """The newest reading of a search, or a fixed set's table."""
    if is_fixed_set(record):
        print_configurations(console, configuration_rows(record, stored_spec(record)))
        return
    reading = record.last_reading()
    assert reading is not None
    summary = summarize_reading(reading, num_readings=record.num_readings())
    objective = document_of(record)["objective"]
    console.print(test_line(summary, objective=objective), soft_wrap=True)
    print_scores(console, reading.evaluations)


def print_scores(console: Console, evaluations: Sequence[Evaluation]) -> None:
    """The seeds, the classes' mean scores and the confusion matrix over all seeds."""
    print_table(
        console,
        [
            "seed",
            "accuracy",
            "balanced",
            "loss",
            "epochs",
            "train seconds",
            "parameters",
            "weights",
        ],
        [
            [
                e.seed,
                e.accuracy,
                "" if e.balanced_accuracy is None else e.balanced_accuracy,
                e.loss,
                e.epochs,
                round(e.train_seconds, 1),
                e.num_parameters,
                e.weights,
            ]
            for e in evaluations
        ],
    )
    names = list(evaluations[0].classes)
    console.print("\nper class, mean over seeds:")
    fields = ("precision", "recall", "f1")
    print_table(
        console,
        ["class", *fields],
        [[name, *(_mean(evaluations, name, field) for field in fields)] for name in names],
    )
    console.print("\nconfusion, summed over seeds (rows: true class, columns: predicted):")
    confusion = _summed(evaluations)
    columns = ["", *(str(number) for number in range(len(names)))]
    rows = [[f"{i} {name}", *confusion[i]] for i, name in enumerate(names)]
    print_table(console, columns, rows)


def _mean(evaluations: Sequence[Evaluation], name: str, field: str) -> float:
    values = [evaluation.classes[name][field] for evaluation in evaluations]
    return round(sum(values) / len(values), 4)


def _summed(evaluations: Sequence[Evaluation]) -> list[list[int]]:
    matrices = [evaluation.confusion for evaluation in evaluations]
    return [
        [sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)
    ]
