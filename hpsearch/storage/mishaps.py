"""What can befall a database while a run writes to it, told in one line.

A full or broken disk, a lock that is not given back, a lost server: the run ends and can be carried
on, for every write is a transaction. A deleted SQLite file is written again from what the open
connection still holds.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages._rdb.models import NOT_FOUND_MSG
from sqlalchemy.exc import DatabaseError as SqlDatabaseError
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

from hpsearch.errors import DatabaseLostError
from hpsearch.storage.database import Database, file_identity, open_database, reason_of, sqlite_path
from hpsearch.text import shown

_OURS = (IntegrityError, ProgrammingError, DataError)  # a fault of the program, not a mishap
_CARRY_ON = "the same command carries on"
_MALFORMED = "malformed"  # SQLite's word for a file that something else has written to


@contextmanager
def open_for_run(url: str) -> Iterator[Database]:
    """A database, made if it is not there, and open for as long as a run needs it.

    Raises:
        DatabaseError: it cannot be opened.
        DatabaseLostError: it can be used no more.
    """
    database = open_database(url, create=True)
    try:
        yield database
    except (SqlDatabaseError, StorageInternalError, KeyError) as error:
        if _is_of_deleted_study(error):
            told = f"{shown(database.url)}: the study was deleted while it ran"
            raise DatabaseLostError(f"{told}; the same command begins it anew") from None
        if isinstance(error, (KeyError, *_OURS)) or isinstance(error.__cause__, _OURS):
            raise
        raise DatabaseLostError(_told(database, reason_of(error))) from None
    except DatabaseLostError as error:
        raise DatabaseLostError(_told(database, str(error))) from None
    finally:
        database.close()


def _is_of_deleted_study(error: Exception) -> bool:
    """Whether rows that a write belongs to are gone."""
    if isinstance(error, KeyError):
        return error.args == (NOT_FOUND_MSG,)
    reason = str(error.__cause__ if isinstance(error, StorageInternalError) else error)
    return "foreign key constraint" in reason.lower()


def _told(database: Database, reason: str) -> str:
    if database.is_in_place():
        url = shown(database.url)
        if _MALFORMED in reason:
            return f"{url}: {reason}; what can be saved of it is what a backup or `.recover` gives"
        return f"{url}: {reason}; nothing recorded is lost, and once that is mended, {_CARRY_ON}"
    path = sqlite_path(database.url)
    assert path is not None
    rescued = _rescue(database, path)
    if rescued is None:
        what = "deleted, replaced or emptied"
        return f"{path} was {what} while the study ran, and its content is lost"
    if rescued == path:
        return f"{path} was deleted while the study ran; it has been written again, and {_CARRY_ON}"
    return f"{path} was replaced while the study ran; what it held is in {rescued}"


def _rescue(database: Database, path: Path) -> Path | None:
    """Write what an open connection holds of a deleted file to its place, or beside what is there.

    Nothing, if the connection has nothing either.
    """
    rescued = path.with_name(f"{path.name}.rescued-{datetime.now():%Y%m%d-%H%M%S}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with database.engine.connect() as connection, closing(sqlite3.connect(rescued)) as copy:
            held = connection.connection.driver_connection
            assert isinstance(held, sqlite3.Connection)
            held.execute("SELECT count(*) FROM studies")  # a new connection's file would be empty
            held.backup(copy)
            (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":  # some of it was in the file only
                raise sqlite3.DatabaseError(verdict)
    except (SQLAlchemyError, sqlite3.Error, OSError):
        rescued.unlink(missing_ok=True)
        return None
    logs = [path.with_name(path.name + ending) for ending in ("-wal", "-shm")]
    ours = [log for log in logs if _is_open_here(log)]
    database.close()  # which may write to the old file's log
    # SQLite would write the log of the old file into whatever is in its place
    for log in ours if path.exists() else logs:
        log.unlink(missing_ok=True)
    return rescued if path.exists() else rescued.rename(path)


def _is_open_here(path: Path) -> bool:
    """Whether this process has that very file open."""
    identity = file_identity(path)
    found = (file_identity(Path(f"/dev/fd/{number}")) for number in os.listdir("/dev/fd"))
    return identity is not None and identity in found
