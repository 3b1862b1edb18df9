"""`hpsearch reproduce`: the write-ups' experiments, one after the other, and one page of them."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from hpsearch.commands.stored import database_url
from hpsearch.errors import (
    ChangedStudyError,
    MissingDatabaseError,
    RunFailedError,
    UnknownStudyError,
)
from hpsearch.home import Home
from hpsearch.output import check_folder, say, stdout, tell, write_text

if TYPE_CHECKING:
    from hpsearch.report.published import PublishedFigure
    from hpsearch.spec import StudySpec


_TESTED = ("test accuracy", "test loss")


def reproduce(
    studies: Annotated[
        list[str] | None, typer.Argument(help="Only these studies; by default all of them.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="At most so many networks a configuration.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="At most so many epochs a training.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="At most so many trials of each search.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The page, by default HOME/reports/reproduced.html."),
    ] = None,
    workers: WorkersOption = None,
    device: DeviceOption = "auto",
    workers_per_gpu: WorkersPerGpuOption = 1,
    plain: PlainOption = False,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Run every study that has published figures, and set ours beside them; again: carry on."""
    from hpsearch.collection import Budget, collection, trim, trimmed
    from hpsearch.report.published import print_published
    from hpsearch.run import RunRequest
    from hpsearch.run_view import watch_run

    page = output or Home(home).reports / "reproduced.html"
    if output is not None:
        check_folder(page)
    url = database_url(home, storage)
    every = collection()
    chosen = _chosen(every, studies or [])
    budget = Budget(seeds, epochs, trials)
    failed: set[str] = set()
    for study in chosen:
        spec, words = trim(study, budget), trimmed(study, budget)
        say(f"study {spec.name}" + (f" ({words})" if words else ""))
        request = RunRequest(
            spec=spec,
            home=Home(home),
            storage=url,
            data_dir=data_dir,
            trials=spec.search.trials,
            workers=workers,
            device=device,
            workers_per_gpu=workers_per_gpu,
            plain=plain,
        )
        try:
            watch_run(request)
        except RunFailedError as error:
            say(f"study {spec.name}: {error}")
            failed.add(study.name)
        except ChangedStudyError as error:
            say(f"{error} with `hpsearch run`; until then what is stored is shown")
        finally:  # also when it is interrupted
            figures = _figures(url, every)
            _write(page, figures, every)
    names = {study.name for study in chosen}
    own = [row for row in figures if row.study in names]
    print_published(stdout(), own)
    tell(f"all published figures: {page} and {page.with_suffix('.csv').name}")
    failed |= {row.study for row in own if row.ours is None and row.figure in _TESTED}
    if failed:
        raise RunFailedError(f"not all could be tested: {', '.join(sorted(failed))}")


def _chosen(every: Sequence["StudySpec"], names: Sequence[str]) -> list["StudySpec"]:
    known = [study.name for study in every]
    for name in names:
        if name not in known:
            raise UnknownStudyError(f"{name!r} has no published figures; {', '.join(known)} have")
    return [study for study in every if not names or study.name in names]


def _write(page: Path, figures: list["PublishedFigure"], studies: Sequence["StudySpec"]) -> None:
    """The page, and the same as CSV beside it."""
    from hpsearch.pages.published_page import render_published_page
    from hpsearch.report.published import published_csv

    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page.with_suffix(".csv"), published_csv(figures))
    write_text(page, render_published_page(figures, studies))


def _figures(url: str, studies: list["StudySpec"]) -> list["PublishedFigure"]:
    """Every published figure, with what is stored so far."""
    from hpsearch.report.reproduced import reproduced_figures, unmeasured_figures
    from hpsearch.storage.database import open_database

    try:
        with closing(open_database(url, create=False)) as database:
            return reproduced_figures(studies, database)
    except MissingDatabaseError:
        return unmeasured_figures(studies)
