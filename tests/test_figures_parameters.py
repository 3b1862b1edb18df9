"""parameters, parallel, slices and importances: what is drawn of the complete trials."""

import math
from typing import Any

import pytest
from made_snapshots import COMPLETE, PRUNED, made_snapshot, made_trial
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, create_trial
from small_studies import small_study

from hpsearch.figures.figure import NoFigure, StudyFigure
from hpsearch.figures.importances import get_importances_info, importances_figure
from hpsearch.figures.parallel import parallel_figure
from hpsearch.figures.parameters import get_parameters_info, note_on
from hpsearch.figures.slices import slices_figure
from hpsearch.figures.theme import BLUE, VERMILLION

# in an order in which the best is neither first nor last
THREE = [
    made_trial(1, COMPLETE, 0.7, units=8, rate=0.01),
    made_trial(4, COMPLETE, 0.9, units=32, rate=0.01),
    made_trial(6, COMPLETE, 0.5, units=8, rate=None),
]


def test_the_best_are_kept_and_a_parameter_that_some_lack_counts_as_varied() -> None:
    info = get_parameters_info(made_snapshot(THREE), most_trials=2)
    assert [trial.number for trial in info.trials] == [1, 4]
    assert (info.names, info.fixed, info.left_out) == (["dense.units"], ["learning_rate"], 1)
    assert get_parameters_info(made_snapshot(THREE), most_trials=3).names == [
        "dense.units",
        "learning_rate",
    ]


def test_a_parameter_without_effect_is_left_out_and_named() -> None:
    space = {"learning_rate": {"low": 1e-4, "high": 1e-1}, "dense.units": [8, 16, 32]}
    document = small_study(space={**space, "dense_layers": 0}).document
    snapshot = made_snapshot(
        [made_trial(n, COMPLETE, n / 9, units=8 * n, rate=n / 100) for n in (1, 2, 4)],
        document=document,
    )
    info = get_parameters_info(snapshot, most_trials=9)
    assert (info.names, info.idle, info.fixed) == (["learning_rate"], ["dense.units"], [])
    assert note_on(info).endswith("parameters without effect (dense.units) are not shown.")


@pytest.mark.parametrize("make", [parallel_figure, slices_figure, importances_figure])
@pytest.mark.parametrize(
    ("trials", "reason"),
    [
        ([], "No trial is complete yet"),
        (THREE[:1], "Only one trial is complete"),
        ([THREE[0], made_trial(9, COMPLETE, 0.8)], "No parameter has two different values"),
    ],
)
def test_trials_that_cannot_be_compared_give_a_sentence(make, trials, reason) -> None:  # type: ignore[no-untyped-def]
    shown = make(made_snapshot(trials))
    assert isinstance(shown, NoFigure)
    assert reason in shown.reason


def rgb(color: str) -> tuple[int, ...]:
    return tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))


def test_the_lines_of_the_parallel_coordinates_are_coloured_by_value_the_best_on_top() -> None:
    figure = parallel_figure(made_snapshot(THREE))
    assert isinstance(figure, StudyFigure)
    lines = figure.plot.data
    assert [line.y[0] for line in lines] == [0, pytest.approx(0.5), 1]
    assert lines[0].line.color == f"rgb{rgb(BLUE)}"
    assert lines[2].line.color == f"rgb{rgb(VERMILLION)}"
    assert figure.rows[1] == (4, 0.9, 32, 0.01)


@pytest.mark.parametrize(
    ("choices", "order"),
    [((128, 16, 64), ("16", "64", "128")), (("sgd", "adam"), ("'sgd'", "'adam'"))],
)
def test_choices_of_numbers_are_drawn_by_size_and_others_as_given(
    choices: tuple[Any, ...], order: tuple[str, ...]
) -> None:
    trials = []
    for number, choice in enumerate(choices):
        params, domains = {"p": choice}, {"p": CategoricalDistribution(choices)}
        trials.append(create_trial(value=0.5, params=params, distributions=domains))
        trials[-1].number = number
    figure = slices_figure(made_snapshot(trials))
    assert isinstance(figure, StudyFigure)
    assert tuple(figure.plot.layout.xaxis.categoryarray) == order


def test_the_slices_are_coloured_by_the_study_s_own_numbers() -> None:
    figure = slices_figure(made_snapshot(THREE))
    assert isinstance(figure, StudyFigure)
    units, rates = figure.plot.data
    assert list(zip(units.x, units.y, units.marker.color, strict=True)) == [
        ("8", 0.7, 1),
        ("8", 0.5, 6),
        ("32", 0.9, 4),
    ]
    assert sorted(rates.marker.color) == [1, 4]
    domains = [figure.plot.layout[axis].domain for axis in ("xaxis", "xaxis2")]
    assert domains[0][1] < domains[1][0]


def test_one_varied_parameter_needs_no_importances() -> None:
    trials = [THREE[0], made_trial(4, COMPLETE, 0.9, units=32)]
    assert get_importances_info(made_snapshot(trials)).reason == (
        "Only dense.units was varied, so all depends on it."
    )


def test_too_few_trials_have_no_importances() -> None:
    info = get_importances_info(made_snapshot(THREE))
    assert (info.shares, info.reason) == (
        {},
        "3 trials are too few to tell the parameters' importance; "
        "20 complete or pruned ones are needed.",
    )


def pruned(number: int, epoch: int, value: float, *, units: int, rate: float) -> FrozenTrial:
    trial = made_trial(number, PRUNED, units=units, rate=rate)
    trial.intermediate_values = {epoch: value}
    return trial


def test_pruned_trials_count_as_worse_than_complete_ones_and_the_further_as_better() -> None:
    """Among the complete ones only the units differ; the rate is what the pruned ones lacked."""
    complete = [made_trial(n, COMPLETE, 0.8 + n / 100, units=8 * 2 ** (n % 3)) for n in range(5)]
    lost = [pruned(n, 1, 0.99, units=8 * 2 ** (n % 3), rate=1e-3) for n in range(5, 20)]
    info = get_importances_info(made_snapshot([*complete, *lost]))
    assert (info.num_trials, info.num_pruned, info.num_top) == (20, 15, 5)
    assert info.shares["learning_rate"] > 0.9
    lost = [pruned(n, 1, 0.9, units=8, rate=10.0 ** -(2 + n % 2)) for n in range(5, 20)]
    further = [pruned(n, 2, 0.1, units=32, rate=10.0 ** -(2 + n % 2)) for n in range(20, 24)]
    best = made_trial(1, COMPLETE, 0.8, units=32)
    info = get_importances_info(made_snapshot([*lost, *further, best]))
    assert next(iter(info.shares)) == "dense.units"
    for trial in further:  # they came further, but ended as not a number
        trial.set_user_attr("outcome", "diverged")
    diverged = get_importances_info(made_snapshot([*lost, *further, best]))
    assert diverged.num_trials == 20
    assert diverged.shares["dense.units"] < info.shares["dense.units"]
    assert get_importances_info(made_snapshot(lost)).reason == "No trial is complete yet."


def test_the_parameter_that_decides_is_the_important_one() -> None:
    trials = [
        made_trial(n, COMPLETE, math.log10(rate), units=[8, 16, 32][n % 3], rate=rate)
        for n, rate in enumerate(10 ** (-4 + 3 * (7 * n % 60) / 60) for n in range(60))
    ]
    figure = importances_figure(made_snapshot(trials))
    assert isinstance(figure, StudyFigure)
    assert figure.rows[0][0] == "learning_rate"
    shares = [float(str(row[1])) for row in figure.rows]
    assert shares[0] > 0.9
    assert sum(shares) == pytest.approx(1)


def test_a_study_of_a_thousand_trials_is_bounded() -> None:
    trials = [
        made_trial(n, COMPLETE, n / 1_000, units=[8, 16, 32][n % 3], rate=1e-4 * (1 + n))
        for n in range(1_000)
    ]
    parallel, slices = (f(made_snapshot(trials)) for f in (parallel_figure, slices_figure))
    assert isinstance(parallel, StudyFigure)
    assert isinstance(slices, StudyFigure)
    assert len(parallel.plot.data) == 150
    assert "The best 150 complete trials; 850 are left out" in parallel.note
    assert len(slices.plot.data[0].x) == 500
