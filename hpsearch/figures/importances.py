"""How much each parameter matters, by Optuna's PED-ANOVA."""

import warnings
from dataclasses import replace
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.parameters import get_parameters_info, reason_against
from hpsearch.figures.snapshot import Snapshot, as_optuna_study
from hpsearch.figures.theme import BLUE, themed
from hpsearch.storage.experimental import experimental_features
from hpsearch.storage.record import OUTCOME

NAME, TITLE = "importances", "Importance of each parameter"
MOST_TRIALS = 1_000
FEWEST_TRIALS = 20

_TOP_SHARE = 0.1  # the better trials, which are told from the rest
_TOP_TRIALS = 5  # at least so many, as Optuna's documentation advises


class ImportancesInfo(NamedTuple):
    """Shares that add up to 1, the largest first; none where there are too few trials."""

    shares: dict[str, float]
    num_trials: int
    num_pruned: int  # of them
    num_top: int  # of them, the better ones
    reason: str  # why there are no shares


def get_importances_info(snapshot: Snapshot, *, most_trials: int = MOST_TRIALS) -> ImportancesInfo:
    """Evaluate the complete trials, and the pruned ones as worse than these."""
    ranking = _ranking(snapshot)[:most_trials]
    parameters = get_parameters_info(replace(snapshot, ranked=ranking), most_trials=most_trials)
    count = len(ranking)
    num_pruned = sum(trial.state is TrialState.PRUNED for trial in ranking)
    num_top = max(_TOP_TRIALS, round(_TOP_SHARE * count))
    reason = reason_against(parameters)
    if not reason and len(parameters.names) == 1:
        reason = f"Only {parameters.names[0]} was varied, so all depends on it."
    if not reason and count < FEWEST_TRIALS:
        reason = (
            f"{count} trials are too few to tell the parameters' importance; "
            f"{FEWEST_TRIALS} complete or pruned ones are needed."
        )
    if reason:
        return ImportancesInfo({}, count, num_pruned, num_top, reason)
    placed = [_placed(trial, snapshot.sign * -place) for place, trial in enumerate(ranking)]
    with experimental_features(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of parameters that few trials have
        shares = get_param_importances(
            as_optuna_study(snapshot, placed),
            evaluator=PedAnovaImportanceEvaluator(target_quantile=(num_top - 0.5) / count),
            params=parameters.names,
        )
    return ImportancesInfo(dict(shares), count, num_pruned, num_top, "")


def _ranking(snapshot: Snapshot) -> list[FrozenTrial]:
    """The complete trials, best first, then the pruned ones, those that came furthest first."""
    if not snapshot.ranked:
        return []
    pruned = [
        trial
        for trial in snapshot.trials
        if trial.state is TrialState.PRUNED and trial.intermediate_values
    ]

    def progress(trial: FrozenTrial) -> tuple[int, float]:
        if trial.user_attrs.get(OUTCOME) == "diverged":
            return 0, 0.0
        last = max(trial.intermediate_values)
        return last, snapshot.sign * trial.intermediate_values[last]

    return [*snapshot.ranked, *sorted(pruned, key=progress, reverse=True)]


def _placed(trial: FrozenTrial, value: float) -> FrozenTrial:
    return create_trial(value=value, params=trial.params, distributions=trial.distributions)


def plot_importances(info: ImportancesInfo) -> go.Figure:
    """Bars, the largest on top."""
    names = list(reversed(info.shares))
    shares = [info.shares[name] for name in names]
    figure = go.Figure()
    figure.add_bar(
        x=shares,
        y=names,
        orientation="h",
        marker_color=BLUE,
        text=[f"{share:.0%}" for share in shares],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    figure.update_layout(xaxis_title="share", xaxis_tickformat=".0%", margin_r=50)
    return themed(figure, height=60 + 30 * len(names), legend=False)


def _pruned(info: ImportancesInfo) -> str:
    if not info.num_pruned:
        return ""
    return (
        f"{info.num_pruned:,} of them are pruned: these count as worse than the complete ones, "
        "those that came further as better, diverged ones as the worst. "
    )


def importances_figure(snapshot: Snapshot) -> Shown:
    """The importances of a study's parameters."""
    info = get_importances_info(snapshot)
    if not info.shares:
        return NoFigure(NAME, TITLE, info.reason)
    told = ", ".join(f"{name} {share:.0%}" for name, share in info.shares.items())
    note = (
        f"By PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255): what tells the best "
        f"{info.num_top:,} of {info.num_trials:,} trials from the rest. {_pruned(info)}"
        "Parameters without effect are left out."
    )
    rows: list[tuple[object, ...]] = list(info.shares.items())
    alt = f"Importance of each parameter: {told}."
    columns = ("parameter", "importance")
    return StudyFigure(NAME, TITLE, alt, plot_importances(info), columns, rows, note)
