from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from small_studies import run_small, small_study, stored

from hpsearch.home import Home
from hpsearch.pruners import build_pruner
from hpsearch.studytables import Search

EPOCHS = 8
HOPELESS = [0.2] + [0.1] * (EPOCHS - 1)
PRUNERS: dict[str, dict[str, Any]] = {
    "none": {"name": "none"},
    "median": {"name": "median", "n_startup_trials": 1},
    "percentile": {"name": "percentile", "n_startup_trials": 1, "percentile": 50.0},
    "halving": {"name": "halving", "reduction_factor": 2},
    "hyperband": {"name": "hyperband", "reduction_factor": 2},
    "patient": {"name": "patient", "patience": 1},
    "patient median": {
        "name": "patient",
        "patience": 1,
        "wrapped": {"name": "median", "n_startup_trials": 1},
    },
}


def judged(pruner: dict[str, Any], values: list[float], *, trials: int = 6) -> list[int]:
    """In which epoch each of some good trials, and then the one with `values`, was pruned."""
    settings = Search.model_validate({"pruner": pruner}).pruner
    study = optuna.create_study(
        study_name="judged", direction="maximize", pruner=build_pruner(settings, epochs=EPOCHS)
    )
    ends = []
    for number in range(trials):
        trial = study.ask()
        good = [0.8 + 0.01 * number + 0.001 * epoch for epoch in range(EPOCHS)]
        ends.append(0)
        for epoch, value in enumerate(values if number == trials - 1 else good, start=1):
            trial.report(value, step=epoch)
            if trial.should_prune():
                ends[-1] = epoch
                break
        study.tell(
            trial,
            state=TrialState.PRUNED if ends[-1] else TrialState.COMPLETE,
            values=None if ends[-1] else [values[-1]],
        )
    return ends


@pytest.mark.parametrize("pruner", PRUNERS.values(), ids=PRUNERS)
def test_every_pruner_searches(pruner: dict[str, Any], home: Home) -> None:
    spec = small_study(
        search={"pruner": pruner, "trials": 6, "sampler": "random"}, training={"epochs": 4}
    )
    run_small(spec, home)
    with stored(home) as record:
        trials = record.study.trials
        lengths = [len(epochs) for epochs in record.all_epochs(role="search").values()]
    assert len(trials) == 6
    for trial, length in zip(trials, lengths, strict=True):
        assert trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        assert trial.state == TrialState.PRUNED or length == 4
        assert trial.user_attrs["outcome"] == trial.state.name.lower()


@pytest.mark.parametrize("name", PRUNERS)
def test_a_trial_that_leads_all_the_way_is_never_pruned(name: str) -> None:
    assert judged(PRUNERS[name], [0.9 + 0.01 * epoch for epoch in range(EPOCHS)])[-1] == 0


@pytest.mark.parametrize("name", [name for name in PRUNERS if name != "none"])
def test_a_hopeless_trial_is_pruned_by_all_but_none(name: str) -> None:
    assert judged(PRUNERS[name], HOPELESS)[-1] > 0
    assert judged(PRUNERS["none"], HOPELESS)[-1] == 0


@pytest.mark.parametrize("warmup", [0, 3])
def test_warm_up_spares_the_epochs_before_it(warmup: int) -> None:
    pruner = {**PRUNERS["median"], "n_warmup_steps": warmup}
    assert judged(pruner, HOPELESS)[-1] == max(1, warmup)


def test_halving_judges_first_after_min_resource() -> None:
    assert judged({**PRUNERS["halving"], "min_resource": 4}, HOPELESS)[-1] == 4


@pytest.mark.parametrize(("last", "epoch"), [(3, 0), (4, 4), (None, 4)])
def test_halving_judges_no_more_after_max_resource(last: int | None, epoch: int) -> None:
    ahead_at_first = [0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    halving = {**PRUNERS["halving"], "max_resource": last}
    assert judged(halving, ahead_at_first)[-1] == epoch


@pytest.mark.parametrize(("patience", "epoch"), [(1, 3), (3, 5)])
def test_patience_counts_epochs_below_the_best(patience: int, epoch: int) -> None:
    # Optuna compares the last patience + 1 epochs with those before them
    assert judged({"name": "patient", "patience": patience}, HOPELESS)[-1] == epoch
