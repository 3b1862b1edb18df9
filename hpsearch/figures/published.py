"""Test accuracies beside those that were published."""

from typing import NamedTuple

import plotly.graph_objects as go

from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.theme import BLUE, VERMILLION, themed
from hpsearch.report.published import PublishedFigure

NAME, TITLE = "accuracies", "Test accuracies, published and ours"


class AccuracyPair(NamedTuple):
    """One published test accuracy and ours."""

    label: str
    published: float
    ours: float
    std: float | None  # None for a single network


def get_published_info(figures: list[PublishedFigure]) -> list[AccuracyPair]:
    """The test accuracies that were measured, in their order."""
    return [
        AccuracyPair(f"{row.study}: {row.subject}", row.published, row.ours, row.std)
        for row in figures
        if row.figure == "test accuracy" and row.ours is not None
    ]


def plot_published(info: list[AccuracyPair]) -> go.Figure:
    """Configurations downwards, accuracy to the right."""
    labels = [pair.label for pair in info]
    figure = go.Figure()
    figure.add_scatter(
        x=[pair.published for pair in info],
        y=labels,
        mode="markers",
        marker={"color": VERMILLION, "size": 10, "symbol": "diamond-open", "line": {"width": 2}},
        name="published",
    )
    figure.add_scatter(
        x=[pair.ours for pair in info],
        y=labels,
        error_x={"array": [pair.std for pair in info], "thickness": 2, "width": 4},
        mode="markers",
        marker={"color": BLUE, "size": 8},
        name="ours, mean ± deviation",
    )
    figure.update_layout(
        xaxis={"title": "test accuracy"}, yaxis={"type": "category", "autorange": "reversed"}
    )
    return themed(figure, height=140 + 22 * len(info))


def published_figure(figures: list[PublishedFigure]) -> Shown:
    """Every published test accuracy that has one of ours."""
    info = get_published_info(figures)
    if not info:
        return NoFigure(NAME, TITLE, "No network with a published test accuracy is tested yet.")
    near = sum(abs(pair.ours - pair.published) <= 0.01 for pair in info)
    return StudyFigure(
        NAME,
        TITLE,
        f"{len(info)} published test accuracies beside ours; {near} differ by 0.01 at most.",
        plot_published(info),
        ("configuration", "published", "ours", "deviation"),
        [tuple(pair) for pair in info],
        min_width=560,
    )
