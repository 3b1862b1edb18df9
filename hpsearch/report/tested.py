"""The stored result of a reading of the test set, for people and as JSON."""

from dataclasses import asdict
from typing import Any

from rich.console import Console

from hpsearch.report.status import summarize_reading
from hpsearch.report.terminal import print_table, test_line
from hpsearch.storage.record import TestReading
from hpsearch.times import show_time


def reading_as_json(reading: TestReading, *, num_readings: int) -> dict[str, Any]:
    """The summary, and every seed's result with its per-class scores and confusion matrix."""
    return {
        **asdict(summarize_reading(reading, num_readings=num_readings)),
        "finished": show_time(reading.finished),
        "evaluations": [asdict(evaluation) for evaluation in reading.evaluations],
    }


def print_test_result(console: Console, reading: TestReading, *, num_readings: int) -> None:
    """The summary, the seeds, the classes' mean scores and the confusion matrix over all seeds."""
    console.print(test_line(summarize_reading(reading, num_readings=num_readings)), soft_wrap=True)
    print_table(
        console,
        ["seed", "accuracy", "loss", "epochs", "train seconds", "parameters", "weights"],
        [
            [
                e.seed,
                e.accuracy,
                e.loss,
                e.epochs,
                round(e.train_seconds, 1),
                e.num_parameters,
                e.weights,
            ]
            for e in reading.evaluations
        ],
    )
    names = list(reading.evaluations[0].classes)
    console.print("\nper class, mean over seeds:")
    fields = ("precision", "recall", "f1")
    print_table(
        console,
        ["class", *fields],
        [[name, *(_mean(reading, name, field) for field in fields)] for name in names],
    )
    console.print("\nconfusion, summed over seeds (rows: true class, columns: predicted):")
    confusion = _summed(reading)
    columns = ["", *(str(number) for number in range(len(names)))]
    rows = [[f"{i} {name}", *confusion[i]] for i, name in enumerate(names)]
    print_table(console, columns, rows)


def _mean(reading: TestReading, name: str, field: str) -> float:
    values = [evaluation.classes[name][field] for evaluation in reading.evaluations]
    return round(sum(values) / len(values), 4)


def _summed(reading: TestReading) -> list[list[int]]:
    matrices = [evaluation.confusion for evaluation in reading.evaluations]
    return [
        [sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)
    ]
