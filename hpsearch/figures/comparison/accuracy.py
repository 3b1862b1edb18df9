"""Test accuracy of every contender: a point a seed, mean and deviation."""

from typing import NamedTuple

import plotly.graph_objects as go

from hpsearch.figures.comparison.words import plain
from hpsearch.figures.figure import StudyFigure
from hpsearch.figures.theme import BLUE, SKY, themed
from hpsearch.report.comparison import Comparison
from hpsearch.report.comparison_tables import short_names
from hpsearch.report.terminal import show_spread

NAME, TITLE = "accuracy", "Test accuracy"


class AccuracyInfo(NamedTuple):
    """One contender."""

    name: str
    mean: float
    std: float | None  # sample standard deviation over seeds, None for one
    seeds: list[int]
    accuracies: list[float]  # by seed


def get_accuracy_info(comparison: Comparison) -> list[AccuracyInfo]:
    """The contenders in their order."""
    names = short_names(comparison.contenders)
    return [
        AccuracyInfo(
            names[contender.label],
            contender.accuracy.mean,
            contender.accuracy.std,
            [network.seed for network in contender.networks],
            [network.evaluation.accuracy for network in contender.networks],
        )
        for contender in comparison.contenders
    ]


def plot_accuracy(info: list[AccuracyInfo]) -> go.Figure:
    """Names downwards, accuracy to the right."""
    figure = go.Figure()
    figure.add_scatter(
        x=[accuracy for one in info for accuracy in one.accuracies],
        y=[plain(one.name) for one in info for _ in one.accuracies],
        customdata=[seed for one in info for seed in one.seeds],
        mode="markers",
        marker={"color": SKY, "size": 9, "symbol": "circle-open", "line": {"width": 2}},
        name="one seed",
        hovertemplate="%{y}, seed %{customdata}: %{x:.4f}<extra></extra>",
    )
    figure.add_scatter(
        x=[one.mean for one in info],
        y=[plain(one.name) for one in info],
        error_x={"array": [one.std for one in info], "thickness": 2, "width": 6},
        mode="markers",
        marker={"color": BLUE, "size": 10, "symbol": "diamond"},
        name="mean ± deviation",
        customdata=[show_spread(one.mean, one.std) for one in info],
        hovertemplate="%{y}: %{customdata}<extra></extra>",
    )
    figure.update_layout(
        xaxis={"title": "test accuracy"}, yaxis={"type": "category", "autorange": "reversed"}
    )
    return themed(figure, height=140 + 40 * len(info))


def accuracy_figure(comparison: Comparison) -> StudyFigure:
    """Every contender's accuracy."""
    info = get_accuracy_info(comparison)
    spoken = ", ".join(f"{one.name} {show_spread(one.mean, one.std)}" for one in info)
    rows: list[tuple[object, ...]] = [
        (one.name, seed, accuracy)
        for one in info
        for seed, accuracy in zip(one.seeds, one.accuracies, strict=True)
    ]
    return StudyFigure(
        NAME,
        TITLE,
        f"Test accuracy by contender, mean and deviation over seeds: {spoken}.",
        plot_accuracy(info),
        ("contender", "seed", "test accuracy"),
        rows,
        "A circle a seed; the bars are sample standard deviations.",
    )
