from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from small_studies import RATES, run_small, small_study, stored

from hpsearch.algorithms import Random, Sampler
from hpsearch.home import Home
from hpsearch.samplers import build_sampler
from hpsearch.studytables import Search

SPACE = {"learning_rate": RATES, "dropout": {"low": 0.0, "high": 0.5}, "dense.units": 8}
CONDITIONAL = {
    "optimizer": ["adam", "sgd"],
    "learning_rate": RATES,
    "momentum": {"low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}},
    "dense.units": [4, 8],
}
GRID = {"learning_rate": [0.001, 0.01, 0.1], "dense.units": [4, 8]}


def settings_of(sampler: dict[str, Any]) -> Sampler:
    return Search.model_validate({"sampler": sampler}).sampler


@pytest.mark.parametrize(
    ("sampler", "space"),
    [
        ({"name": "tpe", "n_startup_trials": 2}, CONDITIONAL),
        ({"name": "random"}, CONDITIONAL),
        ({"name": "grid"}, GRID),
        ({"name": "qmc"}, SPACE),
        ({"name": "qmc", "qmc_type": "halton", "scramble": False}, CONDITIONAL),
        ({"name": "gp", "n_startup_trials": 2}, CONDITIONAL),
        ({"name": "cmaes"}, SPACE),
        ({"name": "cmaes", "popsize": 4}, CONDITIONAL),
    ],
    ids=lambda value: value.get("name", ""),
)
def test_every_sampler_searches(sampler: dict[str, Any], space: dict[str, Any], home: Home) -> None:
    run_small(small_study(search={"sampler": sampler, "trials": 5}, space=space), home)
    with stored(home) as record:
        trials = record.study.trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 5
    assert len({tuple(trial.params.items()) for trial in trials}) == 5
    for trial in trials:
        assert ("momentum" in trial.params) == (trial.params.get("optimizer") == "sgd")


@pytest.mark.parametrize(
    ("sampler", "kind"),
    [
        ({"name": "tpe"}, optuna.samplers.TPESampler),
        ({"name": "qmc"}, optuna.samplers.QMCSampler),
        ({"name": "gp"}, optuna.samplers.GPSampler),
        ({"name": "cmaes"}, optuna.samplers.CmaEsSampler),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_a_sampler_is_optunas_of_that_name(sampler: dict[str, Any], kind: type) -> None:
    assert type(build_sampler(settings_of(sampler), seed=0, number=0)) is kind


def draw(*, seed: int, number: int) -> list[float]:
    sampler = build_sampler(Random(), seed=seed, number=number)
    study = optuna.create_study(sampler=sampler)
    return [study.ask().suggest_float("x", 0, 1) for _ in range(3)]


def test_a_search_draws_the_same_numbers_for_the_same_seed_only() -> None:
    assert draw(seed=1, number=0) == draw(seed=1, number=0)
    assert draw(seed=1, number=0) != draw(seed=2, number=0)


def test_every_trial_has_numbers_of_its_own() -> None:
    assert draw(seed=1, number=0) != draw(seed=1, number=3)


def test_a_continued_sequence_goes_on_where_it_was(home: Home) -> None:
    points = []
    for name, targets in (("whole", [4]), ("halves", [2, 4])):
        spec = small_study(name, search={"sampler": "qmc"}, space=SPACE)
        for trials in targets:
            run_small(spec, home, trials=trials)
        with stored(home, name) as record:
            # the first point is drawn at random: Optuna learns the space from it
            points.append([trial.params for trial in record.study.trials][1:])
    assert points[0] == points[1]
