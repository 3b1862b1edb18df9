"""Homes whose database is SQLite's, and such whose database a PostgreSQL server holds."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from hpsearch.home import Home
from hpsearch.storage.database import open_database

SERVER = os.environ.get("HPSEARCH_TEST_POSTGRESQL")  # a URL whose user may create databases
KINDS = ("sqlite", "postgresql")
DISCONNECT_OTHERS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_numbers = count()


@dataclass(frozen=True)
class ServedHome(Home):
    """A folder of results beside a server's database."""

    url: str

    @property
    def database_url(self) -> str:
        return self.url


@contextmanager
def home_of(kind: str, root: Path) -> Iterator[Home]:
    """A home with a database of a kind; PostgreSQL's has its tables already.

    A test that needs a server is skipped where there is none.
    """
    if kind == "sqlite":
        yield Home(root)
        return
    if SERVER is None:
        pytest.skip("needs HPSEARCH_TEST_POSTGRESQL to name a PostgreSQL server")
    name = f"hpsearch_test_{os.getpid()}_{next(_numbers)}"
    _administer(f"CREATE DATABASE {name} TEMPLATE {_template()}")
    yield ServedHome(root, _url(name))
    _administer(f"DROP DATABASE {name} WITH (FORCE)")


@cache
def _template() -> str:
    """The name of a database with all tables and no study: Optuna takes seconds to make one."""
    name = "hpsearch_test_template_" + os.environ.get("PYTEST_XDIST_WORKER", "alone")
    _administer(f"DROP DATABASE IF EXISTS {name}")
    _administer(f"CREATE DATABASE {name}")
    open_database(_url(name), create=True).close()
    return name


def _url(database: str) -> str:
    assert SERVER is not None
    return make_url(SERVER).set(database=database).render_as_string(hide_password=False)


def _administer(statement: str) -> None:
    assert SERVER is not None
    engine = create_engine(SERVER, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
