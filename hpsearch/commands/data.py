"""`hpsearch data`: list the data sets, download and check one, look at one."""

import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpsearch.commands.options import (
    DATA_DIR,
    HOME,
    DataDirOption,
    HomeOption,
    JsonOption,
    StorageOption,
)
from hpsearch.commands.stored import stored_study
from hpsearch.errors import MissingDatabaseError, UnknownStudyError, UserError
from hpsearch.home import Home
from hpsearch.output import print_json, stdout

if TYPE_CHECKING:
    from hpsearch.spec import StudySpec
    from hpsearch.studytables import Training

data_app = typer.Typer(help="Data sets: list them, download and check one, look at one.")


@data_app.command("list")
def data_list(data_dir: DataDirOption = DATA_DIR, json_: JsonOption = False) -> None:
    """List the data sets that a study may name."""
    from hpsearch.report.listing import list_datasets, print_datasets

    rows = list_datasets(data_dir)
    if json_:
        print_json([asdict(row) for row in rows])
    else:
        print_datasets(stdout(), rows)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="A data set's name.")],
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Download a data set if it is not there, and check its files."""
    from hpsearch.catalogue import dataset_info
    from hpsearch.data.files import ensure_files

    info = dataset_info(name)
    ensure_files(info, data_dir=data_dir)
    where = "ships with scikit-learn" if info.folder is None else f"in {data_dir / info.folder}"
    typer.echo(f"{info.title}: complete and checked, {where}")


@data_app.command("show")
def data_show(
    name: Annotated[str, typer.Argument(help="A data set's name.")],
    study: Annotated[
        str | None,
        typer.Option(help="Split as this study does: a stored one, a study file, or its name."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A folder for the pictures instead of HOME/reports."),
    ] = None,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    data_dir: DataDirOption = DATA_DIR,
    json_: JsonOption = False,
) -> None:
    """Count a data set's classes, measure its pixels, picture the first 25 and ten a class."""
    from hpsearch.catalogue import dataset_info
    from hpsearch.data.files import ensure_files, read_train
    from hpsearch.data.picture import save_class_grid, save_samples
    from hpsearch.data.summary import summarize_dataset
    from hpsearch.report.dataset import print_summary
    from hpsearch.studytables import Training

    info = dataset_info(name)
    training = Training()
    if study is not None:
        training = _training_of(study, info.name, home=home, storage=storage)
    if output is not None and not os.path.isdir(output):  # no error, however long the name
        raise UserError(f"{output}: there is no such folder")
    folder = output or Home(home).reports
    ensure_files(info, data_dir=data_dir)
    images, labels = read_train(info, data_dir=data_dir)
    summary = summarize_dataset(info, training, images, labels, data_dir=data_dir)
    first, by_class = (folder / f"{info.name}-{what}.png" for what in ("first-25", "by-class"))
    save_samples(first, images, labels, info=info)
    save_class_grid(by_class, images, labels, info=info)
    if json_:
        pictures = {"first_25": str(first), "by_class": str(by_class)}
        print_json({**asdict(summary), "pictures": pictures})
    else:
        print_summary(stdout(), summary)
        typer.echo(f"\nthe first 25 images: {first}\nten of each class: {by_class}")


def _training_of(study: str, dataset: str, *, home: Path, storage: str | None) -> "Training":
    """The protocol of a study, stored or in a file, on this data set."""
    spec = _spec_of(study, home, storage)
    if spec.dataset.name != dataset:
        raise UserError(f"study {spec.name!r} is on {spec.dataset.name}, not on {dataset}")
    return spec.training


def _spec_of(study: str, home: Path, storage: str | None) -> "StudySpec":
    from hpsearch.report.status import stored_spec
    from hpsearch.spec import load_study_file
    from hpsearch.studyfiles import find_study_file

    with (
        suppress(MissingDatabaseError, UnknownStudyError),
        stored_study(study, home, storage) as record,
    ):
        return stored_spec(record)
    return load_study_file(find_study_file(study))
