"""A fixed set's table on a record whose test results are made by hand."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console
from small_sets import small_set
from small_studies import FakeExecutor, bench, trained

from hpsearch.executors.messages import TrainingDiverged
from hpsearch.home import Home
from hpsearch.records import TrainingKey
from hpsearch.report.configurations import (
    ConfigurationRow,
    configuration_rows,
    configurations_csv,
    print_configurations,
)
from hpsearch.storage.record import Evaluation

RESULT = Evaluation(
    seed=0,
    accuracy=0.5,
    loss=1.0,
    classes={},
    confusion=[],
    epochs=2,
    train_seconds=3.0,
    num_parameters=610,
    weights="w",
)
# trials 0, 1, 2 are the first seeds of small, wide / 16, CNN; 3, 4, 5 the second ones
RESULTS = {0: (0.90, 1.0), 1: (0.7, 0.25), 3: (0.94, 2.0)}
DIVERGING = TrainingKey("search", 5)


@pytest.fixture
def rows(home: Home) -> Iterator[dict[str, ConfigurationRow]]:
    with bench(home, small_set()) as study:
        script = FakeExecutor(
            lambda task: (
                [TrainingDiverged(task.key, "not finite")]
                if task.key == DIVERGING
                else trained(task.key, 0.8, 0.6 + task.key.trial / 100)
            )
        )
        study.search(script).run(trials=6, timeout_s=None)
        for trial, (accuracy, loss) in RESULTS.items():
            result = replace(RESULT, accuracy=accuracy, loss=loss)
            study.record.finish_reading(study.record.start_reading(trial), [result])
        yield {row.configuration: row for row in configuration_rows(study.record, study.spec)}


def test_a_row_is_mean_and_deviation_over_the_tested_seeds(
    rows: dict[str, ConfigurationRow],
) -> None:
    row = rows["small"]
    assert (row.seeds, row.seeds_wanted, row.not_tested) == (2, 2, "")
    assert row.test_accuracy == pytest.approx(0.92)
    assert row.test_accuracy_std == pytest.approx(0.02 * 2**0.5)  # with n - 1
    assert row.test_accuracy_difference == pytest.approx(0.02)  # 0.9 is published
    assert (row.test_loss, row.published_test_loss, row.test_loss_difference) == (1.5, None, None)
    assert (row.parameters, row.published_parameters) == (610, 610)
    assert (row.epochs, row.train_seconds) == (2, 3)


def test_validation_is_that_of_the_weights_that_were_tested(
    rows: dict[str, ConfigurationRow],
) -> None:
    # the last epoch's of trials 0 and 3, although the first was better
    assert rows["small"].val_accuracy == pytest.approx((0.60 + 0.63) / 2)


def test_what_is_not_tested_is_told(rows: dict[str, ConfigurationRow]) -> None:
    assert list(rows) == ["small", "wide / 16", "CNN"]
    assert (rows["wide / 16"].seeds, rows["wide / 16"].not_tested) == (1, "trial 4: complete")
    assert rows["CNN"].test_accuracy is None
    assert rows["CNN"].not_tested == "trial 2: complete, trial 5: diverged"


def test_the_csv_has_every_figure_in_full_precision(rows: dict[str, ConfigurationRow]) -> None:
    read = list(csv.DictReader(io.StringIO(configurations_csv(list(rows.values())))))
    assert [row["configuration"] for row in read] == list(rows)
    assert float(read[0]["test_accuracy_std"]) == rows["small"].test_accuracy_std
    assert read[2]["test_accuracy"] == ""


def test_the_table_shows_published_and_ours_and_no_empty_column(
    rows: dict[str, ConfigurationRow],
) -> None:
    text = io.StringIO()
    print_configurations(Console(file=text, width=300), list(rows.values()))
    header, small, wide, cnn = text.getvalue().splitlines()
    assert "published accuracy" in header
    assert "0.9200 ± 0.0283" in small
    assert "+0.0200" in small
    assert "-0.2500" in wide  # of the loss
    assert "trial 5: diverged" in cnn
    print_configurations(Console(file=text, width=300), [rows["CNN"]])
    assert "published" not in text.getvalue().splitlines()[-2]
