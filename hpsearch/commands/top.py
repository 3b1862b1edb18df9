"""`hpsearch top`: the best trials, or all with their outcomes."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hpsearch.commands.options import (
    HOME,
    CsvOption,
    HomeOption,
    JsonOption,
    StorageOption,
    StudyOption,
    refuse_two_formats,
)
from hpsearch.commands.stored import stored_study
from hpsearch.errors import NothingToShowError, StudyFileError
from hpsearch.output import print_csv, print_json, stdout

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.console import Console

    from hpsearch.storage.record import StudyRecord
    from hpsearch.studytables import PublishedSearch

Row = TypeVar("Row", bound="DataclassInstance")


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

    refuse_two_formats(csv=csv, json=json_)
    with stored_study(study, home, storage) as record:
        objective = document_of(record)["objective"]
        if all_:
            everything = trial_rows(record, objective=objective)
            _print_rows(everything, trials_csv, print_trials, csv=csv, json_=json_)
            return
        rows = top_rows(record, objective=objective, count=num)
        published = _published(record)
    if not rows:
        raise NothingToShowError(f"study {study!r} has no complete trial yet")
    _print_rows(rows, top_csv, partial(print_top, published=published), csv=csv, json_=json_)


def _published(record: "StudyRecord") -> "PublishedSearch | None":
    from hpsearch.report.status import stored_spec

    try:
        return stored_spec(record).published
    except StudyFileError:  # of another hpsearch; the trials can be shown all the same
        return None


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
