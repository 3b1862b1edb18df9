from collections.abc import Iterator
from dataclasses import replace

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from small_studies import epoch, new_database
from sqlalchemy.exc import IntegrityError

from hpsearch.errors import UnknownStudyError
from hpsearch.home import Home
from hpsearch.records import EpochMetrics, Objective, TrainingKey
from hpsearch.storage.database import Database, utc_now
from hpsearch.storage.record import (
    DOCUMENT,
    OUTCOME,
    Evaluation,
    FinishedTraining,
    StudyRecord,
    rank_trials,
)


@pytest.fixture
def home(any_home: Home) -> Home:
    return any_home


KEY = TrainingKey("search", 0)
RESULT = Evaluation(0, 0.5, 1.5, {"0": {"f1": 0.5}}, [[1, 2], [3, 4]], 7, 8.5, 610, "w.safetensors")


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    with new_database(home) as database:
        yield database


def new_record(database: Database, name: str = "small") -> StudyRecord:
    study = optuna.create_study(study_name=name, storage=database.storage, direction="maximize")
    return StudyRecord(database, study)


@pytest.fixture
def record(database: Database) -> StudyRecord:
    return new_record(database)


numbers = st.floats(allow_nan=False, allow_infinity=False)
metrics = st.builds(
    EpochMetrics,
    st.just(1),
    numbers,
    numbers,
    st.none() | numbers,
    st.none() | numbers,
    *[numbers] * 3,
)


@settings(max_examples=25)
@given(metrics)
def test_an_epoch_comes_back_as_it_was_to_the_last_bit(
    record: StudyRecord, written: EpochMetrics
) -> None:
    key = TrainingKey("search", len(record.all_epochs(role="search")))
    record.add_epoch(key, written)
    assert record.epochs(key) == [written]


def test_epochs_are_kept_apart_by_study_role_trial_and_seed(
    database: Database, record: StudyRecord
) -> None:
    other = new_record(database, "other")
    keys = [KEY, TrainingKey("finalist", 0), TrainingKey("search", 1), TrainingKey("search", 0, 1)]
    for number, key in enumerate(keys):
        record.add_epoch(key, epoch(1, number / 10))
    assert [record.epochs(key)[0].val_accuracy for key in keys] == [0.0, 0.1, 0.2, 0.3]
    assert set(record.all_epochs(role="search")) == {KEY, keys[2], keys[3]}
    assert other.all_epochs(role="search") == {}


def test_epochs_come_in_order(record: StudyRecord) -> None:
    for number in (2, 10, 1):
        record.add_epoch(KEY, epoch(number))
    assert [m.epoch for m in record.epochs(KEY)] == [1, 2, 10]


def test_an_epoch_is_recorded_once(record: StudyRecord) -> None:
    record.add_epoch(KEY, epoch(1))
    with pytest.raises(IntegrityError):
        record.add_epoch(KEY, epoch(1))


def test_a_training_that_ends_twice_is_recorded_as_its_last_end(record: StudyRecord) -> None:
    first = FinishedTraining(KEY, {"batch_size": 32}, 4_294_967_295, 610, utc_now())
    second = replace(first, finished=utc_now())
    record.add_training(first)
    record.add_training(second)
    assert record.trainings(role="search") == {KEY: second}
    assert record.trainings(role="winner") == {}


def test_an_opening_of_the_test_set_counts_although_it_came_to_nothing(record: StudyRecord) -> None:
    record.start_reading(3)
    assert record.num_readings() == 1
    assert record.last_reading() is None


def test_the_newest_finished_reading_is_the_result(record: StudyRecord) -> None:
    results = [RESULT, replace(RESULT, seed=1, accuracy=0.6)]
    record.finish_reading(record.start_reading(3), [RESULT])
    record.finish_reading(record.start_reading(4), results[::-1])
    record.start_reading(5)
    reading = record.last_reading()
    assert reading is not None
    assert (reading.trial, reading.evaluations) == (4, tuple(results))
    assert [(r.trial, len(r.evaluations)) for r in record.readings()] == [(3, 1), (4, 2)]
    assert record.num_readings() == 3


def test_a_reading_is_recorded_whole_or_not_at_all(record: StudyRecord) -> None:
    reading = record.start_reading(3)
    with pytest.raises(IntegrityError):
        record.finish_reading(reading, [RESULT, RESULT])  # one seed twice
    assert record.last_reading() is None
    record.finish_reading(reading, [RESULT])
    assert record.last_reading() is not None


def test_readings_of_another_study_do_not_count(database: Database, record: StudyRecord) -> None:
    new_record(database, "other").start_reading(0)
    assert record.num_readings() == 0


def test_runs_are_kept_with_their_environment(record: StudyRecord) -> None:
    first, second = record.start_run({"trials": 3}), record.start_run({"trials": 9})
    started = record.runs()[0].last_alive
    record.renew_run(first)
    runs = record.runs()
    assert [(run.id, run.environment) for run in runs] == [
        (first, {"trials": 3}),
        (second, {"trials": 9}),
    ]
    assert runs[0].last_alive > started


def test_a_study_of_plain_optuna_is_no_study_of_ours(
    database: Database, record: StudyRecord
) -> None:
    with pytest.raises(UnknownStudyError, match="'small' was not made by hpsearch"):
        StudyRecord.of(database, "small")
    record.study.set_user_attr(DOCUMENT, {})
    assert StudyRecord.of(database, "small").name == "small"


@pytest.mark.parametrize(
    ("objective", "ranked"), [("val_accuracy", [3, 0, 4, 1]), ("val_loss", [1, 0, 4, 3])]
)
def test_complete_trials_alone_are_ranked_and_of_equal_ones_the_earlier_leads(
    record: StudyRecord, objective: Objective, ranked: list[int]
) -> None:
    values = [0.5, 0.2, 0.9, 0.7, 0.5, 0.99]
    states = {2: TrialState.PRUNED}
    attributes = {5: {OUTCOME: "duplicate"}}
    for number, value in enumerate(values):
        record.study.add_trial(
            create_trial(
                state=states.get(number, TrialState.COMPLETE),
                value=value,
                params={"x": value},
                distributions={"x": FloatDistribution(0, 1)},
                user_attrs=attributes.get(number),
            )
        )
    assert [trial.number for trial in rank_trials(record, objective=objective)] == ranked
