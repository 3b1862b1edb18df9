"""Intermediate curves: the objective of every trial, epoch by epoch."""

from typing import NamedTuple

import plotly.graph_objects as go

from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.snapshot import Snapshot, outcome
from hpsearch.figures.theme import BLUE, FAINT, ORANGE, VERMILLION, themed
from hpsearch.text import counted

NAME, TITLE = "intermediate", "Every trial, epoch by epoch"
MOST_POINTS = 20_000  # that are drawn


class Curve(NamedTuple):
    """One trial."""

    trial: int
    outcome: str
    epochs: list[int]
    values: list[float]


class IntermediateInfo(NamedTuple):
    """All curves."""

    objective: str
    curves: list[Curve]  # by number
    best: int | None  # the best complete trial


def get_intermediate_info(snapshot: Snapshot) -> IntermediateInfo:
    """The curve of every trial that has had an epoch."""
    curves = []
    for trial in snapshot.trials:
        if epochs := snapshot.epochs(trial.number):
            numbers = [metrics.epoch for metrics in epochs]
            values = [metrics.value_of(snapshot.objective) for metrics in epochs]
            curves.append(Curve(trial.number, outcome(trial), numbers, values))
    best = snapshot.ranked[0].number if snapshot.ranked else None
    return IntermediateInfo(snapshot.objective, curves, best)


def curves_to_draw(info: IntermediateInfo, *, most_points: int = MOST_POINTS) -> list[Curve]:
    """As many as there is room for: the best, then those not pruned, then the newest."""
    kept, points = [], 0
    order = sorted(
        info.curves, key=lambda c: (c.trial != info.best, c.outcome == "pruned", -c.trial)
    )
    for curve in order:
        points += len(curve.epochs)
        if points > most_points:
            break
        kept.append(curve)
    return sorted(kept)


def plot_intermediate(info: IntermediateInfo, *, most_points: int = MOST_POINTS) -> go.Figure:
    """Curves by outcome: pruned ones pale, the best strong."""
    curves = curves_to_draw(info, most_points=most_points)
    best = [curve for curve in curves if curve.trial == info.best]
    others = [curve for curve in curves if curve.trial != info.best]
    figure = go.Figure()
    for name, line in (
        ("pruned", {"color": FAINT, "width": 1}),
        ("failed", {"color": ORANGE, "width": 1, "dash": "dot"}),
        ("running", {"color": ORANGE, "width": 2, "dash": "dash"}),
        ("complete", {"color": BLUE, "width": 1.5}),
    ):
        _add(figure, name, [c for c in others if c.outcome == name], line)
    _add(figure, "best", best, {"color": VERMILLION, "width": 3})
    figure.update_layout(xaxis_title="epoch", yaxis_title=info.objective)
    return themed(figure, height=420)


def _add(figure: go.Figure, name: str, curves: list[Curve], line: dict[str, object]) -> None:
    """Curves as one trace, with gaps between them: a thousand traces would be slow."""
    x: list[int | None] = []
    y: list[float | None] = []
    numbers: list[int | None] = []
    for curve in curves:
        x += [*curve.epochs, None]
        y += [*curve.values, None]
        numbers += [curve.trial] * (len(curve.epochs) + 1)
    if curves:
        figure.add_scatter(
            x=x,
            y=y,
            customdata=numbers,
            name=name,
            line=line,
            mode="lines+markers",
            marker={"size": 4},
            hovertemplate="trial %{customdata}, epoch %{x}: %{y:.4f}",
        )


def intermediate_figure(snapshot: Snapshot) -> Shown:
    """The intermediate curves of a study."""
    info = get_intermediate_info(snapshot)
    if not info.curves:
        return NoFigure(NAME, TITLE, "No epoch has been trained yet.")
    longest = max(curve.epochs[-1] for curve in info.curves)
    has_pruned = any(curve.outcome == "pruned" for curve in info.curves)
    grey = ", those that were pruned in grey" if has_pruned else ""
    alt = (
        f"{info.objective} by epoch of {counted(len(info.curves), 'trial')}{grey}; the longest "
        f"trained for {counted(longest, 'epoch')}."
    )
    left_out = len(info.curves) - len(curves_to_draw(info))
    note = (
        f"{left_out:,} trials are in the data and not in the figure, pruned and older ones first."
        if left_out
        else ""
    )
    rows: list[tuple[object, ...]] = [
        (curve.trial, curve.outcome, epoch, value)
        for curve in info.curves
        for epoch, value in zip(curve.epochs, curve.values, strict=True)
    ]
    columns = ("trial", "state", "epoch", info.objective)
    return StudyFigure(NAME, TITLE, alt, plot_intermediate(info), columns, rows, note)
