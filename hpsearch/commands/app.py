"""The command line: all commands, in the order in which `--help` lists them."""

from typing import Annotated

import typer

import hpsearch
from hpsearch.commands.compare import compare
from hpsearch.commands.dashboard import dashboard
from hpsearch.commands.data import data_app
from hpsearch.commands.export_model import export_model
from hpsearch.commands.predict import predict
from hpsearch.commands.replay import replay
from hpsearch.commands.report import report
from hpsearch.commands.reproduce import reproduce
from hpsearch.commands.run import run
from hpsearch.commands.status import status
from hpsearch.commands.studies import studies
from hpsearch.commands.test import test
from hpsearch.commands.top import top

app = typer.Typer(
    name="hpsearch",
    help="Hyperparameter search for image classifiers: from a study file to a tested winner.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    run,
    studies,
    status,
    top,
    test,
    predict,
    export_model,
    report,
    compare,
    reproduce,
    replay,
    dashboard,
):
    app.command()(command)
app.add_typer(data_app, name="data")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hpsearch {hpsearch.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """Take the options that stand before a command."""
