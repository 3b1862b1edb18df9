"""optuna-dashboard on a study database."""

from hpsearch.home import Home
from hpsearch.storage.database import Database


def serve_dashboard(database: Database, *, home: Home, host: str, port: int) -> None:
    """Serve optuna-dashboard until it is interrupted.

    Raises:
        OSError: the address is not free.
    """
    from optuna.artifacts import FileSystemArtifactStore
    from optuna.storages import get_storage
    from optuna_dashboard import run_server

    artifacts = home.root / "artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    storage = get_storage(database.storage)  # remembers finished trials from one poll to the next
    run_server(storage, host, port, FileSystemArtifactStore(artifacts))
