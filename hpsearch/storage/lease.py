"""The lease of a study: which search owns it, so that there is never a second one.

A lease is a lock, and a row that tells people who has it.
"""

import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from hpsearch.errors import StudyInUseError
from hpsearch.storage.database import Database, utc_now
from hpsearch.storage.locks import study_lock
from hpsearch.storage.tables import owners
from hpsearch.times import show_time


@dataclass(frozen=True)
class Owner:
    """The search that holds a study."""

    pid: int
    host: str
    since: datetime  # UTC, without offset


def live_owner(database: Database, study_id: int) -> Owner | None:
    """The search that owns the study, if there is one."""
    if not study_lock(database, study_id).is_held():
        return None
    with database.engine.connect() as connection:
        row = connection.execute(select(owners).where(owners.c.study_id == study_id)).one_or_none()
    return None if row is None else Owner(row.pid, row.host, row.since)


class Lease:
    """The hold of this process on one study, from its making to `release`.

    Raises:
        StudyInUseError: another live search owns the study.
    """

    def __init__(self, database: Database, study_id: int, *, name: str) -> None:
        self._database = database
        self._mine = owners.c.study_id == study_id
        self._lock = study_lock(database, study_id)
        if not self._lock.acquire():
            raise StudyInUseError(_refusal(name, live_owner(database, study_id)))
        owner = Owner(os.getpid(), socket.gethostname(), utc_now())
        with database.engine.begin() as connection:
            connection.execute(delete(owners).where(self._mine))
            connection.execute(insert(owners).values(study_id=study_id, **asdict(owner)))

    def check(self) -> None:
        """See that the study is still held.

        Raises:
            DatabaseLostError: its database is gone.
        """
        self._lock.check()

    def release(self) -> None:
        """Give the study back."""
        # the row is for people; the lock is what counts
        with suppress(SQLAlchemyError), self._database.engine.begin() as connection:
            connection.execute(delete(owners).where(self._mine))
        self._lock.release()


def _refusal(name: str, owner: Owner | None) -> str:
    by = "another process"
    if owner is not None:
        by = f"process {owner.pid} on {owner.host} since {show_time(owner.since)}"
    return f"study {name!r} is being searched by {by}; wait for it, stop it, or --name OTHER"
