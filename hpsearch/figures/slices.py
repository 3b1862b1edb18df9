"""Slices: the objective by each parameter; drawn by Optuna, arranged by us."""

import plotly.graph_objects as go
from optuna.visualization import plot_slice

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
from hpsearch.figures.theme import POINT_SCALE, themed

NAME, TITLE = "slices", "The objective by each parameter"
MOST_TRIALS = 500  # points in each of the plots
_ROW = 240  # pixels of height
_COLUMNS = 4
_TITLE = 13  # pixels


def plot_slices(info: ParametersInfo, snapshot: Snapshot) -> go.Figure:
    """Optuna's figure as a grid of at most four columns."""
    study = as_optuna_study(snapshot, info.trials)
    figure = plot_slice(study, params=info.names, target_name=info.objective)
    colorbar = {"title": "trial"}
    figure.update_traces(marker={"colorscale": POINT_SCALE, "size": 7, "colorbar": colorbar})
    for trace in figure.data:  # the study in memory has numbers of its own
        trace.marker.color = [info.trials[place].number for place in trace.marker.color]
    for axis in figure.select_xaxes({"type": "category"}):
        axis.categoryarray = _in_order(list(axis.categoryarray))
    figure.update_xaxes(title_font_size=_TITLE)
    columns = min(_COLUMNS, len(info.names))
    rows = -(-len(info.names) // columns)
    _arrange(figure, count=len(info.names), rows=rows, columns=columns)
    return themed(figure, height=40 + _ROW * rows, legend=False)


def _in_order(labels: list[str]) -> list[str]:
    """Choices by their values if all are numbers, else as the study file has them."""
    try:
        return sorted(labels, key=float)
    except ValueError:
        return labels


def _arrange(figure: go.Figure, *, count: int, rows: int, columns: int) -> None:
    """Put the plots of Optuna's one row into a grid."""
    gap = 0.15  # of a column, for the ends of tick labels
    height = (1 - 0.3 * (rows - 1) / rows) / rows
    for index in range(count):
        row, column = divmod(index, columns)
        left = column / columns
        top = 1 - row * (1 - height) / max(rows - 1, 1)
        number = "" if index == 0 else str(index + 1)
        right = left + 1 / columns - (gap / columns if columns > 1 else 0)
        figure.layout[f"xaxis{number}"].update(domain=[left, min(right, 1.0)])
        figure.layout[f"yaxis{number}"].update(
            domain=[max(0.0, top - height), min(1.0, top)],
            showticklabels=column == 0,
            title=figure.layout.yaxis.title if column == 0 else None,
        )


def slices_figure(snapshot: Snapshot) -> Shown:
    """The slices of a study."""
    info = get_parameters_info(snapshot, most_trials=MOST_TRIALS)
    if reason := reason_against(info):
        return NoFigure(NAME, TITLE, reason)
    alt = (
        f"{len(info.names)} plots of {info.objective} by {', '.join(info.names)}, "
        f"a point for each of {len(info.trials)} complete trials, "
        "from blue for the first to red for the last."
    )
    return StudyFigure(
        NAME,
        TITLE,
        alt,
        plot_slices(info, snapshot),
        columns_of(info),
        rows_of(info),
        note_on(info),
        min_width=(label_width(info) + 30) * min(_COLUMNS, len(info.names)) + 120,
    )
