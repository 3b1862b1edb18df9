"""The confusion matrix of the test result: counts over all seeds, and shares of each true class."""

from typing import NamedTuple

import plotly.graph_objects as go

from hpsearch.figures.cells import cell_texts, square_axis
from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.snapshot import Snapshot
from hpsearch.figures.theme import SCALE, themed

NAME, TITLE = "confusion", "Confusion matrix"
NOT_TESTED = "The test set has not been read yet, so nothing is known of the classes."


class ConfusionInfo(NamedTuple):
    """Rows are true classes, columns predicted ones."""

    names: list[str]
    counts: list[list[int]]  # summed over seeds
    shares: list[list[float]]  # of the row; 0 where a class has no image
    seeds: int


def get_confusion_info(snapshot: Snapshot) -> ConfusionInfo | None:
    """The newest reading's matrix; None before the first."""
    if snapshot.reading is None:
        return None
    evaluations = snapshot.reading.evaluations
    matrices = [evaluation.confusion for evaluation in evaluations]
    counts = [[sum(cell) for cell in zip(*row, strict=True)] for row in zip(*matrices, strict=True)]
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    return ConfusionInfo(list(evaluations[0].classes), counts, shares, len(evaluations))


def plot_confusion(info: ConfusionInfo, *, is_small: bool = False) -> go.Figure:
    """Colour and lower number: share of the true class; upper number: count.

    A small one has no room for the shares.
    """
    form = "{:,}" if is_small else "{:,}<br>{:.1%}"
    text = [
        [form.format(count, share) if count else "" for count, share in zip(*rows, strict=True)]
        for rows in zip(info.counts, info.shares, strict=True)
    ]
    heatmap = go.Heatmap(
        x=info.names,
        y=info.names,
        z=info.shares,
        text=text,
        customdata=info.counts,
        colorscale=SCALE,
        zmin=0,
        zmax=1,
        xgap=1,
        ygap=1,
        showscale=not is_small,
        colorbar={"title": {"text": "share of<br>true class"}, "tickformat": ".0%"},
        hovertemplate="%{y} taken for %{x}: %{customdata:,}, %{z:.1%}<extra></extra>",
    )
    figure = go.Figure([heatmap, *cell_texts(heatmap, scale=SCALE, limits=(0, 1), size=11)])
    figure.update_layout(
        xaxis={"title": "predicted class", **square_axis(len(info.names))},
        yaxis={"title": "true class", **square_axis(len(info.names), reverse=True)},
    )
    return themed(figure, height=110 + 44 * len(info.names), legend=False)


def confusion_figure(snapshot: Snapshot) -> Shown:
    """The confusion matrix of the snapshot's reading."""
    info = get_confusion_info(snapshot)
    if info is None:
        return NoFigure(NAME, TITLE, NOT_TESTED)
    diagonal = {name: info.shares[i][i] for i, name in enumerate(info.names)}
    worst = min(diagonal, key=lambda name: diagonal[name])
    alt = (
        f"Confusion matrix of {len(info.names)} classes; {worst} is recognised least often, "
        f"in {diagonal[worst]:.1%} of its images."
    )
    note = (
        f"Counts are sums over {_seeds(info.seeds)}; the colour and the second number are the "
        "share of the true class, so a row adds up to 100 %."
    )
    rows: list[tuple[object, ...]] = [
        (true, predicted, info.counts[i][j], info.shares[i][j])
        for i, true in enumerate(info.names)
        for j, predicted in enumerate(info.names)
    ]
    columns = ("true class", "predicted class", "count", "share of true class")
    return StudyFigure(NAME, TITLE, alt, plot_confusion(info), columns, rows, note, min_width=680)


def _seeds(number: int) -> str:
    return "1 seed" if number == 1 else f"{number} seeds"
