"""The lease of a study: which search owns it, so that there is never a second one.

A lease is one row. Its owner renews it while it lives; a process on this machine that is gone, or
one elsewhere that has been silent for a minute, owns nothing any more.
"""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

import psutil
from sqlalchemy import Connection, delete, insert, select, text, update

from hpsearch.errors import StudyInUseError
from hpsearch.storage.database import Database, utc_now
from hpsearch.storage.tables import leases

_SILENCE = timedelta(seconds=60)


@dataclass(frozen=True)
class Owner:
    """The search that holds a study."""

    pid: int
    host: str
    since: datetime  # UTC, without offset


def live_owner(database: Database, study_id: int) -> Owner | None:
    """The live search that owns the study, if there is one."""
    with database.engine.connect() as connection:
        return _live_owner(connection, study_id)


def _live_owner(connection: Connection, study_id: int) -> Owner | None:
    row = connection.execute(select(leases).where(leases.c.study_id == study_id)).one_or_none()
    if row is None:
        return None
    if row.host == socket.gethostname():
        alive = _process_started(row.pid) == row.process_started
    else:
        alive = utc_now() - row.renewed < _SILENCE
    return Owner(row.pid, row.host, row.since) if alive else None


def _process_started(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


class Lease:
    """The hold of this process on one study, from its making to `release`.

    Raises:
        StudyInUseError: another live search owns the study.
    """

    def __init__(self, database: Database, study_id: int, *, name: str) -> None:
        self._database = database
        self._study_id = study_id
        with database.engine.connect() as connection:
            # take the write lock before looking, so of two searches one waits
            if connection.dialect.name == "sqlite":
                connection.execute(text("BEGIN IMMEDIATE"))
            owner = _live_owner(connection, study_id)
            if owner is not None:
                raise StudyInUseError(
                    f"study {name!r} is being searched by process {owner.pid} on {owner.host} "
                    f"since {owner.since:%Y-%m-%d %H:%M} UTC; wait for it, stop it, or --name OTHER"
                )
            connection.execute(delete(leases).where(leases.c.study_id == study_id))
            connection.execute(insert(leases).values(**self._row()))
            connection.commit()

    def _row(self) -> dict[str, object]:
        now = utc_now()
        return {
            "study_id": self._study_id,
            "pid": os.getpid(),
            "process_started": psutil.Process().create_time(),
            "host": socket.gethostname(),
            "since": now,
            "renewed": now,
        }

    def renew(self) -> None:
        """Show that this search lives; the loop calls it every few seconds."""
        statement = update(leases).where(leases.c.study_id == self._study_id)
        with self._database.engine.begin() as connection:
            connection.execute(statement.values(renewed=utc_now()))

    def release(self) -> None:
        """Give the study back."""
        with self._database.engine.begin() as connection:
            connection.execute(delete(leases).where(leases.c.study_id == self._study_id))
