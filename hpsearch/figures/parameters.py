"""The complete trials by their parameters, as far as Optuna's own figures can show them."""

from typing import NamedTuple

from optuna.trial import FrozenTrial

from hpsearch.figures.snapshot import Snapshot, varied
from hpsearch.space import Scalar


class ParametersInfo(NamedTuple):
    """The best complete trials and what differs between them."""

    objective: str
    names: list[str]  # of the parameters with more than one value
    fixed: list[str]  # with one value only
    idle: list[str]  # whose values made no difference
    trials: list[FrozenTrial]  # by number
    left_out: int  # complete trials that are worse


def get_parameters_info(snapshot: Snapshot, *, most_trials: int) -> ParametersInfo:
    """The complete trials, the best of them where there are too many to draw."""
    kept = sorted(snapshot.ranked[:most_trials], key=lambda trial: trial.number)
    several = varied(kept)
    names = sorted(name for name in several if name not in snapshot.idle)
    everything = dict.fromkeys(name for trial in kept for name in trial.params)
    return ParametersInfo(
        objective=snapshot.objective,
        names=names,
        fixed=[name for name in everything if name not in several],
        idle=[name for name in several if name in snapshot.idle],
        trials=kept,
        left_out=len(snapshot.ranked) - len(kept),
    )


def reason_against(info: ParametersInfo) -> str:
    """Why trials cannot be told apart by parameters; empty where they can."""
    if not info.trials:
        return "No trial is complete yet."
    if len(info.trials) == 1:
        return "Only one trial is complete; two are needed to compare parameters."
    if not info.names:
        return "No parameter has two different values."
    return ""


def note_on(info: ParametersInfo) -> str:
    """Which trials are drawn, and what is left out."""
    parts = [f"The {len(info.trials)} complete trials"]
    if info.left_out:
        parts = [f"The best {len(info.trials)} complete trials; {info.left_out:,} are left out"]
    hidden = {"with one value": info.fixed, "without effect": info.idle}
    listed = [f"{kind} ({', '.join(names)})" for kind, names in hidden.items() if names]
    if listed:
        parts.append(f"parameters {' or '.join(listed)} are not shown")
    return "; ".join(parts) + "."


def label_width(info: ParametersInfo) -> int:
    """Pixels that the longest label needs."""
    return 16 + 8 * max(len(name) for name in (info.objective, *info.names))


def columns_of(info: ParametersInfo) -> tuple[str, ...]:
    """The columns of the data."""
    return ("trial", info.objective, *info.names)


def rows_of(info: ParametersInfo) -> list[tuple[object, ...]]:
    """Trial, value, and every parameter that differs."""
    missing: Scalar | None = None
    return [
        (trial.number, trial.value, *(trial.params.get(name, missing) for name in info.names))
        for trial in info.trials
    ]
