"""Parallel coordinates: every complete trial as a line through its parameters; drawn by Optuna."""

import plotly.graph_objects as go
from optuna.visualization import plot_parallel_coordinate
from plotly.colors import sample_colorscale

from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.parameters import (
    ParametersInfo,
    columns_of,
    get_parameters_info,
    label_width,
    note_on,
    reason_against,
    rows_of,
)
from hpsearch.figures.snapshot import Snapshot, as_optuna_study
from hpsearch.figures.theme import GRID, INK, POINT_SCALE, themed

NAME, TITLE = "parallel-coordinates", "Parallel coordinates"
_LEFT = 50  # pixels before the first axis
MOST_TRIALS = 150  # a line each, of which more would not be told apart


def plot_parallel(info: ParametersInfo, snapshot: Snapshot) -> go.Figure:
    """Optuna's figure in our colours, the best trials on top."""
    study = as_optuna_study(snapshot, info.trials)
    figure = plot_parallel_coordinate(study, params=info.names, target_name=info.objective)
    *lines, _ = figure.data  # the colour bar says what the first axis says
    # a line begins at its value, from 0 for the lowest to 1; in which order is Optuna's to decide
    shares = [float(line.y[0]) for line in lines]
    for line, color in zip(lines, sample_colorscale(POINT_SCALE, shares), strict=True):
        line.update(line={"color": color, "width": 2}, opacity=0.8)
    best_last = sorted(range(len(lines)), key=lambda index: snapshot.sign * shares[index])
    figure = go.Figure([lines[index] for index in best_last], figure.layout)
    figure.update_annotations(font={"size": 11, "color": INK})
    for label in figure.layout.annotations:
        if label.text == "None":  # what a trial has no need of, as the units of no layer
            label.text = "not used"
    figure.update_shapes(line_color=GRID)
    figure.update_layout(
        margin={"l": _LEFT, "r": label_width(info) // 2}, xaxis_side="top", xaxis_tickangle=0
    )
    return themed(figure, height=420, legend=False)


def parallel_figure(snapshot: Snapshot) -> Shown:
    """The parallel coordinates of a study."""
    info = get_parameters_info(snapshot, most_trials=MOST_TRIALS)
    if reason := reason_against(info):
        return NoFigure(NAME, TITLE, reason)
    alt = (
        f"{len(info.trials)} complete trials as lines through {info.objective} and "
        f"{', '.join(info.names)}, coloured by {info.objective}."
    )
    return StudyFigure(
        NAME,
        TITLE,
        alt,
        plot_parallel(info, snapshot),
        columns_of(info),
        rows_of(info),
        note_on(info),
        min_width=_LEFT + label_width(info) * len(info.names) + label_width(info) // 2,
    )
