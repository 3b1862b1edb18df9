"""Confusion matrices side by side, and how those on one data set differ."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from hpsearch.figures.cells import Scale, cell_texts, square_axis
from hpsearch.figures.comparison.words import plain
from hpsearch.figures.figure import StudyFigure
from hpsearch.figures.theme import BLUE, SCALE, VERMILLION, themed
from hpsearch.report.comparison import Comparison, Group, pair_name
from hpsearch.report.comparison_tables import short_names

NAME, TITLE = "confusion", "Confusion matrices"
DIFFERENCE, DIFFERENCE_TITLE = "confusion-difference", "Differences of confusion matrices"

_BESIDE = 2  # matrices in a row of them
_SIDE = 430  # pixels of a matrix of ten classes
_LEAST = 0.005  # a share that is written into its cell
# opaque in the middle, too: the ink in a cell is chosen by the cell's own colour
_DIVERGING: Scale = [[0.0, BLUE], [0.5, "#F2F2F2"], [1.0, VERMILLION]]


class MatrixInfo(NamedTuple):
    """One matrix: rows are true classes, columns predicted ones."""

    title: str
    names: tuple[str, ...]
    values: NDArray[np.float64]  # shares of the true class, or differences of them


def get_matrices_info(comparison: Comparison) -> list[MatrixInfo]:
    """Every contender's shares, mean over its networks."""
    names = short_names(comparison.contenders)
    return [
        MatrixInfo(names[contender.label], contender.class_names, contender.shares)
        for contender in comparison.contenders
    ]


def get_differences_info(group: Group) -> list[MatrixInfo]:
    """The shares of all but a group's first contender, minus the first one's."""
    first, *others = group.contenders
    names = short_names(group.contenders)
    return [
        MatrixInfo(
            names[other.label],
            first.class_names,
            other.shares - first.shares,
        )
        for other in others
    ]


def plot_matrices(info: list[MatrixInfo]) -> go.Figure:
    """Shares, two matrices in a row."""
    return _plot(info, scale=SCALE, limits=(0, 1), show="{:.0%}".format, hover=".1%")


def plot_differences(info: list[MatrixInfo]) -> go.Figure:
    """Differences: blue where the first has more, vermillion where the other has."""
    largest = max(float(np.abs(matrix.values).max()) for matrix in info) or 1.0
    return _plot(info, scale=_DIVERGING, limits=(-largest, largest), show=_points, hover="+.1%")


def _plot(
    info: list[MatrixInfo],
    *,
    scale: Scale,
    limits: tuple[float, float],
    show: Callable[[float], str],
    hover: str,
) -> go.Figure:
    num_rows = -(-len(info) // _BESIDE)
    height = 120 + num_rows * (_SIDE + 90)
    figure = make_subplots(
        rows=num_rows,
        cols=min(_BESIDE, len(info)),
        subplot_titles=[plain(matrix.title) for matrix in info],
        horizontal_spacing=0.16,
        vertical_spacing=130 / height if num_rows > 1 else 0,
    )
    for index, matrix in enumerate(info):
        names = [plain(name) for name in matrix.names]
        heatmap = go.Heatmap(
            x=names,
            y=names,
            z=matrix.values,
            text=_texts(matrix.values, show),
            coloraxis="coloraxis",
            xgap=1,
            ygap=1,
            hovertemplate=f"%{{y}} taken for %{{x}}: %{{z:{hover}}}<extra></extra>",
        )
        texts = cell_texts(heatmap, scale=scale, limits=limits, size=10)
        row, column = divmod(index, _BESIDE)
        figure.add_traces([heatmap, *texts], rows=row + 1, cols=column + 1)
        sides = {"row": row + 1, "col": column + 1}
        figure.update_xaxes(square_axis(len(names)), tickangle=-60, title="predicted", **sides)
        figure.update_yaxes(square_axis(len(names), reverse=True), title="true", **sides)
    figure.update_annotations(font_size=13)  # the titles
    figure.update_layout(
        coloraxis={
            "colorscale": scale,
            "cmin": limits[0],
            "cmax": limits[1],
            "colorbar": {
                "tickformat": ".0%",
                "title": {"text": "share of<br>true class"},
                "lenmode": "pixels",
                "len": _SIDE,
                "y": 1,
                "yanchor": "top",
            },
        }
    )
    return themed(figure, height=height)


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _texts(values: NDArray[np.float64], show: Callable[[float], str]) -> list[list[str]]:
    return [
        [show(value) if abs(value) >= _LEAST else "" for value in row] for row in values.tolist()
    ]


def matrices_figure(comparison: Comparison) -> StudyFigure:
    """Every contender's confusion matrix."""
    info = get_matrices_info(comparison)
    spoken = "; ".join(f"{matrix.title} {_worst(matrix)}" for matrix in info)
    return StudyFigure(
        NAME,
        TITLE,
        f"Confusion matrices side by side. Recognised least often: {spoken}.",
        plot_matrices(info),
        ("contender", "true class", "predicted class", "share of true class"),
        _rows(info),
        "Shares of the true class, means over the seeds: a row adds up to 100 %.",
        min_width=980,
    )


def _worst(matrix: MatrixInfo) -> str:
    """The class that is recognised least often, of those with test images."""
    recalls = np.diag(matrix.values)
    there = np.flatnonzero(matrix.values.sum(axis=1))
    worst = there[recalls[there].argmin()]
    return f"{matrix.names[worst]} ({recalls[worst]:.1%})"


def differences_figure(group: Group, *, number: int) -> StudyFigure:
    """How the contenders on one data set differ from the first of them."""
    info = get_differences_info(group)
    first = short_names(group.contenders)[group.contenders[0].label]
    largest = group.confusions[0] if group.confusions else None
    spoken = (
        f"The largest is {pair_name(largest.true, largest.predicted)}, by {largest.size:.1%}."
        if largest
        else "There are none."
    )
    return StudyFigure(
        f"{DIFFERENCE}-{number}",
        f"{DIFFERENCE_TITLE}, {group.dataset}",
        f"Differences of confusion matrices on {group.dataset}. {spoken}",
        plot_differences(info),
        (f"contender, minus {first}", "true class", "predicted class", "difference of shares"),
        _rows(info),
        f"Each minus {first}, in points of the true class's share. Vermillion: more often; blue: "
        "less often. On the diagonal more is better, elsewhere worse.",
        min_width=980 if len(info) > 1 else 680,
    )


def _rows(info: list[MatrixInfo]) -> list[tuple[object, ...]]:
    return [
        (matrix.title, true, predicted, float(matrix.values[i, j]))
        for matrix in info
        for i, true in enumerate(matrix.names)
        for j, predicted in enumerate(matrix.names)
    ]
