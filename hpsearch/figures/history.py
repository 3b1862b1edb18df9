"""The optimisation history: every trial's objective, and the best so far."""

from itertools import accumulate
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.snapshot import Snapshot
from hpsearch.figures.theme import BLUE, GREEN, INK, themed
from hpsearch.records import best_epoch

NAME, TITLE = "history", "Optimisation history"


class HistoryInfo(NamedTuple):
    """Trials with a value, by number."""

    objective: str
    complete: list[tuple[int, float]]  # number, value
    pruned: list[tuple[int, float]]  # the value at its best epoch
    best: list[float]  # after each complete trial


def get_history_info(snapshot: Snapshot) -> HistoryInfo:
    """The values of complete and of pruned trials."""
    complete, pruned = [], []
    for trial in snapshot.trials:
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            complete.append((trial.number, trial.value))
        elif trial.state == TrialState.PRUNED and (epochs := snapshot.epochs(trial.number)):
            best = best_epoch(epochs, objective=snapshot.objective)
            pruned.append((trial.number, best.value_of(snapshot.objective)))
    better = max if snapshot.sign > 0 else min
    return HistoryInfo(
        objective=snapshot.objective,
        complete=complete,
        pruned=pruned,
        best=list(accumulate((value for _, value in complete), better)),
    )


def plot_history(info: HistoryInfo) -> go.Figure:
    """Points by trial, and the best as steps."""
    figure = go.Figure()
    for name, points, marker in (
        ("pruned, at its best epoch", info.pruned, {"symbol": "x-thin-open", "color": INK}),
        ("complete", info.complete, {"color": BLUE, "size": 8}),
    ):
        figure.add_scatter(
            x=[number for number, _ in points],
            y=[value for _, value in points],
            mode="markers",
            name=name,
            marker=marker,
            hovertemplate="trial %{x}: %{y:.4f}",
        )
    figure.add_scatter(
        x=[number for number, _ in info.complete],
        y=info.best,
        mode="lines",
        name="best so far",
        line={"shape": "hv", "color": GREEN},
        hovertemplate="best: %{y:.4f}",
    )
    figure.update_layout(xaxis_title="trial", yaxis_title=info.objective)
    return themed(figure)


def history_figure(snapshot: Snapshot) -> Shown:
    """The optimisation history of a study."""
    info = get_history_info(snapshot)
    if not info.complete and not info.pruned:
        return NoFigure(NAME, TITLE, "No trial has a value yet.")
    best = f"the best reaches {info.best[-1]:.4f}" if info.best else "none is complete yet"
    alt = (
        f"{info.objective} of {len(info.complete)} complete and {len(info.pruned)} pruned trials "
        f"by number; {best}."
    )
    rows: list[tuple[object, ...]] = [
        *(
            (number, "complete", value, best)
            for (number, value), best in zip(info.complete, info.best, strict=True)
        ),
        *((number, "pruned", value, None) for number, value in info.pruned),
    ]
    columns = ("trial", "state", info.objective, "best so far")
    rows.sort(key=lambda row: int(str(row[0])))
    return StudyFigure(NAME, TITLE, alt, plot_history(info), columns, rows)
