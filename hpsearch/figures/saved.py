"""What pruning and early stopping saved: the epochs that trials had, and those spared them."""

import statistics
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from hpsearch.durations import show_duration
from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.snapshot import Snapshot, outcome
from hpsearch.figures.theme import BLUE, FAINT, SKY, themed

NAME, TITLE = "saved", "What pruning and early stopping saved"
MOST_TRIALS = 1_000  # bars


class SavedRow(NamedTuple):
    """One trial that is over."""

    trial: int
    outcome: str
    epochs: int
    spared_epochs: int
    seconds: float
    spared_seconds: float  # the spared epochs, each at the trial's mean time


class SavedInfo(NamedTuple):
    """All trials that are over."""

    max_epochs: int
    rows: list[SavedRow]


def get_saved_info(snapshot: Snapshot) -> SavedInfo:
    """Complete and pruned trials; the rest was spared nothing."""
    rows = []
    for trial in snapshot.trials:
        epochs = snapshot.epochs(trial.number)
        if epochs and trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            spared = snapshot.max_epochs - len(epochs)
            seconds = [metrics.duration_s for metrics in epochs]
            mean_s = statistics.mean(seconds)
            rows.append(
                SavedRow(
                    trial.number, outcome(trial), len(epochs), spared, sum(seconds), spared * mean_s
                )
            )
    return SavedInfo(snapshot.max_epochs, rows)


def plot_saved(info: SavedInfo) -> go.Figure:
    """A bar a trial, up to the epochs that it could have had."""
    shown = info.rows[-MOST_TRIALS:]
    figure = go.Figure()
    for name, color in (("complete", BLUE), ("pruned", SKY)):
        rows = [row for row in shown if row.outcome == name]
        figure.add_bar(
            x=[row.trial for row in rows],
            y=[row.epochs for row in rows],
            name=f"trained, {name}",
            marker={"color": color, "line_width": 0},
            hovertemplate="trial %{x}: %{y} epochs",
        )
    figure.add_bar(
        x=[row.trial for row in shown],
        y=[row.spared_epochs for row in shown],
        customdata=[show_duration(row.spared_seconds) for row in shown],
        name="spared",
        marker={"color": FAINT, "line_width": 0},
        hovertemplate="trial %{x}: %{y} epochs spared, about %{customdata}",
    )
    figure.update_layout(
        barmode="stack", bargap=0.1, xaxis_title="trial", yaxis_title="epochs", bargroupgap=0
    )
    return themed(figure)


def saved_figure(snapshot: Snapshot) -> Shown:
    """What was saved in a study."""
    info = get_saved_info(snapshot)
    if not info.rows:
        return NoFigure(NAME, TITLE, "No trial has ended yet.")
    spared = sum(row.spared_epochs for row in info.rows)
    total = spared + sum(row.epochs for row in info.rows)
    spared_s = sum(row.spared_seconds for row in info.rows)
    total_s = spared_s + sum(row.seconds for row in info.rows)
    note = (
        f"{spared:,} of {total:,} epochs ({spared / total:.0%}), about {show_duration(spared_s)} "
        f"of {show_duration(total_s)} of training, if a trial's spared epochs take as long as its "
        "others."
    )
    left_out = len(info.rows) - MOST_TRIALS
    if left_out > 0:
        note += f" The first {left_out:,} trials are in the sums and not in the figure."
    alt = f"Epochs that each of {len(info.rows)} trials trained for and was spared: {note}"
    rows: list[tuple[object, ...]] = list(info.rows)
    return StudyFigure(NAME, TITLE, alt, plot_saved(info), SavedRow._fields, rows, note)
