"""`hpsearch data`: list the data sets, download and check one, look at one, also one's own."""

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
from hpsearch.mistakes import MistakeError
from hpsearch.output import print_json, stdout, tell

if TYPE_CHECKING:
    from hpsearch.catalogue import DatasetInfo
    from hpsearch.spec import StudySpec

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
    from hpsearch.catalogue import dataset_info, parse_own
    from hpsearch.data.files import ensure_files

    if parse_own(name) is not None:
        raise UserError(f"{name} is yours, there is nothing to get; look at it: data show {name}")
    info = dataset_info(name)
    ensure_files(info, data_dir=data_dir)
    where = "ships with scikit-learn" if info.folder is None else f"in {data_dir / info.folder}"
    tell(f"{info.title}: complete and checked, {where}")


@data_app.command("show")
def data_show(
    name: Annotated[
        str, typer.Argument(help="A data set's name, or folder:PATH, npz:PATH, idx:PATH.")
    ],
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
    size: Annotated[
        str | None, typer.Option(help="Of one's own: resized to so many pixels, 64 or 48x64.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Count a data set's classes, measure its pixels, picture the first 25 and ten a class."""
    from hpsearch.data.files import ensure_files, read_train
    from hpsearch.data.picture import save_class_grid, save_samples
    from hpsearch.data.summary import summarize_dataset
    from hpsearch.report.dataset import print_summary
    from hpsearch.studytables import Training

    if study is None:
        info, training = _dataset(name, size=size), Training()
    elif size is not None:
        raise UserError("--size and --study exclude each other; the study has its own size")
    else:
        spec = _spec_of(study, home, storage)
        _check_same(spec, name)
        info, training = spec.dataset, spec.training
    if output is not None and os.path.isfile(output):  # no error, however long the name
        raise UserError(f"{output} is a file, not a folder")
    folder = output or Home(home).reports
    ensure_files(info, data_dir=data_dir)
    images, labels = read_train(info, data_dir=data_dir)
    summary = summarize_dataset(info, training, images, labels, data_dir=data_dir)
    first, by_class = (folder / f"{info.file_stem}-{what}.png" for what in ("first-25", "by-class"))
    save_samples(first, images, labels, info=info)
    save_class_grid(by_class, images, labels, info=info)
    if json_:
        pictures = {"first_25": str(first), "by_class": str(by_class)}
        print_json({**asdict(summary), "pictures": pictures})
    else:
        print_summary(stdout(), summary)
        tell("")
        tell(f"the first 25 images: {first}")
        tell(f"ten of each class: {by_class}")


def _dataset(name: str, *, size: str | None) -> "DatasetInfo":
    """The data set of this name; one's own is found relative to the working folder."""
    from hpsearch.catalogue import dataset_info, parse_own
    from hpsearch.data.own import describe_own
    from hpsearch.studytables import OwnImages, check_table

    if parse_own(name) is None:
        if size is not None:
            raise UserError(f"--size is for data of one's own; {name} has its own size")
        return dataset_info(name)
    sides = [] if size is None else size.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise UserError(f"--size {size!r}: write 64, or 48x64 for height and width")
    numbers = [int(side) for side in sides]
    try:
        settings = check_table(OwnImages, {"size": numbers * (3 - len(numbers))} if sides else {})
    except MistakeError as mistake:
        raise UserError(f"--{mistake}") from None
    return describe_own(name, settings, folder=Path())


def _check_same(spec: "StudySpec", name: str) -> None:
    from hpsearch.catalogue import dataset_info, own_name, parse_own

    wanted = dataset_info(name).name if parse_own(name) is None else own_name(name, folder=Path())
    if spec.dataset.name != wanted:
        raise UserError(f"study {spec.name!r} is on {spec.dataset.name}, not on {wanted}")


def _spec_of(study: str, home: Path, storage: str | None) -> "StudySpec":
    from hpsearch.report.status import stored_spec
    from hpsearch.studyfiles import find_study_file
    from hpsearch.studyparser import load_study_file

    with (
        suppress(MissingDatabaseError, UnknownStudyError),
        stored_study(study, home, storage) as record,
    ):
        return stored_spec(record)
    return load_study_file(find_study_file(study))
