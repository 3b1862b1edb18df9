"""Precision, recall and F1 of each class on the test set, as mean and deviation over seeds."""

import statistics
from typing import NamedTuple

import plotly.graph_objects as go

from hpsearch.figures.confusion import NOT_TESTED
from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.snapshot import Snapshot
from hpsearch.figures.theme import BLUE, GREEN, ORANGE, themed
from hpsearch.records import sample_std

NAME, TITLE = "class-scores", "Scores of each class"
_COLORS = {"precision": ORANGE, "recall": BLUE, "f1": GREEN}


class ClassScore(NamedTuple):
    """One class; means over seeds, and sample standard deviations where there are several."""

    name: str
    precision: float
    precision_std: float | None
    recall: float
    recall_std: float | None
    f1: float
    f1_std: float | None
    support: int  # test images


def get_class_scores_info(snapshot: Snapshot) -> list[ClassScore]:
    """The classes in label order; none before the test."""
    if snapshot.reading is None:
        return []
    seeds = [evaluation.classes for evaluation in snapshot.reading.evaluations]
    scores = []
    for name in seeds[0]:
        (precision, precision_std), (recall, recall_std), (f1, f1_std) = (
            _spread([classes[name][field] for classes in seeds]) for field in _COLORS
        )
        support = int(seeds[0][name]["support"])
        scores.append(
            ClassScore(name, precision, precision_std, recall, recall_std, f1, f1_std, support)
        )
    return scores


def _spread(values: list[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation."""
    return statistics.mean(values), sample_std(values)


def plot_class_scores(info: list[ClassScore]) -> go.Figure:
    """Three marks a class with the deviation over seeds."""
    figure = go.Figure()
    symbols = {"precision": "triangle-up", "recall": "circle", "f1": "diamond"}
    for field, color in _COLORS.items():
        figure.add_scatter(
            x=[getattr(score, field) for score in info],
            y=[score.name for score in info],
            error_x={"array": [getattr(score, f"{field}_std") for score in info], "thickness": 1},
            mode="markers",
            marker={"color": color, "size": 10, "symbol": symbols[field]},
            name=field,
            hovertemplate="%{y}: %{x:.4f}",
        )
    figure.update_layout(xaxis_title="score", yaxis={"type": "category", "autorange": "reversed"})
    return themed(figure, height=120 + 30 * len(info))


def class_scores_figure(snapshot: Snapshot) -> Shown:
    """The scores by class of the snapshot's reading."""
    info = get_class_scores_info(snapshot)
    if not info:
        return NoFigure(NAME, TITLE, NOT_TESTED)
    worst = min(info, key=lambda score: score.f1)
    best = max(info, key=lambda score: score.f1)
    alt = (
        f"Precision, recall and F1 of {len(info)} classes: F1 from {worst.f1:.4f} ({worst.name}) "
        f"to {best.f1:.4f} ({best.name})."
    )
    rows: list[tuple[object, ...]] = list(info)
    columns = ("class", *ClassScore._fields[1:])
    assert snapshot.reading is not None
    many = len(snapshot.reading.evaluations) > 1
    note = "Means over seeds; the bars are sample standard deviations." if many else "Of one seed."
    return StudyFigure(NAME, TITLE, alt, plot_class_scores(info), columns, rows, note)
