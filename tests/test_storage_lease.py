import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import psutil
import pytest
from small_studies import make_database, new_database
from sqlalchemy import insert, select, update

from hpsearch.errors import StudyInUseError
from hpsearch.home import Home
from hpsearch.storage.database import Database, open_database, utc_now
from hpsearch.storage.lease import Lease, live_owner
from hpsearch.storage.tables import leases

STUDY = 1


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    with new_database(home) as database:
        yield database


def leave(database: Database, **columns: Any) -> None:
    """A lease as another search left it."""
    row = {
        "study_id": STUDY,
        "pid": os.getpid(),
        "process_started": psutil.Process().create_time(),
        "host": socket.gethostname(),
        "since": utc_now(),
        "renewed": utc_now(),
        **columns,
    }
    with database.engine.begin() as connection:
        connection.execute(insert(leases).values(**row))


def leave_elsewhere(database: Database, *, silent_s: float) -> None:
    leave(database, host="elsewhere", renewed=utc_now() - timedelta(seconds=silent_s))


def test_nobody_owns_a_study_that_is_not_searched(database: Database) -> None:
    assert live_owner(database, STUDY) is None


def test_the_second_search_is_refused_and_the_first_named(database: Database) -> None:
    Lease(database, STUDY, name="small")
    with pytest.raises(StudyInUseError, match=rf"'small' .* process {os.getpid()} on ") as refusal:
        Lease(database, STUDY, name="small")
    assert "--name OTHER" in str(refusal.value)
    owner = live_owner(database, STUDY)
    assert owner is not None
    assert (owner.pid, owner.host) == (os.getpid(), socket.gethostname())


def test_another_study_is_free(database: Database) -> None:
    Lease(database, STUDY, name="small")
    Lease(database, STUDY + 1, name="other")


def test_a_released_study_is_free(database: Database) -> None:
    Lease(database, STUDY, name="small").release()
    assert live_owner(database, STUDY) is None
    Lease(database, STUDY, name="small")


DEAD: dict[str, Callable[[Database], None]] = {
    "gone": lambda database: leave(database, pid=2**22 + 1),  # above Linux' largest process id
    "number given to another": lambda database: leave(database, process_started=1.0),
    "silent elsewhere": lambda database: leave_elsewhere(database, silent_s=61),
}
ALIVE: dict[str, Callable[[Database], None]] = {
    "heard of elsewhere": lambda database: leave_elsewhere(database, silent_s=10),
    "silent here": lambda database: leave(database, renewed=utc_now() - timedelta(hours=1)),
}


@pytest.mark.parametrize("leave_it", DEAD.values(), ids=DEAD)
def test_a_dead_owners_lease_is_taken_over(
    database: Database, leave_it: Callable[[Database], None]
) -> None:
    leave_it(database)
    assert live_owner(database, STUDY) is None
    Lease(database, STUDY, name="small")
    owner = live_owner(database, STUDY)
    assert owner is not None
    assert (owner.pid, owner.host) == (os.getpid(), socket.gethostname())


@pytest.mark.parametrize("leave_it", ALIVE.values(), ids=ALIVE)
def test_a_live_owners_lease_is_not(
    database: Database, leave_it: Callable[[Database], None]
) -> None:
    leave_it(database)
    with pytest.raises(StudyInUseError):
        Lease(database, STUDY, name="small")


def test_renewing_is_a_sign_of_life(database: Database) -> None:
    lease = Lease(database, STUDY, name="small")
    with database.engine.begin() as connection:
        connection.execute(update(leases).values(renewed=utc_now() - timedelta(hours=1)))
    lease.renew()
    with database.engine.connect() as connection:
        renewed = connection.execute(select(leases.c.renewed)).scalar_one()
    assert utc_now() - renewed < timedelta(seconds=30)


def test_of_searches_that_start_at_once_one_gets_the_study(home: Home) -> None:
    make_database(home)
    barrier = threading.Barrier(4)
    taken: list[bool] = []

    def start() -> None:
        with closing(open_database(home.database_url, create=False)) as database:
            barrier.wait()
            try:
                Lease(database, STUDY, name="small")
            except StudyInUseError:
                taken.append(False)
            else:
                taken.append(True)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, False, False, True]
