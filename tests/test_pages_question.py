import pytest
from made_snapshots import made_run
from small_studies import small_study

from hpsearch.pages.question import fixed_names, protocol_table, runs_table, space_table
from hpsearch.pages.table import PageTable, page_table


def texts(table: PageTable) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


SPACE = {
    "batch_size": [16, 32],
    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "dropout": {"low": 0.0, "high": 0.5, "step": 0.1},
    "optimizer": ["adam", "sgd"],
    "momentum": {"low": 0.5, "high": 0.9, "when": {"optimizer": "sgd"}},
    "dense_layers": {"low": 1, "high": 3},
    "dense.units": {"each": "dense_layers", "choices": [8, 16]},
    "activation": "relu",
    "batch_norm": [True],
}


def test_a_space_is_told_as_a_person_would() -> None:
    table = space_table(small_study(space=SPACE, training={"weight_decay": 0.1}).document)
    assert texts(table) == [
        ["batch_size", "16, 32", ""],
        ["learning_rate", "0.0001 to 0.01, logarithmic", ""],
        ["dropout", "0 to 0.5, in steps of 0.1", ""],
        ["optimizer", "adam, sgd", ""],
        ["momentum", "0.5 to 0.9", "where optimizer is sgd"],
        ["dense_layers", "1 to 3", ""],
        ["dense.units", "8, 16", "one for each of dense_layers"],
        ["activation", "relu (fixed)", ""],
        ["batch_norm", "true (fixed)", ""],
        ["weight_decay", "0.1 (fixed)", ""],
    ]


def test_what_has_one_value_is_fixed() -> None:
    assert fixed_names(small_study(space=SPACE).document) == {"activation", "batch_norm"}


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("training images", "300 of 1,437, of which 20% held out by class"),
        ("early stopping", "after 4 epochs without a better val_loss"),
        ("sampler", "random"),
        ("pruner", "patient (patience 5, min_delta 0, wrapped median (n_startup_trials 5"),
        ("finalists", "the best 1 trained again with 1 fresh seed; the best mean wins"),
    ],
)
def test_the_protocol_is_told(what: str, how: str) -> None:
    spec = small_study(
        training={"early_stopping": {"monitor": "val_loss", "patience": 4}},
        search={"pruner": {"name": "patient", "wrapped": {"name": "median"}}},
    )
    told = dict(texts(protocol_table(spec.document)))
    assert how in told[what]


def test_runs_of_any_version_are_listed() -> None:
    run = made_run(1, 0, 90)
    (row,) = texts(runs_table([run]))
    assert row[2] == "1:30 min"
    assert row[3] == "3"


def test_a_column_of_numbers_and_gaps_is_one_of_numbers() -> None:
    table = page_table(["a", "b", "c"], [[1.23456789, "", "x"], ["", True, 2]])
    assert [cell.is_number for cell in table.columns] == [True, False, False]
    assert texts(table) == [["1.23457", "", "x"], ["", "True", "2"]]
