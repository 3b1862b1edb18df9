"""`hpsearch report`: a study as a page, its figures as files, their data as CSV."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hpsearch.commands.options import (
    DATA_DIR,
    HOME,
    DataDirOption,
    HomeOption,
    StorageOption,
    StudyOption,
)
from hpsearch.commands.stored import stored_study
from hpsearch.errors import UserError
from hpsearch.home import Home
from hpsearch.output import check_folder, tell, write_text


def report(
    study: StudyOption,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The page, by default HOME/reports/STUDY.html."),
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Write every figure into this folder, too.")
    ] = None,
    format_: Annotated[
        Literal["png", "svg"] | None,
        typer.Option("--format", help="Of the figures' files, by default png."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every figure's data into this folder, too.")
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            "--images",
            help="Validation images for the feature maps, as 3,17; by default one of each class.",
        ),
    ] = None,
    home: HomeOption = HOME,
    storage: StorageOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Write a study's page: result, search, winner; also while it is being searched."""
    from hpsearch.figures.figure import StudyFigure
    from hpsearch.figures.files import csv_files, draw_files, write_files
    from hpsearch.pages.contents import read_contents
    from hpsearch.pages.set_page import SetContents, render_set_page
    from hpsearch.pages.study_page import render_study_page

    if format_ is not None and figures is None:
        raise UserError("--format is that of --figures; name a folder for them")
    numbers = _image_numbers(images)
    _check_paths(output, [folder for folder in (figures, csv) if folder is not None])
    place = Home(home)
    with stored_study(study, home, storage) as record:
        contents = read_contents(record, home=place, data_dir=data_dir, images=numbers)
    drawn = [figure for figure in contents.figures if isinstance(figure, StudyFigure)]
    files = draw_files(drawn, image_format=format_ or "png") if figures is not None else {}
    if isinstance(contents, SetContents):
        page = render_set_page(contents)
    else:
        page = render_study_page(contents)
    path = output or place.report(study)
    _write_page(path, page)
    tell(f"report: {path}")
    if figures is not None:
        write_files(figures, files)
        tell(f"figures: {len(files)} files in {figures}")
    if csv is not None:
        tables = csv_files(drawn) | contents.layer_files
        write_files(csv, tables)
        tell(f"data: {len(tables)} files in {csv}")


def _image_numbers(text: str | None) -> list[int] | None:
    """`3,17` as numbers."""
    if text is None:
        return None
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise UserError(f"--images {text!r} is not allowed; write numbers as 3,17") from None


def _check_paths(output: Path | None, folders: list[Path]) -> None:
    """Refuse what cannot be written before any work is done."""
    if output is not None:
        check_folder(output)
    for folder in folders:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file, not a folder")


def _write_page(path: Path, page: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
    write_text(path, page)
