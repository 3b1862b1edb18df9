"""The options that several commands share, and what of them excludes what."""

from pathlib import Path
from typing import Annotated

import typer

from hpsearch.errors import UserError


def _given(text: str) -> str:
    """What an option was given; an unset variable of a shell script is not taken for nothing."""
    if not text:
        raise typer.BadParameter("is empty")
    return text


def _folder(text: str) -> Path:
    return Path(_given(text))


HomeOption = Annotated[
    Path,
    typer.Option(
        "--home",
        parser=_folder,
        metavar="FOLDER",
        envvar="HPSEARCH_HOME",
        help="Folder of all results.",
    ),
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage",
        parser=_given,
        metavar="URL",
        envvar="HPSEARCH_STORAGE",
        help="Database URL, instead of HOME/hpsearch.db.",
    ),
]
DataDirOption = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        parser=_folder,
        metavar="FOLDER",
        envvar="HPSEARCH_DATA",
        help="Data sets in torchvision's layout.",
    ),
]
StudyOption = Annotated[str, typer.Option("--study", help="The study's name.")]
ConfigurationOption = Annotated[
    str | None, typer.Option("--configuration", help="Of a fixed set: which of its networks.")
]
SeedOption = Annotated[
    int | None,
    typer.Option("--seed", help="The network of this seed alone, instead of all seeds' mean."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
CsvOption = Annotated[
    str | None, typer.Option("--csv", help="Write CSV to a file, or to stdout with '-'.")
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda (every GPU), or cuda:0,1.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        max=1024,
        help="Trials at a time; by default one a GPU or a physical core. 0: in this process.",
    ),
]
WorkersPerGpuOption = Annotated[
    int, typer.Option("--workers-per-gpu", min=1, max=64, help="Trials at a time on each GPU.")
]
PlainOption = Annotated[
    bool,
    typer.Option(
        "--plain", help="PyTorch's own layers and autograd only: slower, for when in doubt."
    ),
]
HOME, DATA_DIR = Path("runs"), Path("data")


def refuse_two_formats(**formats: object) -> None:
    """One command prints one thing on stdout.

    Args:
        formats: what each option was given, by its name; None or False: nothing.

    Raises:
        UserError: more than one is asked for.
    """
    asked = [f"--{name}" for name, given in formats.items() if given not in (None, False)]
    if len(asked) > 1:
        raise UserError(f"{' and '.join(asked)} exclude each other")
