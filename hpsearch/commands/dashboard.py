"""`hpsearch dashboard`: the studies in a browser."""

from contextlib import closing
from typing import Annotated

import typer

from hpsearch.commands.options import HOME, HomeOption, StorageOption
from hpsearch.commands.stored import database_url
from hpsearch.home import Home
from hpsearch.output import say


def dashboard(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8080,
    home: HomeOption = HOME,
    storage: StorageOption = None,
) -> None:
    """Watch the studies in a browser with optuna-dashboard."""
    from hpsearch.dashboard.server import serve_dashboard
    from hpsearch.storage.database import open_database

    with closing(open_database(database_url(home, storage), create=False)) as database:
        if host not in ("127.0.0.1", "localhost", "::1"):
            say(f"warning: there is no log-in; whoever reaches {host} can change the studies")
        serve_dashboard(database, home=Home(home), host=host, port=port)
