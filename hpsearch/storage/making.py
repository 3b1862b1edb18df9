"""One process at a time makes or changes a database's tables, however many begin at once."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

NAMESPACE = 0x68707372  # "hpsr": advisory locks are numbers that all of a database's users share
_TABLES = 0  # the locks on studies have numbers from 1


@contextmanager
def one_at_a_time(url: str, path: Path | None) -> Iterator[None]:
    """Wait for others that make this database's tables, then keep them waiting.

    Args:
        url: SQLAlchemy's.
        path: of an SQLite file.
    """
    if path is not None:
        folder = os.open(path.resolve().parent, os.O_RDONLY)  # a lock on it leaves no file
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
        return
    engine = create_engine(url, poolclass=NullPool)
    if engine.dialect.name != "postgresql":
        yield
        return
    numbers = {"namespace": NAMESPACE, "number": _TABLES}
    with engine.connect() as connection:  # the lock goes with it
        connection.execute(text("SELECT pg_advisory_lock(:namespace, :number)"), numbers)
        yield
