from typing import Any

import optuna
import pytest
from small_studies import bench, new_database, rows, run_small, small_study, stored
from sqlalchemy import text

from hpsearch.errors import ChangedStudyError, StudyInUseError
from hpsearch.home import Home
from hpsearch.records import TrainingKey
from hpsearch.storage.database import Database
from hpsearch.storage.record import FINGERPRINT, SPLIT
from hpsearch.study import leased, open_study


@pytest.fixture
def home(any_home: Home) -> Home:
    return any_home


def names(home: Home) -> list[str]:
    with new_database(home) as database:
        return database.study_names()


@pytest.mark.parametrize(
    ("tables", "difference"),
    [
        ({"training": {"epochs": 3}}, "training.epochs: 2 -> 3"),
        ({"final": {"seeds": 2}}, "final.seeds: 1 -> 2"),
        ({"objective": "val_loss"}, 'objective: "val_accuracy" -> "val_loss"'),
        (
            {"space": {"learning_rate": 0.01, "dense.units": 16, "dropout": 0.5}},
            "space.dropout: (absent) -> 0.5; space.dense.units: 8 -> 16",
        ),
    ],
)
def test_a_changed_study_file_is_refused_with_the_differences_and_two_ways_on(
    tables: dict[str, Any], difference: str, home: Home
) -> None:
    run_small(small_study(), home, trials=1)
    with pytest.raises(ChangedStudyError) as refusal:
        run_small(small_study(**tables), home)
    for part in difference.split("; "):
        assert part in str(refusal.value)
    assert "--name OTHER" in str(refusal.value)
    assert "--restart" in str(refusal.value)
    with stored(home) as record:
        assert len(rows(record)) == 1
        assert len(record.runs()) == 1


def test_the_budget_and_the_description_may_change(home: Home) -> None:
    run_small(small_study(), home, trials=1)
    run_small(small_study(description="other words", search={"trials": 2}), home)
    with stored(home) as record:
        assert len(rows(record)) == 2


def test_a_study_on_another_split_is_refused(home: Home) -> None:
    with bench(home, small_study()) as study:
        study.record.study.set_user_attr(SPLIT, "0123456789abcdef")
    with pytest.raises(ChangedStudyError, match=r"other images or another split; use --name"):
        run_small(small_study(), home)


def test_a_study_of_plain_optuna_is_refused(home: Home) -> None:
    with new_database(home) as database:
        optuna.create_study(study_name="small", storage=database.storage)
    with pytest.raises(ChangedStudyError, match="not made by hpsearch"):
        run_small(small_study(), home)


def test_a_study_cut_off_while_it_was_made_is_not_called_changed(home: Home) -> None:
    with bench(home, small_study()) as study:
        del_attribute(study.record.database, FINGERPRINT)  # killed just before it was written
    run_small(small_study(), home)
    with stored(home) as record:
        assert len(rows(record)) == 3


def test_a_study_whose_fingerprint_was_computed_otherwise_is_not_called_changed(
    home: Home,
) -> None:
    with bench(home, small_study()) as study:
        study.record.study.set_user_attr(FINGERPRINT, "0123456789abcdef")  # by another hpsearch
    run_small(small_study(), home)
    with stored(home) as record:
        assert len(rows(record)) == 3


def del_attribute(database: Database, key: str) -> None:
    with database.engine.begin() as connection:
        statement = text("DELETE FROM study_user_attributes WHERE key = :key")
        connection.execute(statement, {"key": key})


def test_a_restart_keeps_the_old_study_under_a_dated_name(home: Home) -> None:
    run_small(small_study(), home, test=True)
    changed = small_study(training={"epochs": 1})
    with stored(home) as record:
        old = rows(record), record.all_epochs(role="search"), record.last_reading()
    weights = home.weights("small", TrainingKey("winner", old[2].trial if old[2] else -1))
    content = weights.read_bytes()

    run_small(changed, home, trials=1, restart=True)

    (dated,) = set(names(home)) - {"small"}
    with stored(home, dated) as record:
        assert (rows(record), record.all_epochs(role="search"), record.last_reading()) == old
        assert record.num_readings() == 1
    assert dated.startswith("small-20")
    assert (home.artifacts(dated) / weights.name).read_bytes() == content
    assert not home.artifacts("small").exists()
    with stored(home) as record:
        assert len(rows(record)) == 1
        assert [len(epochs) for epochs in record.all_epochs(role="search").values()] == [1]
        assert record.num_readings() == 0


def test_a_restart_of_a_study_that_is_not_there_starts_it(home: Home) -> None:
    run_small(small_study(), home, trials=1, restart=True)
    assert names(home) == ["small"]


def test_a_study_that_is_being_searched_cannot_be_restarted(home: Home) -> None:
    with bench(home, small_study()) as study, leased(study.record):
        with pytest.raises(StudyInUseError):
            run_small(small_study(), home, restart=True)
        assert study.record.database.study_names() == ["small"]


def test_restarts_within_one_second_keep_every_old_study(home: Home) -> None:
    with bench(home, small_study()) as study:
        database = study.record.database
        for _ in range(3):
            open_study(database, study.spec, study.training_set, home=home, restart=True)
        assert len(database.study_names()) == 4
