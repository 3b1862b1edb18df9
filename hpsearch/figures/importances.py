"""How much each parameter matters, by Optuna's PED-ANOVA."""

import warnings
from typing import NamedTuple

import plotly.graph_objects as go
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.parameters import get_parameters_info, reason_against
from hpsearch.figures.snapshot import Snapshot, as_optuna_study
from hpsearch.figures.theme import BLUE, themed
from hpsearch.storage.experimental import experimental_features

NAME, TITLE = "importances", "Importance of each parameter"
MOST_TRIALS = 1_000


class ImportancesInfo(NamedTuple):
    """Shares that add up to 1, the largest first; none where there are too few trials."""

    shares: dict[str, float]
    num_trials: int
    reason: str  # why there are none


def get_importances_info(snapshot: Snapshot, *, most_trials: int = MOST_TRIALS) -> ImportancesInfo:
    """Evaluate the complete trials; Optuna itself says where there are too few of them."""
    parameters = get_parameters_info(snapshot, most_trials=most_trials)
    count = len(parameters.trials)
    if reason := reason_against(parameters):
        return ImportancesInfo({}, count, reason)
    if len(parameters.names) == 1:
        only = parameters.names[0]
        return ImportancesInfo({}, count, f"Only {only} was varied, so all depends on it.")
    study = as_optuna_study(snapshot, parameters.trials)
    with experimental_features(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            shares = get_param_importances(
                study, evaluator=PedAnovaImportanceEvaluator(), params=parameters.names
            )
        except UserWarning:
            reason = f"{count} complete trials are too few to tell the parameters' importance."
            return ImportancesInfo({}, count, reason)
    return ImportancesInfo(dict(shares), count, "")


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


def importances_figure(snapshot: Snapshot) -> Shown:
    """The importances of a study's parameters."""
    info = get_importances_info(snapshot)
    if not info.shares:
        return NoFigure(NAME, TITLE, info.reason)
    told = ", ".join(f"{name} {share:.0%}" for name, share in info.shares.items())
    note = (
        f"From {info.num_trials:,} complete trials, by PED-ANOVA "
        "(Watanabe et al. 2023, arXiv:2304.10255): what tells the better trials from the rest. "
        "Pruned trials are not in it, nor are parameters without effect."
    )
    rows: list[tuple[object, ...]] = list(info.shares.items())
    alt = f"Importance of each parameter: {told}."
    columns = ("parameter", "importance")
    return StudyFigure(NAME, TITLE, alt, plot_importances(info), columns, rows, note)
