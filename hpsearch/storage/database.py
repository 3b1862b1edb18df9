"""Opening a study database: Optuna's storage and our tables over one SQLAlchemy engine.

    database = open_database("sqlite:///runs/hpsearch.db", create=True)
    study = database.load_study("cnn-fashion")

SQLite runs in WAL mode, so that readers never wait for the one writer, with a busy timeout for
programs that lock the file.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import URL, Engine, create_engine, event, insert, inspect, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.exc import DatabaseError as SqlDatabaseError

from hpsearch.errors import DatabaseError, UnknownStudyError
from hpsearch.storage import tables
from hpsearch.storage.experimental import experimental_features
from hpsearch.storage.writethrough import WriteThroughStorage

_BUSY_TIMEOUT_MS = 60_000
_OPTUNA_TABLE = "studies"


def utc_now() -> datetime:
    """The time as the database stores it: UTC without offset."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Database:
    """An open study database."""

    url: str
    storage: RDBStorage

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

    def close(self) -> None:
        """Close every connection."""
        self.storage.remove_session()
        self.engine.dispose()


def shown(url: str) -> str:
    """A database's URL for the eye: a password is left out."""
    return _parsed(url).render_as_string(hide_password=True)


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        message = f"--storage {url!r} is not a database URL; write sqlite:///PATH"
        raise DatabaseError(message) from None


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite database; None for other databases.

    Raises:
        DatabaseError: that is no URL.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def open_database(url: str, *, create: bool) -> Database:
    """Open a database for reading and writing.

    Args:
        url: SQLAlchemy's URL.
        create: make the database, or our tables in it, when they are not there.

    Raises:
        DatabaseError: it is not there (and must not be made), not a database, not writable, made by
            something newer, or its URL makes no sense.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # what is new is ours to tell
    path = sqlite_path(url)
    if path is not None:
        _check_file(path, create=create)
    try:
        _check_content(url, create=create)
        database = Database(url, _open_storage(url, path))
        _prepare_tables(database)
    except (SqlDatabaseError, optuna.exceptions.StorageInternalError) as error:
        cause = error.__cause__ if error.__cause__ is not None else error
        reason = str(getattr(cause, "orig", cause)).splitlines()[0]
        raise DatabaseError(f"{shown(url)} cannot be used: {reason}") from None
    except (NoSuchModuleError, ImportError) as error:
        raise DatabaseError(f"{shown(url)}: no driver for this database: {error}") from None
    except RuntimeError as error:  # Optuna's word for a schema of another version
        raise DatabaseError(f"{shown(url)}: {' '.join(str(error).split())}") from None
    return database


def _check_file(path: Path, *, create: bool) -> None:
    """Refuse a file that is not an SQLite database before anything can write to it."""
    if path.is_dir():
        raise DatabaseError(f"{path} is a folder, not a database")
    if not path.exists() or path.stat().st_size == 0:
        if not create:
            raise DatabaseError(f"no database at {path} yet; `hpsearch run` makes one")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(f"{path} cannot be made: {error.strerror}") from None
        return
    try:
        with path.open("rb") as file:
            header = file.read(16)
    except OSError as error:
        raise DatabaseError(f"{path} cannot be read: {error.strerror}") from None
    if header != b"SQLite format 3\0":
        raise DatabaseError(f"{path} is not an SQLite database")
    if not path.stat().st_mode & 0o222:  # root may write to it all the same, but should not
        raise DatabaseError(f"{path} is read-only; make it writable, or choose another --storage")


def _open_storage(url: str, path: Path | None) -> RDBStorage:
    engine_kwargs: dict[str, object] = {}
    if path is not None:
        engine_kwargs["connect_args"] = {"timeout": _BUSY_TIMEOUT_MS / 1000}
    with experimental_features():
        storage = RDBStorage(url, engine_kwargs=engine_kwargs)
    if path is not None:
        event.listen(storage.engine, "connect", _set_pragmas)
        storage.engine.dispose()  # connections made so far were opened without the pragmas
    return storage


def _set_pragmas(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")  # in WAL mode safe against a killed process
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.close()


def _check_content(url: str, *, create: bool) -> None:
    """Refuse a database of another program or of a newer hpsearch before anything is written."""
    engine = create_engine(url)
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
        elif not create:
            raise DatabaseError(f"{shown(url)} has no studies of hpsearch")
        elif there and _OPTUNA_TABLE not in there:
            raise DatabaseError(f"{shown(url)} belongs to another program; use another file")
    finally:
        engine.dispose()


def _prepare_tables(database: Database) -> None:
    """Make our tables where they are missing; either way the database proves writable."""
    with database.engine.begin() as connection:
        tables.metadata.create_all(connection)
        version = connection.execute(select(tables.schema.c.version)).scalar()
        if version is None:
            connection.execute(insert(tables.schema).values(version=tables.SCHEMA_VERSION))
        if version == 1:  # where a training's end had its precision, which is with its start now
            connection.execute(text("ALTER TABLE hpsearch_trainings DROP COLUMN precision"))
        connection.execute(update(tables.schema).values(version=tables.SCHEMA_VERSION))
