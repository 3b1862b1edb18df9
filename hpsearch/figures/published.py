"""Test accuracies beside those that were published."""

import html
from itertools import groupby
from typing import NamedTuple

import plotly.graph_objects as go

from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.theme import BLUE, VERMILLION, themed
from hpsearch.report.published import PublishedFigure

NAME, TITLE = "accuracies", "Test accuracies, published and ours"
_HOVER = "%{customdata}<br>%{x:.4f}"


class AccuracyPair(NamedTuple):
    """One published test accuracy and ours."""

    study: str
    configuration: str
    published: float
    ours: float
    std: float | None  # None for a single network


def get_published_info(figures: list[PublishedFigure]) -> list[AccuracyPair]:
    """The test accuracies that were measured, in their order."""
    return [
        AccuracyPair(row.study, row.subject, row.published, row.ours, row.std)
        for row in figures
        if row.figure == "test accuracy" and row.ours is not None
    ]


def plot_published(info: list[AccuracyPair]) -> go.Figure:
    """Configurations downwards, below the name of their study; accuracy to the right."""
    labels: list[str] = []  # of the rows from the top
    rows: list[int] = []  # each pair's
    for study, pairs in groupby(info, key=lambda pair: pair.study):
        labels.append(f"<b>{html.escape(study)}</b>")
        for pair in pairs:
            rows.append(len(labels))
            labels.append(html.escape(pair.configuration))
    names = [f"{pair.study}: {pair.configuration}" for pair in info]
    figure = go.Figure()
    figure.add_scatter(
        x=[pair.published for pair in info],
        y=rows,
        mode="markers",
        marker={"color": VERMILLION, "size": 10, "symbol": "diamond-open", "line": {"width": 2}},
        name="published",
        customdata=names,
        hovertemplate=_HOVER,
    )
    figure.add_scatter(
        x=[pair.ours for pair in info],
        y=rows,
        error_x={"array": [pair.std for pair in info], "thickness": 2, "width": 4},
        mode="markers",
        marker={"color": BLUE, "size": 8},
        name="ours, mean ± deviation",
        customdata=names,
        hovertemplate=_HOVER,
    )
    figure.update_layout(
        xaxis={"title": "test accuracy"},
        yaxis={
            "tickvals": list(range(len(labels))),
            "ticktext": labels,
            "range": [len(labels) - 0.5, -0.5],
        },
    )
    return themed(figure, height=140 + 20 * len(labels))


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
        ("study", "configuration", "published", "ours", "deviation"),
        [tuple(pair) for pair in info],
        min_width=480,
    )
