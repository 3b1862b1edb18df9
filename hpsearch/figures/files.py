"""Figures as files: PNG or SVG through plotly's kaleido and a browser, and their data as CSV."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import plotly.io

from hpsearch.errors import UserError
from hpsearch.figures.figure import StudyFigure
from hpsearch.figures.theme import for_a_file
from hpsearch.home import atomic_path
from hpsearch.text import one_line

ImageFormat = Literal["png", "svg"]
_WIDTH = 1_000  # pixels; a PNG has twice as many
_REMEDY = (
    'figures as files need kaleido and a browser: pip install "hpsearch[figures]", and install '
    "Chromium or Chrome"
)


def draw_files(figures: Sequence[StudyFigure], *, image_format: ImageFormat) -> dict[str, bytes]:
    """Every figure as the content of a file, by the file's name; nothing is written.

    Raises:
        UserError: kaleido or a browser is missing.
    """
    try:
        import kaleido  # noqa: F401
    except ImportError:
        raise UserError(f"{_REMEDY} (kaleido is not installed)") from None
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{figure.name}.{image_format}" for figure in figures]
        plots = [for_a_file(figure.plot, title=figure.title) for figure in figures]
        size = {
            "width": [max(_WIDTH, figure.min_width) for figure in figures],
            "height": [plot.layout.height for plot in plots],
        }
        try:
            plotly.io.write_images(plots, paths, format=image_format, scale=2, **size)
        except Exception as error:  # of kaleido, choreographer or plotly, as the browser fails
            raise UserError(f"{_REMEDY} ({one_line(str(error))[:200]})") from error
        return {path.name: path.read_bytes() for path in paths}


def csv_files(figures: Sequence[StudyFigure]) -> dict[str, bytes]:
    """Every figure's data as the content of a CSV file, by the file's name."""
    return {f"{figure.name}.csv": figure.csv().encode("utf-8") for figure in figures}


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder, which is made if need be, each whole or not at all."""
    for name, content in files.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)
