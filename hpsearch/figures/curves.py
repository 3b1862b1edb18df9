"""A network's trainings: accuracy and loss by epoch.

Of a search those of the winner, as a finalist and retrained; of a fixed set a configuration's.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.snapshot import Histories, Snapshot
from hpsearch.figures.theme import BLUE, GREEN, VERMILLION, themed
from hpsearch.records import TrainingKey

NAME = "curves"
_TITLES = {True: "Training and validation of the winner", False: "The best trial so far"}
_OF_A_SET = "Training and validation"
_ROLES = {
    "search": "as a trial of the search",
    "finalist": "with fresh seeds",
    "winner": "retrained",
}


class CurvesInfo(NamedTuple):
    """The trainings of one configuration."""

    trainings: Histories
    validated: bool  # whether the retrainings have validation figures
    measures: tuple[str, ...]  # drawn side by side
    roles: Mapping[str, str] = MappingProxyType(_ROLES)  # in words; none where there is only one


def get_curves_info(snapshot: Snapshot) -> CurvesInfo | None:
    """The finalist's and winner's trainings, or the trial's own; None before any trial."""
    trial = snapshot.winner
    if trial is None:
        return None
    after = snapshot.of_role("finalist", trial) | snapshot.of_role("winner", trial)
    trainings = after or {TrainingKey("search", trial): snapshot.epochs(trial)}
    retrained = [epochs for key, epochs in trainings.items() if key.role == "winner"]
    validated = all(metrics.val_loss is not None for epochs in retrained for metrics in epochs)
    return CurvesInfo(trainings, validated, _measures(snapshot))


def _measures(snapshot: Snapshot) -> tuple[str, ...]:
    balanced = snapshot.objective == "val_balanced_accuracy"
    return (*(("balanced_accuracy",) if balanced else ()), "accuracy", "loss")


def plot_curves(info: CurvesInfo) -> go.Figure:
    """Accuracy beside loss, and what was searched by; a line a training."""
    figure = make_subplots(rows=1, cols=len(info.measures), horizontal_spacing=0.1)
    styles = {
        ("training", False): {"color": BLUE, "width": 1.5},
        ("validation", False): {"color": VERMILLION, "width": 2},
        ("training", True): {"color": GREEN, "width": 1.5, "dash": "dash"},
        ("validation", True): {"color": GREEN, "width": 2, "dash": "dot"},
    }
    seen: set[str] = set()
    for key, epochs in info.trainings.items():
        for kind, prefix in (("training", ""), ("validation", "val_")):
            if getattr(epochs[0], f"{prefix}loss") is None:
                continue
            role = info.roles.get(key.role)
            name = f"{kind}, {role}" if role else kind
            for column, measure in enumerate(info.measures, start=1):
                if not hasattr(epochs[0], f"{prefix}{measure}"):
                    continue  # of training batches there is no balanced accuracy
                figure.add_scatter(
                    x=[metrics.epoch for metrics in epochs],
                    y=[getattr(metrics, f"{prefix}{measure}") for metrics in epochs],
                    mode="lines+markers",
                    marker={"size": 4},
                    line=styles[kind, key.role == "winner"],
                    name=name,
                    legendgroup=name,
                    showlegend=name not in seen,
                    hovertemplate=f"{_which(info, key)}, epoch %{{x}}: %{{y:.4f}}",
                    row=1,
                    col=column,
                )
                seen.add(name)
    figure.update_xaxes(title_text="epoch")
    for column, measure in enumerate(info.measures, start=1):
        figure.update_yaxes(title_text=measure.replace("_", " "), col=column)
    return themed(figure, height=420)


def _which(info: CurvesInfo, key: TrainingKey) -> str:
    return f"seed {key.seed}" if info.roles else f"trial {key.trial}"


def curves_figure(snapshot: Snapshot) -> Shown:
    """The curves of the winner, or of the best trial before there is one."""
    title = _TITLES[snapshot.is_chosen]
    info = get_curves_info(snapshot)
    if info is None or not any(info.trainings.values()):
        return NoFigure(NAME, title, "No trial is complete yet.")
    counts = {role: sum(key.role == role for key in info.trainings) for role in _ROLES}
    parts = [f"{n} {_ROLES[role]}" for role, n in counts.items() if n]
    note = f"Trial {snapshot.winner}: {', '.join(parts)}; a line each."
    if counts["winner"] and not info.validated:
        note += (
            " The retrainings use the validation images too, so they have no validation curve "
            "and stop after a fixed number of epochs."
        )
    if counts["search"]:
        note += " It has not been trained again yet."
    return _draw(info, title, note)


def configuration_curves(snapshot: Snapshot, trials: Sequence[int]) -> Shown:
    """The curves of a fixed set's trials of one configuration, one a seed."""
    keys = [TrainingKey("search", trial) for trial in trials]
    trainings = {key: snapshot.histories[key] for key in keys if snapshot.histories.get(key)}
    if not trainings:
        return NoFigure(NAME, _OF_A_SET, "No epoch of it is over yet.")
    many = len(trainings) > 1
    note = f"{len(trainings)} trainings, a line each." if many else "One training."
    return _draw(CurvesInfo(trainings, True, _measures(snapshot), {}), _OF_A_SET, note)


def _draw(info: CurvesInfo, title: str, note: str) -> StudyFigure:
    drawn = " and ".join(measure.replace("_", " ") for measure in info.measures)
    alt = f"{drawn.capitalize()} by epoch of training and validation. {note}"
    columns = (
        "role",
        "trial",
        "seed",
        "epoch",
        "accuracy",
        "val_accuracy",
        "loss",
        "val_loss",
        "learning_rate",
        *(f"val_{measure}" for measure in info.measures if measure == "balanced_accuracy"),
    )
    rows: list[tuple[object, ...]] = [
        (
            key.role,
            key.trial,
            key.seed,
            m.epoch,
            m.accuracy,
            m.val_accuracy,
            m.loss,
            m.val_loss,
            m.learning_rate,
            *((m.val_balanced_accuracy,) if "balanced_accuracy" in info.measures else ()),
        )
        for key, epochs in info.trainings.items()
        for m in epochs
    ]
    return StudyFigure(NAME, title, alt, plot_curves(info), columns, rows, note, min_width=560)
