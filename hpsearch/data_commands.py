"""`hpsearch data`: list the data sets, download and check one, look at one."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hpsearch.home import Home
from hpsearch.options import DATA_DIR, HOME, DataDirOption, HomeOption, JsonOption
from hpsearch.output import check_folder, print_json, stdout

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
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The picture, by default HOME/reports/NAME.png."),
    ] = None,
    home: HomeOption = HOME,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Count a data set's training images by class, and picture the first 25."""
    from hpsearch.catalogue import dataset_info
    from hpsearch.data.files import ensure_files, read_train
    from hpsearch.data.picture import save_samples
    from hpsearch.report.listing import print_class_counts

    info = dataset_info(name)
    path = output or Home(home).reports / f"{info.name}.png"
    if output is not None:
        check_folder(output)
    ensure_files(info, data_dir=data_dir)
    images, labels = read_train(info, data_dir=data_dir)
    save_samples(path, images, labels, info=info)
    print_class_counts(stdout(), info, labels)
    typer.echo(f"the first 25 images: {path}")
