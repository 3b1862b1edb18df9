import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from small_studies import make_database, new_database, run_small, small_study, stored
from sqlalchemy import text

from hpsearch.errors import DatabaseError, UnknownStudyError
from hpsearch.home import Home
from hpsearch.records import TrainingKey
from hpsearch.storage.database import Database, open_database, sqlite_path
from hpsearch.storage.lease import live_owner
from hpsearch.storage.tables import SCHEMA_VERSION
from hpsearch.text import shown


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A database with one searched study, for reading."""
    home = Home(tmp_path_factory.mktemp("searched"))
    run_small(small_study(), home)
    return home


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    with new_database(home) as database:
        yield database


def tables_in(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_a_database_is_made_with_its_folder_on_first_use(home: Home) -> None:
    open_database(home.database_url, create=True).close()
    path = sqlite_path(home.database_url)
    assert path is not None
    assert {"studies", "trials", "hpsearch_epochs", "hpsearch_owners"} <= tables_in(path)


def test_a_reader_does_not_wait_for_the_writer(database: Database) -> None:
    with database.engine.connect() as writer, database.engine.connect() as reader:
        writer.execute(text("BEGIN IMMEDIATE"))
        writer.execute(text("UPDATE hpsearch_schema SET version = 7"))
        version = reader.execute(text("SELECT version FROM hpsearch_schema")).scalar()
        assert version == SCHEMA_VERSION


def test_a_writer_waits_for_another(database: Database, home: Home) -> None:
    path = make_database(home)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        threading.Timer(0.3, connection.execute, ["COMMIT"]).start()
        optuna.create_study(study_name="late", storage=database.storage)
    assert database.study_names() == ["late"]


@pytest.mark.parametrize("content", [b"not a database at all", b"SQLite format 2\0" + b"x" * 99])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match=r"notes\.txt is not an SQLite database"):
        open_database(f"sqlite:///{path}", create=True)
    assert path.read_bytes() == content


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(DatabaseError, match=r"damaged\.db cannot be used: .*not a database"):
        open_database(f"sqlite:///{path}", create=True)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_database_is_not_written_to(home: Home, what: str) -> None:
    path = make_database(home)
    (path if what == "file" else home.root).chmod(0o555)
    with pytest.raises(DatabaseError, match=r"hpsearch\.db is read-only; make it writable"):
        open_database(home.database_url, create=True)
    assert list(home.root.iterdir()) == [path]


def trials_in(home: Home) -> int:
    with closing(open_database(home.database_url, create=False)) as database:
        assert database.is_read_only
        study = database.load_study("small")
        assert live_owner(database, study._study_id) is None
        return len(study.trials)


def test_a_read_only_database_can_be_looked_at(searched: Home, tmp_path: Path) -> None:
    home = Home(tmp_path / "50 % of what? #1")
    home.root.mkdir()
    copy = shutil.copy(home_file(searched), home.root)
    home.root.chmod(0o555)
    assert trials_in(home) == 3
    assert list(home.root.iterdir()) == [Path(copy)]


def home_file(home: Home) -> Path:
    return home.root / "hpsearch.db"


@pytest.fixture
def being_written(searched: Home, home: Home) -> Iterator[Home]:
    """A home whose database has a trial in its log only."""
    home.root.mkdir()
    shutil.copy(home_file(searched), home.root)
    with closing(open_database(home.database_url, create=False)) as database:
        database.load_study("small").ask()
        yield home


def test_of_a_read_only_database_the_log_is_read_too(being_written: Home) -> None:
    being_written.root.chmod(0o555)
    assert trials_in(being_written) == 4


def test_a_log_that_cannot_be_read_is_told(being_written: Home, tmp_path: Path) -> None:
    copy = Home(tmp_path / "copy")
    copy.root.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{home_file(being_written)}{suffix}", copy.root)
    copy.root.chmod(0o555)
    with pytest.raises(DatabaseError, match=r"hpsearch\.db-wal has changes .*; copy both to where"):
        open_database(copy.database_url, create=False)


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_is_not_a_database(tmp_path: Path, create: bool) -> None:
    with pytest.raises(DatabaseError, match="is a folder, not a database"):
        open_database(f"sqlite:///{tmp_path}", create=create)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseError, match="cannot be made"):
        open_database(f"sqlite:///{tmp_path}/file/runs/hpsearch.db", create=True)


def test_reading_does_not_make_a_database(home: Home) -> None:
    with pytest.raises(DatabaseError, match=r"no database at .* yet; `hpsearch run` makes one"):
        open_database(home.database_url, create=False)
    assert not home.root.exists()


def test_reading_does_not_put_tables_into_a_foreign_database(tmp_path: Path) -> None:
    path = tmp_path / "addresses.db"
    execute(path, "CREATE TABLE addresses (name TEXT)")
    with pytest.raises(DatabaseError, match=r"addresses\.db"):
        open_database(f"sqlite:///{path}", create=False)
    assert tables_in(path) == {"addresses"}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE hpsearch_schema SET version = 99", r"newer hpsearch \(its schema is 99, this one"),
        ("UPDATE alembic_version SET version_num = 'v99.0.0.a'", "optuna"),
    ],
    ids=["hpsearch", "optuna"],
)
def test_a_database_of_something_newer_is_refused(home: Home, statement: str, message: str) -> None:
    path = make_database(home)
    execute(path, statement)
    with pytest.raises(DatabaseError, match=message) as refusal:
        open_database(home.database_url, create=True)
    assert "\n" not in str(refusal.value)


def test_a_database_of_the_first_schema_keeps_its_trainings(home: Home) -> None:
    """There, a training's end had its precision, and its start was not recorded."""
    path = make_database(home)
    execute(path, "DROP TABLE hpsearch_starts")
    execute(path, "ALTER TABLE hpsearch_trainings ADD COLUMN precision VARCHAR(8)")
    execute(path, "CREATE TABLE hpsearch_leases (study_id INTEGER)")
    execute(path, "UPDATE hpsearch_schema SET version = 1")
    execute(
        path,
        "INSERT INTO hpsearch_trainings (study_id, role, trial, seed, configuration, seed_value, "
        "num_parameters, finished, precision) "
        "VALUES (1, 'search', 0, 0, '{}', 7, 610, '2026-11-20 10:00:00', 'fp32')",
    )
    for _ in range(2):
        open_database(home.database_url, create=False).close()
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT seed_value FROM hpsearch_trainings").fetchall()
        (version,) = connection.execute("SELECT version FROM hpsearch_schema").fetchone()
        columns = {row[1] for row in connection.execute("PRAGMA table_info(hpsearch_trainings)")}
    assert rows == [(7,)]
    assert version == SCHEMA_VERSION
    assert "precision" not in columns
    assert "hpsearch_starts" in tables_in(path)
    assert "hpsearch_leases" not in tables_in(path), "the lock is elsewhere now"


@pytest.mark.parametrize(
    "url",
    [
        "runs.db",
        "",
        "nosuchsql://host/db",
        "sqlite+nosuch:///x.db",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql+pymysql://me:secret@host/db",
        "postgresql+nosuch://me:secret@host/db",
        "me:secret@host/db",
    ],
)
def test_a_url_that_makes_no_sense_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabaseError) as refusal:
        open_database(url, create=True)
    assert "secret" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_an_at_sign_in_a_password_is_named_and_not_repeated() -> None:
    with pytest.raises(DatabaseError, match="an @ in a password is written %40") as error:
        sqlite_path("postgresql+psycopg://u:SECR@ETPW@127.0.0.1:1/db")
    assert "SECR" not in str(error.value)
    assert "ETPW" not in str(error.value)


def test_a_server_that_does_not_answer_is_told_without_the_password() -> None:
    url = "postgresql+psycopg://me:secret@127.0.0.1:1/db"
    with pytest.raises(
        DatabaseError, match=r"me:\*\*\*@127.0.0.1:1/db cannot be used: "
    ) as refusal:
        open_database(url, create=True)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me:***@host/db"),
        ("postgresql+psycopg://me:se:c@et@host/db", "postgresql+psycopg://me:***@host/db"),
        ("--storage=postgresql://me:secret@host/db", "--storage=postgresql://me:***@host/db"),
        (
            "postgresql://host/db?user=me&password=secret&x=1",
            "postgresql://host/db?user=me&password=***&x=1",
        ),
        ("postgresql://me:se/c et@host/db is bad", "postgresql://me:***@host/db is bad"),
        ("postgresql:/me:secret@host/db", "postgresql:/me:***@host/db"),
        ("postgresql://host/db?PASSWORD=secret", "postgresql://host/db?PASSWORD=***"),
        ("http://127.0.0.1:8080/ for me@home", "http://127.0.0.1:8080/ for me@home"),
        ("sqlite:////home/me@work/runs/hpsearch.db", "sqlite:////home/me@work/runs/hpsearch.db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
    ],
)
def test_a_password_is_never_shown(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_an_unknown_study_is_answered_with_the_nearest_name(searched: Home) -> None:
    with (
        closing(open_database(searched.database_url, create=False)) as database,
        pytest.raises(UnknownStudyError, match=r"no study 'smal' in .*; did you mean small\?"),
    ):
        database.load_study("smal")


def test_a_renamed_study_keeps_its_trials(database: Database) -> None:
    study = optuna.create_study(study_name="old", storage=database.storage)
    study.tell(study.ask(), 0.5)
    database.rename_study("old", "new")
    assert database.study_names() == ["new"]
    assert [trial.value for trial in database.load_study("new").trials] == [0.5]


def test_optuna_itself_loads_the_study(searched: Home) -> None:
    study = optuna.load_study(study_name="small", storage=searched.database_url)
    assert [trial.number for trial in study.trials] == [0, 1, 2]
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    assert study.best_value == max(trial.value for trial in study.trials if trial.value)
    assert study.metric_names == ["val_accuracy"]


def test_optunas_command_line_lists_the_trials(searched: Home) -> None:
    command = "import sys; from optuna.cli import main; sys.exit(main())"
    options = ["trials", "--study-name", "small", "--storage", searched.database_url, "-f", "json"]
    listed = subprocess.run(
        [sys.executable, "-c", command, *options], capture_output=True, text=True, check=True
    )
    assert listed.stdout.count('"COMPLETE"') == 3


def test_a_database_without_balanced_accuracy_gets_it_and_keeps_its_epochs(
    searched: Home, home: Home
) -> None:
    shutil.copytree(searched.root, home.root)
    path = home.root / "hpsearch.db"
    execute(path, "ALTER TABLE hpsearch_epochs DROP COLUMN val_balanced_accuracy")
    execute(path, "ALTER TABLE hpsearch_evaluations DROP COLUMN balanced_accuracy")
    execute(path, "UPDATE hpsearch_schema SET version = 3")
    with stored(searched) as record:
        before = record.all_epochs(role="search")
    for _ in range(2):
        with stored(home) as record:
            after = record.all_epochs(role="search")
    assert after.keys() == before.keys()
    for key, epochs in after.items():
        assert [m.val_balanced_accuracy for m in epochs] == [None] * len(epochs)
        assert [m.val_accuracy for m in epochs] == [m.val_accuracy for m in before[key]]
    run_small(small_study(search={"trials": 4}), home)
    with stored(home) as record:
        newest = record.epochs(TrainingKey("search", 3))
    assert all(m.val_balanced_accuracy is not None for m in newest)


def test_an_older_database_that_cannot_be_written_says_what_to_do(
    searched: Home, home: Home
) -> None:
    shutil.copytree(searched.root, home.root)
    path = home.root / "hpsearch.db"
    execute(path, "UPDATE hpsearch_schema SET version = 3")
    path.chmod(0o444)
    with pytest.raises(DatabaseError, match="form of an older hpsearch; copy it to where"):
        open_database(home.database_url, create=False)


def test_a_database_can_be_made_by_several_at_once(any_home: Home) -> None:
    def make(number: int) -> int:
        with closing(open_database(any_home.database_url, create=True)) as database:
            optuna.create_study(storage=database.storage, study_name=f"study-{number}")
            return len(database.study_names())

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(make, range(4))) == 4
