"""What a figure is to those who show it: a page, the dashboard, a file, a table."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from hpsearch.report.spreadsheet import csv_text

Pixels = NDArray[np.uint8]  # (H, W) grey or (H, W, 3)


@dataclass(frozen=True)
class Picture:
    """One image of a gallery."""

    pixels: Pixels
    caption: str
    alt: str


@dataclass(frozen=True)
class StudyFigure:
    """A plot with what it says in words and in numbers."""

    name: str  # of its file and its place in a page: letters, digits and '-'
    title: str
    alt: str  # what it shows, for who cannot see it
    plot: go.Figure
    columns: tuple[str, ...]  # of its data
    rows: list[tuple[object, ...]]
    note: str = ""  # how it is to be read, and what was left out of it
    min_width: int = 0  # pixels; where there are fewer it is scrolled, not squeezed
    pictures: tuple[Picture, ...] = ()  # of a gallery, which a page shows instead of the plot

    def csv(self) -> str:
        """The data as RFC 4180 CSV, in full precision."""
        return csv_text(self.columns, self.rows)


@dataclass(frozen=True)
class NoFigure:
    """A figure that cannot be drawn, or not yet."""

    name: str
    title: str
    reason: str  # a sentence


Shown = StudyFigure | NoFigure
