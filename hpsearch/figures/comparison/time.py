"""What accuracy costs: seconds of training a network against its test accuracy."""

from typing import NamedTuple

import plotly.graph_objects as go

from hpsearch.figures.comparison.words import plain
from hpsearch.figures.figure import StudyFigure
from hpsearch.figures.theme import COLORS, themed
from hpsearch.report.comparison import Comparison
from hpsearch.report.comparison_tables import short_names

NAME, TITLE = "time", "Training time against accuracy"
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
_DECADE = 10  # from this ratio of the longest time to the shortest on the axis is logarithmic


class TimeInfo(NamedTuple):
    """One network."""

    name: str  # its contender's
    seed: int
    train_seconds: float
    accuracy: float
    num_parameters: int


def get_time_info(comparison: Comparison) -> list[TimeInfo]:
    """Every network of every contender."""
    names = short_names(comparison.contenders)
    return [
        TimeInfo(
            names[contender.label],
            network.seed,
            network.evaluation.train_seconds,
            network.evaluation.accuracy,
            network.evaluation.num_parameters,
        )
        for contender in comparison.contenders
        for network in contender.networks
    ]


def plot_time(info: list[TimeInfo]) -> go.Figure:
    """A colour and a symbol a contender; fast and accurate is above on the left."""
    figure = go.Figure()
    for index, name in enumerate(dict.fromkeys(one.name for one in info)):
        own = [one for one in info if one.name == name]
        figure.add_scatter(
            x=[one.train_seconds for one in own],
            y=[one.accuracy for one in own],
            customdata=[one.seed for one in own],
            mode="markers",
            marker={
                "color": COLORS[index % len(COLORS)],
                "symbol": _SYMBOLS[(index + index // len(COLORS)) % len(_SYMBOLS)],
                "size": 11,
            },
            name=plain(name),
            showlegend=True,
            hovertemplate="seed %{customdata}: %{x:.1f} s, %{y:.4f}",
        )
    times = [one.train_seconds for one in info]
    kind = "log" if min(times) > 0 and max(times) / min(times) > _DECADE else "linear"
    figure.update_layout(
        xaxis={"title": "seconds of training a network", "type": kind},
        yaxis={"title": "test accuracy"},
        hovermode="closest",
    )
    return themed(figure, height=380 + 10 * len(figure.data))


def time_figure(comparison: Comparison) -> StudyFigure:
    """Time against accuracy."""
    info = get_time_info(comparison)
    names = short_names(comparison.contenders)
    spoken = ", ".join(
        f"{names[one.label]} {one.train_seconds:.1f} s for {one.accuracy.mean:.4f}"
        for one in comparison.contenders
    )
    return StudyFigure(
        NAME,
        TITLE,
        f"Seconds of training against test accuracy, means: {spoken}.",
        plot_time(info),
        ("contender", "seed", "seconds", "test accuracy", "parameters"),
        list(info),
        "A mark a network. Times are comparable where they were taken on one machine.",
    )
