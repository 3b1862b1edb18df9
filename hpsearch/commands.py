"""The commands: options are parsed here and results printed; the work is done elsewhere.

Heavy packages are imported inside the commands, so that `hpsearch --help` answers at once.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

import hpsearch
from hpsearch.compare_command import compare
from hpsearch.data_commands import data_app
from hpsearch.errors import NothingToShowError, UserError
from hpsearch.home import Home
from hpsearch.options import (
    DATA_DIR,
    HOME,
    CsvOption,
    DataDirOption,
    DeviceOption,
    HomeOption,
    JsonOption,
    PlainOption,
    StorageOption,
    StudyOption,
    WorkersOption,
    WorkersPerGpuOption,
)
from hpsearch.output import print_csv, print_json, say, stdout
from hpsearch.report_commands import report
from hpsearch.reproduce_command import reproduce

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.console import Console

    from hpsearch.storage.record import StudyRecord

Row = TypeVar("Row", bound="DataclassInstance")

app = typer.Typer(
    name="hpsearch",
    help="Hyperparameter search for image classifiers: from a study file to a tested winner.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(data_app, name="data")
app.command()(compare)
app.command()(report)
app.command()(reproduce)


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


@app.command()
def run(
    study: Annotated[str, typer.Option("--study", help="A study file, or the name of one.")],
    name: Annotated[str | None, typer.Option(help="Store the study under another name.")] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Finished trials in total.")
    ] = None,
    workers: WorkersOption = None,
    device: DeviceOption = "auto",
    workers_per_gpu: WorkersPerGpuOption = 1,
    plain: PlainOption = False,
    timeout: Annotated[
        str | None, typer.Option(help="End the search after this time: 90, 90s, 30m or 2h.")
    ] = None,
    trial_timeout: Annotated[
        str | None, typer.Option(help="End a trial, hung or not, after this time of training.")
    ] = None,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Retrain and test the winner.")
    ] = True,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew; the old study keeps a dated name.")
    ] = False,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Search, retrain the best and test it once; again: carry on."""
    from hpsearch.spec import load_study_file
    from hpsearch.studyfiles import find_study_file

    timeout_s = _seconds("--timeout", timeout)
    trial_timeout_s = _seconds("--trial-timeout", trial_timeout)
    spec = load_study_file(find_study_file(study), name=name)
    from hpsearch.run import RunRequest
    from hpsearch.run_view import print_result, watch_run

    request = RunRequest(
        spec=spec,
        home=Home(home),
        storage=_url(home, storage),
        data_dir=data_dir,
        trials=trials or spec.search.trials,
        timeout_s=timeout_s,
        trial_timeout_s=trial_timeout_s,
        device=device,
        workers=workers,
        workers_per_gpu=workers_per_gpu,
        plain=plain,
        test=test,
        restart=restart,
    )
    result = watch_run(request)
    with _stored(spec.name, home, storage) as record:
        print_result(stdout(), record, spec, result, home=Home(home))


@app.command()
def studies(
    home: HomeOption = HOME, storage: StorageOption = None, json_: JsonOption = False
) -> None:
    """List what can be run, and what is in the database."""
    from hpsearch.report.listing import list_studies, print_studies

    url = _url(home, storage)
    listing = list_studies(url, home=Home(home))
    if json_:
        print_json([asdict(row) for row in listing])
    else:
        print_studies(stdout(), listing)


@app.command()
def status(
    study: StudyOption,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    json_: JsonOption = False,
) -> None:
    """Show a study's state: trials, best, time, test result."""
    from hpsearch.report.status import study_status
    from hpsearch.report.terminal import print_status

    with _stored(study, home, storage) as record:
        state = study_status(record, home=Home(home))
    if json_:
        print_json(asdict(state))
    else:
        print_status(stdout(), state)


@app.command()
def top(
    study: StudyOption,
    num: Annotated[int, typer.Option("-n", min=1, help="How many trials.")] = 5,
    all_: Annotated[
        bool, typer.Option("--all", help="Every trial by number, with its outcome and the reason.")
    ] = False,
    csv: CsvOption = None,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    json_: JsonOption = False,
) -> None:
    """Show the best complete trials, or what became of all."""
    from hpsearch.report.status import document_of
    from hpsearch.report.terminal import print_top, print_trials
    from hpsearch.report.top import top_csv, top_rows
    from hpsearch.report.trials import trial_rows, trials_csv

    if csv is not None and json_:
        raise UserError("--csv and --json exclude each other")
    with _stored(study, home, storage) as record:
        objective = document_of(record)["objective"]
        if all_:
            everything = trial_rows(record, objective=objective)
            _print_rows(everything, trials_csv, print_trials, csv=csv, json_=json_)
            return
        rows = top_rows(record, objective=objective, count=num)
    if not rows:
        raise NothingToShowError(f"study {study!r} has no complete trial yet")
    _print_rows(rows, top_csv, print_top, csv=csv, json_=json_)


def _print_rows(
    rows: list[Row],
    as_csv: Callable[[list[Row]], str],
    print_: Callable[["Console", list[Row]], None],
    *,
    csv: str | None,
    json_: bool,
) -> None:
    if json_:
        print_json([asdict(row) for row in rows])
    elif csv is not None:
        print_csv(as_csv(rows), to=csv)
    else:
        print_(stdout(), rows)


@app.command()
def test(
    study: StudyOption,
    again: Annotated[
        bool, typer.Option("--again", help="Read the test set once more; it is recorded.")
    ] = False,
    workers: WorkersOption = None,
    device: DeviceOption = "auto",
    workers_per_gpu: WorkersPerGpuOption = 1,
    plain: PlainOption = False,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    data_dir: DataDirOption = DATA_DIR,
    csv: CsvOption = None,
    json_: JsonOption = False,
) -> None:
    """Show the test result; retrain and test if `run` has not."""
    from hpsearch.report.status import is_fixed_set, stored_spec
    from hpsearch.report.tested import print_test, test_as_json, test_csv
    from hpsearch.storage.record import trials_to_test

    if csv is not None and json_:
        raise UserError("--csv and --json exclude each other")
    url = _url(home, storage)
    with _stored(study, home, storage) as record:
        untested = (
            bool(trials_to_test(record, again=False))
            if is_fixed_set(record)
            else record.last_reading() is None
        )
        spec = stored_spec(record) if untested or again else None
    if spec is not None:
        from hpsearch.run import RunRequest
        from hpsearch.run_view import watch_run

        request = RunRequest(
            spec=spec,
            home=Home(home),
            storage=url,
            data_dir=data_dir,
            trials=None,
            device=device,
            workers=workers,
            workers_per_gpu=workers_per_gpu,
            plain=plain,
            test_again=again,
        )
        watch_run(request)
    with _stored(study, home, storage) as record:
        if json_:
            print_json(test_as_json(record))
        elif csv is not None:
            print_csv(test_csv(record), to=csv)
        else:
            print_test(stdout(), record)


@app.command()
def replay(
    study: StudyOption,
    trial: Annotated[int, typer.Option(min=0, help="The trial's number.")],
    device: DeviceOption = "auto",
    home: HomeOption = HOME,
    storage: StorageOption = None,
    data_dir: DataDirOption = DATA_DIR,
    json_: JsonOption = False,
) -> None:
    """Train a trial again and compare every epoch with the record; exit code 1 if it differs."""
    from hpsearch.replay import replay_trial
    from hpsearch.report.replayed import print_replay

    with _stored(study, home, storage) as record:
        result = replay_trial(record, trial, data_dir=data_dir, home=Home(home), device=device)
    if json_:
        print_json(asdict(result))
    else:
        print_replay(stdout(), result)
    if not result.is_same:
        raise typer.Exit(1)


@app.command()
def dashboard(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8080,
    home: HomeOption = HOME,
    storage: StorageOption = None,
) -> None:
    """Watch the studies in a browser with optuna-dashboard."""
    from hpsearch.dashboard.server import serve_dashboard
    from hpsearch.storage.database import open_database

    with closing(open_database(_url(home, storage), create=False)) as database:
        if host not in ("127.0.0.1", "localhost", "::1"):
            say(f"warning: there is no log-in; whoever reaches {host} can change the studies")
        serve_dashboard(database, home=Home(home), host=host, port=port)


def _url(home: Path, storage: str | None) -> str:
    """The database that --storage names, or the one in --home."""
    return storage or Home(home).database_url


@contextmanager
def _stored(study: str, home: Path, storage: str | None) -> Iterator["StudyRecord"]:
    """A study of the database, for reading."""
    from hpsearch.storage.database import open_database
    from hpsearch.storage.record import StudyRecord

    with closing(open_database(_url(home, storage), create=False)) as database:
        yield StudyRecord.of(database, study)


def _seconds(option: str, text: str | None) -> float | None:
    from hpsearch.durations import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UserError(f"{option} {text!r}: {error}") from None
