"""Opening a study database: Optuna's storage and our tables over one SQLAlchemy engine.

    database = open_database("sqlite:///runs/hpsearch.db", create=True)
    study = database.load_study("cnn-fashion")

SQLite runs in WAL mode, so that readers never wait for the one writer, with a busy timeout for
programs that lock the file. Where this user may not write, a file can be looked at all the same.
PostgreSQL serves where several machines share a database.
"""

import os
import sqlite3
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.exc import DatabaseError as SqlDatabaseError

from hpsearch.errors import DatabaseError, MissingDatabaseError, UnknownStudyError
from hpsearch.storage import tables
from hpsearch.storage.experimental import experimental_features
from hpsearch.storage.making import one_at_a_time
from hpsearch.storage.writethrough import WriteThroughStorage
from hpsearch.text import one_line, shown

_BUSY_TIMEOUT_MS = 60_000
_OPTUNA_TABLES = {"studies", "trials", "version_info"}  # some of them
_URLS = "write sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE"
_OTHERWISE = "make it writable, or choose another --storage"


def utc_now() -> datetime:
    """The time as the database stores it: UTC without offset."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Database:
    """An open study database."""

    url: str
    storage: RDBStorage
    file: tuple[int, int] | None  # an SQLite database's own, whatever is at its path later
    is_read_only: bool

    @property
    def engine(self) -> Engine:
        """The engine that Optuna and our tables share."""
        engine: Engine = self.storage.engine
        return engine

    def study_names(self) -> list[str]:
        """Every study, oldest first."""
        return [study.study_name for study in self.storage.get_all_studies()]

    def load_study(self, name: str) -> optuna.Study:
        """A stored study as Optuna opens it.

        Raises:
            UnknownStudyError: there is none of that name.
        """
        from difflib import get_close_matches

        names = self.study_names()
        if name not in names:
            near = get_close_matches(name, names, n=3, cutoff=0.4)
            hint = f"did you mean {' or '.join(near)}?" if near else "`hpsearch run` starts one"
            raise UnknownStudyError(f"no study {name!r} in {shown(self.url)}; {hint}")
        return optuna.load_study(study_name=name, storage=self.storage)

    def study_in_memory(self, name: str) -> optuna.Study:
        """A stored study whose trials are read once: for a look at it, and for its one owner."""
        study_id = self.storage.get_study_id_from_name(name)
        return optuna.load_study(
            study_name=name, storage=WriteThroughStorage(self.storage, study_id)
        )

    def rename_study(self, old: str, new: str) -> None:
        """Give a study another name; Optuna has no call for it."""
        statement = text("UPDATE studies SET study_name = :new WHERE study_name = :old")
        with self.engine.begin() as connection:
            connection.execute(statement, {"new": new, "old": old})

    def check_writable(self) -> None:
        """See that the database can be written.

        Raises:
            DatabaseError: it cannot.
        """
        if self.is_read_only:
            raise DatabaseError(f"{sqlite_path(self.url)} is read-only; {_OTHERWISE}")

    def is_in_place(self) -> bool:
        """Whether the file that was opened is still where it was; PostgreSQL's always are."""
        path = sqlite_path(self.url)
        return path is None or file_identity(path) == self.file

    def close(self) -> None:
        """Close every connection."""
        self.storage.remove_session()
        self.engine.dispose()


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL.

    Raises:
        DatabaseError: that is no URL of either.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # of a port, say
        raise DatabaseError(f"--storage {shown(url)!r} is not a database URL; {_URLS}") from None
    backend = parsed.get_backend_name()
    if parsed.host and "@" in parsed.host:  # the end of a password, which a driver would repeat
        raise DatabaseError(f"--storage {shown(url)!r}: an @ in a password is written %40")
    if backend == "sqlite" and parsed.host:
        raise DatabaseError(f"--storage {shown(url)!r}: SQLite has no hosts; {_URLS}")
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return Path(parsed.database)
    if backend == "sqlite":
        raise DatabaseError(f"--storage {url!r} would be gone with the process; {_URLS}")
    if backend != "postgresql":
        raise DatabaseError(f"--storage {shown(url)!r}: {backend} is not supported; {_URLS}")
    return None


def open_database(url: str, *, create: bool) -> Database:
    """Open a database for reading and writing, or for reading only where it cannot be written.

    Args:
        url: SQLAlchemy's URL.
        create: make the database, or our tables in it, when they are not there; it must be
            writable.

    Raises:
        MissingDatabaseError: it is not there, and must not be made.
        DatabaseError: it is not a database, not writable, made by something newer, or its URL makes
            no sense.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # what is new is ours to tell
    path = sqlite_path(url)
    if path is not None:
        try:
            _check_file(path, create=create)
        except OSError as error:  # a name that is too long, a folder that may not be entered
            raise DatabaseError(f"{path} cannot be used: {error.strerror}") from None
    is_read_only = path is not None and not _is_writable(path)
    engine_kwargs = _engine_kwargs(path, is_read_only=is_read_only)
    try:
        with one_at_a_time(url, path) if create else nullcontext():
            _check_content(url, engine_kwargs, create=create)
            with experimental_features():
                storage = RDBStorage(url, engine_kwargs=engine_kwargs)
            if path is not None and not is_read_only:
                event.listen(storage.engine, "connect", _set_pragmas)
                storage.engine.dispose()  # connections made so far were opened without the pragmas
            file = None if path is None else file_identity(path)
            database = Database(url, storage, file, is_read_only)
            _prepare_tables(database, create=create)
    except (SqlDatabaseError, optuna.exceptions.StorageInternalError) as error:
        raise DatabaseError(f"{shown(url)} cannot be used: {reason_of(error)}") from None
    except (NoSuchModuleError, ImportError) as error:
        hint = 'write postgresql+psycopg://..., and `pip install "hpsearch[postgresql]"`'
        raise DatabaseError(f"{shown(url)}: no driver: {error}; {hint}") from None
    except RuntimeError as error:  # Optuna's word for a schema of another version
        raise DatabaseError(f"{shown(url)}: {one_line(str(error))}") from None
    return database


def file_identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of its name; None if there is none, or nothing in it."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_size else None


def reason_of(error: SqlDatabaseError | optuna.exceptions.StorageInternalError) -> str:
    """What the database itself said, in one line."""
    cause = error if isinstance(error, SqlDatabaseError) else error.__cause__
    return shown(one_line(str(getattr(cause, "orig", cause))))


def _check_file(path: Path, *, create: bool) -> None:
    """Refuse a file that is not an SQLite database before anything can write to it."""
    if path.is_dir():
        raise DatabaseError(f"{path} is a folder, not a database")
    if not path.exists() or path.stat().st_size == 0:
        if any(folder.exists() and not folder.is_dir() for folder in path.parents):
            raise DatabaseError(f"{path} cannot be made: not all above it are folders")
        if not create:
            raise MissingDatabaseError(f"no database at {path} yet; `hpsearch run` makes one")
        path.parent.mkdir(parents=True, exist_ok=True)
    else:
        with path.open("rb") as file:
            header = file.read(16)
        if header != b"SQLite format 3\0":
            raise DatabaseError(f"{path} is not an SQLite database")
    if create and not _is_writable(path):
        raise DatabaseError(f"{path} is read-only; {_OTHERWISE}")


def _is_writable(path: Path) -> bool:
    """Whether SQLite can write to a file and beside it; of one to be made, whether beside it."""
    there = [each for each in (path.parent, path) if each.exists()]
    # root may write to what is read-only all the same, but should not
    return all(os.access(each, os.W_OK) and each.stat().st_mode & 0o222 for each in there)


def _engine_kwargs(path: Path | None, *, is_read_only: bool) -> dict[str, object]:
    """What SQLAlchemy is told about a database beside its URL."""
    if path is None:
        return {"pool_pre_ping": True}  # after a server's restart
    if is_read_only:
        uri = _read_only_uri(path.resolve())
        return {"creator": lambda: sqlite3.connect(uri, uri=True, check_same_thread=False)}
    return {"connect_args": {"timeout": _BUSY_TIMEOUT_MS / 1000}}


def _read_only_uri(path: Path) -> str:
    """How SQLite opens a file beside which it cannot write.

    In WAL mode it takes no file by itself unless it is told that nothing will change. What a writer
    has put into the log (and still does) can be read with the log's index, which is beside it then.
    """
    log, index = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
    if not log.exists() or log.stat().st_size == 0:
        return f"{path.as_uri()}?mode=ro&immutable=1"
    if not index.exists():
        raise DatabaseError(
            f"{path} is read-only, and {log.name} has changes that are not in it yet; copy both "
            "to where you may write, and look there"
        )
    return f"{path.as_uri()}?mode=ro"


def _set_pragmas(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")  # in WAL mode safe against a killed process
    cursor.execute("PRAGMA foreign_keys = ON")  # what belongs to a deleted study is refused
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.close()


def _check_content(url: str, engine_kwargs: dict[str, object], *, create: bool) -> None:
    """Refuse a database of another program or of a newer hpsearch before anything is written."""
    engine = create_engine(url, **engine_kwargs)
    try:
        there = set(inspect(engine).get_table_names())
        if tables.schema.name in there:
            with engine.connect() as connection:
                version = connection.execute(select(tables.schema.c.version)).scalar()
            if version is not None and version > tables.SCHEMA_VERSION:
                raise DatabaseError(
                    f"{shown(url)} was made by a newer hpsearch (its schema is {version}, this one "
                    f"knows {tables.SCHEMA_VERSION}); install that version or use another file"
                )
        elif there and not there >= _OPTUNA_TABLES:
            raise DatabaseError(f"{shown(url)} belongs to another program; use another one")
        elif not create:
            raise MissingDatabaseError(f"{shown(url)} has no studies of hpsearch")
    finally:
        engine.dispose()


def _prepare_tables(database: Database, *, create: bool) -> None:
    """Make our tables where they are missing, or only in the form of an older hpsearch.

    Whoever may create them finds here that the database is writable; a reader takes no lock.
    """
    with database.engine.begin() as connection:
        tables.metadata.create_all(connection)
        version = connection.execute(select(tables.schema.c.version)).scalar()
        if version == tables.SCHEMA_VERSION and not create:
            return
        if version != tables.SCHEMA_VERSION and database.is_read_only:
            raise DatabaseError(
                f"{sqlite_path(database.url)} is read-only and in the form of an older hpsearch; "
                "copy it to where you may write, and look there"
            )
        if version is None:
            connection.execute(insert(tables.schema).values(version=tables.SCHEMA_VERSION))
        if version == 1:  # where a training's end had its precision, which is with its start now
            connection.execute(text("ALTER TABLE hpsearch_trainings DROP COLUMN precision"))
        if version in (1, 2):  # which told a live owner by its process and its silence
            connection.execute(text("DROP TABLE hpsearch_leases"))
        if version in (1, 2, 3):  # which knew no balanced accuracy
            _add_column(connection, tables.epochs.c.val_balanced_accuracy)
            _add_column(connection, tables.evaluations.c.balanced_accuracy)
        connection.execute(update(tables.schema).values(version=tables.SCHEMA_VERSION))


def _add_column(connection: Connection, column: Column[float]) -> None:
    """Give a table a column that may be empty, unless it was made with it just now."""
    there = {each["name"] for each in inspect(connection).get_columns(column.table.name)}
    if column.name not in there:
        kind = column.type.compile(connection.dialect)
        connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {column.name} {kind}"))
