import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from databases import DISCONNECT_OTHERS
from small_studies import make_database, new_database
from sqlalchemy import update

from hpsearch.errors import DatabaseLostError, StudyInUseError
from hpsearch.home import Home
from hpsearch.storage.database import Database, open_database, sqlite_path, utc_now
from hpsearch.storage.lease import Lease, live_owner
from hpsearch.storage.tables import owners
from hpsearch.times import show_time

STUDY = 1


@pytest.fixture
def home(any_home: Home) -> Home:
    return any_home


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    with new_database(home) as database:
        yield database


def test_nobody_owns_a_study_that_is_not_searched(database: Database) -> None:
    assert live_owner(database, STUDY) is None


def test_the_second_search_is_refused_and_the_first_named(database: Database) -> None:
    lease = Lease(database, STUDY, name="small")
    with pytest.raises(StudyInUseError, match=rf"'small' .* process {os.getpid()} on ") as refusal:
        Lease(database, STUDY, name="small")
    assert "--name OTHER" in str(refusal.value)
    owner = live_owner(database, STUDY)
    assert owner is not None
    assert (owner.pid, owner.host) == (os.getpid(), socket.gethostname())
    assert f" since {show_time(owner.since)};" in str(refusal.value)
    lease.release()


def test_another_study_is_free(database: Database) -> None:
    leases = [Lease(database, STUDY, name="small"), Lease(database, STUDY + 1, name="other")]
    for lease in leases:
        lease.release()


def test_a_released_study_is_free(database: Database) -> None:
    Lease(database, STUDY, name="small").release()
    assert live_owner(database, STUDY) is None
    Lease(database, STUDY, name="small").release()


HOLD = """
import sys, time
from hpsearch.storage.database import open_database
from hpsearch.storage.lease import Lease
lease = Lease(open_database(sys.argv[1], create=False), int(sys.argv[2]), name="small")
print("held", flush=True)
time.sleep(600)
"""


@contextmanager
def held_by_another(home: Home) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the study."""
    command = [sys.executable, "-c", HOLD, home.database_url, str(STUDY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_killed_owners_lease_is_free(database: Database, home: Home) -> None:
    with held_by_another(home) as process:
        owner = live_owner(database, STUDY)
        assert owner is not None
        assert owner.pid == process.pid
        with pytest.raises(StudyInUseError, match=f"process {process.pid} "):
            Lease(database, STUDY, name="small")
        process.kill()
        process.wait()
        deadline = time.monotonic() + 10
        while live_owner(database, STUDY) is not None:
            assert time.monotonic() < deadline
        Lease(database, STUDY, name="small").release()


def test_a_stopped_owners_lease_is_not(database: Database, home: Home) -> None:
    with held_by_another(home) as process:
        process.send_signal(signal.SIGSTOP)
        with database.engine.begin() as connection:  # and its clock is elsewhere
            connection.execute(update(owners).values(since=utc_now() + timedelta(days=400)))
        with pytest.raises(StudyInUseError):
            Lease(database, STUDY, name="small")


def test_a_look_at_the_owner_does_not_keep_a_search_from_starting(database: Database) -> None:
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            live_owner(database, STUDY)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(50):
            Lease(database, STUDY, name="small").release()
    finally:
        stop.set()
        thread.join()


def test_a_held_study_is_checked(database: Database) -> None:
    lease = Lease(database, STUDY, name="small")
    lease.check()
    _lose(database)
    with pytest.raises(DatabaseLostError):
        lease.check()
    lease.release()


def _lose(database: Database) -> None:
    """Delete the file, or break every connection."""
    path = sqlite_path(database.url)
    if path is not None:
        path.unlink()
        return
    with database.engine.connect() as connection:
        connection.execute(DISCONNECT_OTHERS)


def test_of_searches_that_start_at_once_one_gets_the_study(home: Home) -> None:
    make_database(home)
    barrier = threading.Barrier(4)
    taken: list[Lease] = []
    refused: list[StudyInUseError] = []

    def start() -> None:
        with closing(open_database(home.database_url, create=False)) as database:
            barrier.wait()
            try:
                lease = Lease(database, STUDY, name="small")
            except StudyInUseError as refusal:
                refused.append(refusal)
                barrier.wait()
                return
            barrier.wait()
            taken.append(lease)
            lease.release()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 3)
