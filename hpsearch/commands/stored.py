"""What is stored, for the commands that read it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.home import Home

if TYPE_CHECKING:
    from hpsearch.storage.record import StudyRecord


def database_url(home: Path, storage: str | None) -> str:
    """The database that --storage names, or the one in --home."""
    return storage or Home(home).database_url


@contextmanager
def stored_study(study: str, home: Path, storage: str | None) -> Iterator["StudyRecord"]:
    """A study of the database, for reading."""
    from hpsearch.storage.database import open_database
    from hpsearch.storage.record import StudyRecord

    with closing(open_database(database_url(home, storage), create=False)) as database:
        yield StudyRecord.of(database, study)
