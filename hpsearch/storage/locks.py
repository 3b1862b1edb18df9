"""Locks that go with their holder, however that ends: nothing is left to be told from the living.

In SQLite a lock is on a file beside the database, which the kernel releases; in PostgreSQL it is an
advisory lock of a connection, which the server releases, so that it holds between machines.
"""

import fcntl
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from hpsearch.errors import DatabaseError, DatabaseLostError
from hpsearch.storage.database import Database, sqlite_path
from hpsearch.storage.making import NAMESPACE

_PROBES_S = 1.0  # a reader that looks whether a lock is held holds it for a moment


class Lock(Protocol):
    """A lock on one study."""

    def acquire(self) -> bool:
        """Take the lock; False if another has it."""

    def release(self) -> None:
        """Give it back."""

    def is_held(self) -> bool:
        """Whether anybody has it."""

    def check(self) -> None:
        """See that it is worth something still.

        Raises:
            DatabaseLostError: the database, and the lock with it, is gone.
        """


def study_lock(database: Database, study_id: int) -> Lock:
    """The lock of a study, not taken."""
    path = sqlite_path(database.url)
    if path is None:
        return _AdvisoryLock(database.engine, study_id)
    return _FileLock(database, path.resolve(), study_id)


class _FileLock:
    """A lock on a file beside an SQLite database."""

    def __init__(self, database: Database, path: Path, study_id: int) -> None:
        lock = path.with_name(f".{path.name}.study-{study_id}.lock")
        self._lock = FileLock(lock, thread_local=False, fallback_to_soft=False)
        self._database = database

    def acquire(self) -> bool:
        try:
            self._lock.acquire(timeout=_PROBES_S)
        except Timeout:
            return False
        except OSError as error:
            reason = f"{self._lock.lock_file} cannot be locked: {error.strerror}"
            raise DatabaseError(reason) from None
        return True

    def release(self) -> None:
        self._lock.release()

    def is_held(self) -> bool:
        # the same lock, but shared, and on a file that may be another user's, or read-only
        with suppress(FileNotFoundError), open(self._lock.lock_file) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def check(self) -> None:
        if not self._database.is_in_place():
            raise DatabaseLostError("the file was deleted or replaced")


class _AdvisoryLock:
    """A lock of PostgreSQL's, which lasts as long as its connection."""

    def __init__(self, engine: Engine, study_id: int) -> None:
        self._engine = engine
        self._key = {"namespace": NAMESPACE, "study": study_id}
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        take = text("SELECT pg_try_advisory_lock(:namespace, :study)")
        if not connection.execute(take, self._key).scalar_one():
            connection.close()
            return False
        self._connection = connection
        return True

    def release(self) -> None:
        if self._connection is not None:
            give = text("SELECT pg_advisory_unlock(:namespace, :study)")
            with suppress(SQLAlchemyError):  # the connection broke, and the lock went with it
                self._connection.execute(give, self._key)
            self._connection.close()
            self._connection = None

    def is_held(self) -> bool:
        query = text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND classid = :namespace AND objid = :study AND objsubid = 2 AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        with self._engine.connect() as connection:
            return bool(connection.execute(query, self._key).scalar_one())

    def check(self) -> None:
        assert self._connection is not None
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            raise DatabaseLostError("the connection broke") from None
