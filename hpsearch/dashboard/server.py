"""optuna-dashboard on a study database."""

import socket
from functools import partial
from threading import Thread

from hpsearch.errors import RunFailedError, UserError
from hpsearch.home import Home
from hpsearch.output import say
from hpsearch.storage.database import Database


def serve_dashboard(database: Database, *, home: Home, host: str, port: int) -> None:
    """Serve optuna-dashboard until it is interrupted.

    Raises:
        UserError: there is no such address, or it is taken.
        DatabaseError: the database is read-only, and optuna-dashboard writes to it.
        RunFailedError: the server ended by itself.
    """
    database.check_writable()
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise UserError(f"{host}, port {port}: {error.strerror}") from None
    say(f"dashboard: http://{host}:{port}/ (Ctrl-C ends it)")
    from optuna.artifacts import FileSystemArtifactStore
    from optuna.storages import get_storage
    from optuna_dashboard import run_server

    home.artifact_store.mkdir(parents=True, exist_ok=True)
    storage = get_storage(database.storage)  # remembers finished trials from one poll to the next
    # in a thread of its own: an interruption in the middle of an answer would be swallowed there
    serve = partial(run_server, storage, host, port, FileSystemArtifactStore(home.artifact_store))
    server = Thread(target=serve, daemon=True)
    server.start()
    server.join()
    raise RunFailedError("the dashboard's server has ended")
