"""`hpsearch run`: search, retrain the best, test it once."""

from typing import Annotated

import typer

from hpsearch.commands.options import (
    DATA_DIR,
    HOME,
    DataDirOption,
    DeviceOption,
    HomeOption,
    PlainOption,
    StorageOption,
    WorkersOption,
    WorkersPerGpuOption,
)
from hpsearch.commands.stored import database_url, stored_study
from hpsearch.errors import UserError
from hpsearch.home import Home
from hpsearch.output import stdout


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
    from hpsearch.studyfiles import find_study_file
    from hpsearch.studyparser import load_study_file

    timeout_s = _seconds("--timeout", timeout)
    trial_timeout_s = _seconds("--trial-timeout", trial_timeout)
    if name is not None:
        _check_name(name)
    spec = load_study_file(find_study_file(study), name=name)
    from hpsearch.run import RunRequest
    from hpsearch.run_view import print_result, watch_run

    request = RunRequest(
        spec=spec,
        home=Home(home),
        storage=database_url(home, storage),
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
    with stored_study(spec.name, home, storage) as record:
        print_result(stdout(), record, spec, result, home=Home(home))


def _check_name(name: str) -> None:
    from hpsearch.mistakes import MistakeError
    from hpsearch.studyparser import check_study_name

    try:
        check_study_name(name)
    except MistakeError as mistake:
        raise UserError(f"--{mistake}") from None


def _seconds(option: str, text: str | None) -> float | None:
    from hpsearch.durations import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UserError(f"{option} {text!r}: {error}") from None
