"""What befalls a database in the middle of a search, and how the search is carried on."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from databases import DISCONNECT_OTHERS, home_of
from optuna.storages import RDBStorage
from small_studies import Seen, make_database, numbers_of, run_small, small_study, stored
from sqlalchemy import create_engine

from hpsearch import run as run_module
from hpsearch.errors import DatabaseLostError
from hpsearch.home import Home
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.storage import database as database_module
from hpsearch.storage.experimental import experimental_features

TRIALS, EPOCHS = 3, 4
SPEC = small_study(
    search={"trials": TRIALS, "sampler": "grid"},  # asks for the same after a break
    space={"learning_rate": [0.001, 0.01, 0.1], "dense.units": 8},
    training={"epochs": EPOCHS},
)


class Mishap(Seen):
    """An observer that does something once, after a few epochs."""

    def __init__(self, happen: Callable[[], None]) -> None:
        super().__init__()
        self._happen: Callable[[], None] | None = happen

    def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        super().epoch(key, metrics)
        if len(self.epochs) > EPOCHS + 1 and self._happen is not None:
            self._happen()
            self._happen = None


@dataclass
class Undisturbed:
    """What the search finds where nothing happens."""

    numbers: dict[TrainingKey, list[tuple[object, ...]]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    home = Home(tmp_path_factory.mktemp("undisturbed"))
    run_small(SPEC, home)
    with stored(home) as record:
        return Undisturbed(numbers_of(record))


def check_carried_on(home: Home, undisturbed: Undisturbed) -> None:
    """The same command ends with the trials and epochs of a search that nothing befell."""
    run_small(SPEC, home)
    with stored(home) as record:
        assert [trial.number for trial in record.study.trials] == list(range(TRIALS))
        assert numbers_of(record) == undisturbed.numbers
        for trial in record.study.trials:
            known = record.epochs(TrainingKey("search", trial.number))
            assert trial.intermediate_values == {m.epoch: m.val_accuracy for m in known}


@pytest.fixture
def checked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "_CHECK_EVERY_S", 0.0)


@pytest.mark.usefixtures("checked_often")
def test_a_deleted_database_is_written_again(home: Home, undisturbed: Undisturbed) -> None:
    def delete() -> None:
        for file in home.root.glob("hpsearch.db*"):
            file.unlink()

    with pytest.raises(DatabaseLostError, match=r"hpsearch\.db was deleted .* written again"):
        run_small(SPEC, home, observer=Mishap(delete))
    with stored(home) as record:
        assert len(record.study.trials) >= 2, "what was recorded before"
    assert [file.name for file in home.root.glob("hpsearch.db*")] == ["hpsearch.db"]
    check_carried_on(home, undisturbed)


@pytest.mark.usefixtures("checked_often")
def test_the_log_of_a_deleted_database_does_not_get_into_the_new_one(
    home: Home, undisturbed: Undisturbed
) -> None:
    with pytest.raises(DatabaseLostError, match="written again"):
        run_small(SPEC, home, observer=Mishap(make_database(home).unlink))
    check_carried_on(home, undisturbed)


@pytest.mark.usefixtures("checked_often")
def test_what_a_replaced_database_held_is_kept_beside_it(home: Home) -> None:
    database = make_database(home)

    def replace() -> None:
        database.unlink()
        database.write_bytes(b"another program's")

    with pytest.raises(DatabaseLostError, match=r"replaced .* what it held is in .*rescued-"):
        run_small(SPEC, home, observer=Mishap(replace))
    assert database.read_bytes() == b"another program's"
    (rescued,) = home.root.glob("hpsearch.db.rescued-*")
    with closing(sqlite3.connect(rescued)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM hpsearch_epochs").fetchone()
    assert count > EPOCHS


def _make_other(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE others (name)")
        connection.executemany("INSERT INTO others VALUES (?)", [("x" * 100,)] * 100)


@pytest.mark.usefixtures("checked_often")
def test_the_log_of_a_replaced_database_does_not_get_into_the_one_in_its_place(
    home: Home, tmp_path: Path
) -> None:
    database, other = make_database(home), tmp_path / "other.db"
    _make_other(other)
    content = other.read_bytes()
    with pytest.raises(DatabaseLostError, match="replaced"):
        run_small(SPEC, home, observer=Mishap(lambda: other.replace(database)))
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM others").fetchone() == (100,)
    assert database.read_bytes() == content


@pytest.mark.usefixtures("checked_often")
def test_a_database_that_is_emptied_ends_the_run_at_once(home: Home) -> None:
    database = make_database(home)
    observer = Mishap(lambda: os.truncate(database, 0))
    with pytest.raises(DatabaseLostError, match=r"what it held is in|is lost"):
        run_small(SPEC, home, observer=observer)
    assert len(observer.epochs) < TRIALS * EPOCHS


def _delete_study(home: Home) -> None:
    """As any program of Optuna's does it."""
    with experimental_features():
        storage = RDBStorage(home.database_url)
    optuna.delete_study(study_name="small", storage=storage)
    storage.remove_session()
    storage.engine.dispose()


def test_a_study_that_is_deleted_ends_the_run_with_a_line_and_begins_anew(
    any_home: Home, undisturbed: Undisturbed
) -> None:
    with pytest.raises(DatabaseLostError, match="the study was deleted while it ran; the same"):
        run_small(SPEC, any_home, observer=Mishap(lambda: _delete_study(any_home)))
    check_carried_on(any_home, undisturbed)


def test_nothing_of_a_deleted_study_gets_into_the_next(
    any_home: Home, undisturbed: Undisturbed
) -> None:
    run_small(SPEC, any_home, test=True)
    _delete_study(any_home)
    check_carried_on(any_home, undisturbed)
    with stored(any_home) as record:
        assert record.num_readings() == 0
        assert len(record.trainings(role="search")) == TRIALS
        assert len(record.runs()) == 1


def test_a_locked_database_ends_the_run_with_a_line_and_nothing_is_wrong(
    home: Home, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_BUSY_TIMEOUT_MS", 100)
    with closing(sqlite3.connect(make_database(home), isolation_level=None)) as other:

        def lock() -> None:
            other.execute("BEGIN IMMEDIATE")

        with pytest.raises(DatabaseLostError, match=r"hpsearch\.db: database is locked; nothing"):
            run_small(SPEC, home, observer=Mishap(lock))
        other.execute("ROLLBACK")
    check_carried_on(home, undisturbed)


@pytest.mark.parametrize("pages", [0, 1])
def test_a_full_disk_ends_the_run_with_a_line_and_nothing_is_wrong(
    pages: int, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: list[sqlite3.Connection] = []
    set_pragmas = database_module._set_pragmas

    def noted(connection: sqlite3.Connection, record: object) -> None:
        set_pragmas(connection, record)
        connections.append(connection)

    def fill() -> None:
        for connection in connections:
            with suppress(sqlite3.ProgrammingError):  # it is closed
                (count,) = connection.execute("PRAGMA page_count").fetchone()
                connection.execute(f"PRAGMA max_page_count = {count + pages}")

    monkeypatch.setattr(database_module, "_set_pragmas", noted)
    spec = small_study(search={"trials": TRIALS * 40}, training={"epochs": EPOCHS})
    with pytest.raises(DatabaseLostError, match=r"hpsearch\.db: database or disk is full; nothing"):
        run_small(spec, home, observer=Mishap(fill))
    with stored(home) as record:
        assert {trial.state.name for trial in record.study.trials} <= {"COMPLETE", "RUNNING"}
        trials = len(record.study.trials) + 2
    run_small(spec, home, trials=trials)
    with stored(home) as record:
        assert [trial.number for trial in record.study.trials] == list(range(trials))
        for key, epochs in numbers_of(record).items():
            assert [row[0] for row in epochs] == list(range(1, EPOCHS + 1)), key


@pytest.mark.usefixtures("checked_often")
def test_a_lost_connection_ends_the_run_with_a_line_and_nothing_is_wrong(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    with home_of("postgresql", tmp_path / "runs") as home:

        def disconnect() -> None:
            engine = create_engine(home.database_url)
            with engine.connect() as connection:
                connection.execute(DISCONNECT_OTHERS)
            engine.dispose()

        with pytest.raises(DatabaseLostError, match="nothing recorded is lost, and once that"):
            run_small(SPEC, home, observer=Mishap(disconnect))
        check_carried_on(home, undisturbed)
