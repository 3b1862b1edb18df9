from collections.abc import Iterator

import optuna
import pytest
from small_studies import new_database

from hpsearch.home import Home
from hpsearch.storage.attributes import StudyAttributes
from hpsearch.storage.database import Database


@pytest.fixture
def database(any_home: Home) -> Iterator[Database]:
    with new_database(any_home) as database:
        yield database


def new_study(database: Database, name: str = "small") -> optuna.Study:
    return optuna.create_study(study_name=name, storage=database.storage)


def attributes_of(database: Database, study: optuna.Study) -> StudyAttributes:
    return StudyAttributes(database.engine, study._study_id)


def seen_by_optuna(database: Database, study: optuna.Study) -> dict[str, object]:
    return database.storage.get_study_system_attrs(study._study_id)


def test_optuna_reads_what_was_written_and_the_other_way_round(database: Database) -> None:
    study = new_study(database)
    attributes = attributes_of(database, study)
    values = {"a": "text with ' and \" and ü", "b": {"x": [1, None]}, "c": "x" * 5000}
    assert attributes.write(values) == 3
    assert seen_by_optuna(database, study) == values
    database.storage.set_study_system_attr(study._study_id, "d", 4)
    assert attributes.read() == {**values, "d": 4}


def test_only_what_is_another_is_written(database: Database) -> None:
    attributes = attributes_of(database, new_study(database))
    attributes.write({"a": 1, "b": 2})
    assert attributes.write({"a": 1, "b": 2}) == 0
    assert attributes.write({"a": 1, "b": 3}) == 1
    assert attributes.read() == {"a": 1, "b": 3}


def test_what_is_deleted_is_gone_and_what_was_not_there_does_not_matter(
    database: Database,
) -> None:
    study = new_study(database)
    attributes = attributes_of(database, study)
    attributes.write({"a": 1, "b": 2})
    assert attributes.write({"c": 3}, without=["a", "nothing"]) == 2
    assert seen_by_optuna(database, study) == {"b": 2, "c": 3}


def test_another_study_s_attributes_are_left_alone(database: Database) -> None:
    one, other = new_study(database, "one"), new_study(database, "other")
    attributes_of(database, other).write({"a": 1, "b": 2})
    attributes_of(database, one).write({"a": 3}, without=["b"])
    assert seen_by_optuna(database, one) == {"a": 3}
    assert seen_by_optuna(database, other) == {"a": 1, "b": 2}


def test_all_is_written_or_nothing(database: Database) -> None:
    study = new_study(database)
    attributes = attributes_of(database, study)
    attributes.write({"a": 1})
    with pytest.raises(TypeError):  # the second is no JSON
        attributes.write({"a": 2, "b": object()})
    assert seen_by_optuna(database, study) == {"a": 1}
