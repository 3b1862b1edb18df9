from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.pruners import HyperbandPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpsearch.home import Home
from hpsearch.storage.database import Database, open_database


@dataclass
class Held:
    """A study in a database, held and not."""

    held: optuna.Study
    stored: optuna.Study
    database: Database


@pytest.fixture
def held(any_home: Home) -> Iterator[Held]:
    database = open_database(any_home.database_url, create=True)
    stored = optuna.create_study(
        study_name="s", storage=database.storage, direction="maximize", pruner=HyperbandPruner()
    )
    yield Held(hold(database), stored, database)
    database.close()


def hold(database: Database) -> optuna.Study:
    """As a search that starts."""
    study = database.study_in_memory("s")
    study.sampler = TPESampler(seed=1, n_startup_trials=5)
    study.pruner = HyperbandPruner(min_resource=1, max_resource=9)
    return study


def objective(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -1, 1)
    kind = trial.suggest_categorical("kind", ["flat", "steep"])
    slope = trial.suggest_int("slope", 1, 5) if kind == "steep" else 0
    trial.set_user_attr("kind", kind)
    if trial.number % 11 == 10:
        raise ValueError("a failure")
    for step in range(1, 10):
        trial.report(step * (1 - x**2) + slope, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return 1 - x**2


def without_times(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    for trial in trials:
        assert (trial.datetime_start is None) == (trial.state == TrialState.WAITING)
        assert (trial.datetime_complete is None) == (not trial.state.is_finished())
        trial.datetime_start = trial.datetime_complete = None
    return trials


def both(held: Held) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
    """What memory says and what the database holds."""
    return without_times(held.held.get_trials()), without_times(held.stored.get_trials())


def test_memory_and_database_hold_the_same_after_a_whole_search(held: Held) -> None:
    held.held.enqueue_trial({"x": 0.5, "kind": "flat"})
    held.held.optimize(objective, n_trials=40, catch=ValueError)
    memory, database = both(held)
    assert memory == database
    states = [trial.state for trial in memory]
    assert {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL} == set(states)
    assert memory[0].params == {"x": 0.5, "kind": "flat"}
    assert held.held.best_trial.number == held.stored.best_trial.number


def test_a_held_search_is_the_search_that_it_would_be_without(held: Held, tmp_path: Path) -> None:
    held.held.optimize(objective, n_trials=30, catch=ValueError)
    plain = optuna.create_study(
        study_name="s",  # hyperband draws its brackets from the name
        direction="maximize",
        sampler=TPESampler(seed=1, n_startup_trials=5),
        pruner=HyperbandPruner(min_resource=1, max_resource=9),
    )
    plain.optimize(objective, n_trials=30, catch=ValueError)
    memory = [(t.state, t.params, t.intermediate_values) for t in held.held.get_trials()]
    assert memory == [(t.state, t.params, t.intermediate_values) for t in plain.get_trials()]


def test_a_search_goes_on_with_what_another_left(held: Held) -> None:
    held.held.optimize(objective, n_trials=5)
    running = held.held.ask()
    running.suggest_float("x", -1, 1)
    again = Held(hold(held.database), held.stored, held.database)
    trial = optuna.trial.Trial(again.held, running._trial_id)
    assert trial.params == running.params
    trial.report(0.5, 1)
    again.held.tell(trial, 0.5)
    memory, database = both(again)
    assert memory == database
    assert memory[-1].state == TrialState.COMPLETE


def test_a_trial_that_a_reader_has_does_not_change_under_it(held: Held) -> None:
    trial = held.held.ask()
    before = held.held.get_trials(deepcopy=False)[0]
    trial.suggest_float("x", -1, 1)
    trial.set_user_attr("a", 1)
    trial.report(1.0, 1)
    held.held.tell(trial, 1.0)
    assert (before.params, before.user_attrs, before.intermediate_values) == ({}, {}, {})
    assert before.state == TrialState.RUNNING


def test_what_the_database_refuses_memory_does_not_take(held: Held) -> None:
    trial = held.held.ask()
    held.held.tell(trial, 1.0)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        trial.set_user_attr("late", 1)
    storage = held.held._storage
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        storage.set_trial_param(trial._trial_id, "x", 0.5, FloatDistribution(0, 1))
    memory, database = both(held)
    assert memory == database


def test_a_finished_trial_can_be_added(held: Held) -> None:
    held.held.add_trial(create_trial(value=2.0))
    memory, database = both(held)
    assert memory == database
    assert held.held.best_value == 2.0


def test_attributes_of_the_study_are_written_through(held: Held) -> None:
    held.held.set_user_attr("a", [1, 2])
    assert held.held.user_attrs == held.stored.user_attrs == {"a": [1, 2]}


def test_a_value_that_is_written_again_is_replaced(held: Held) -> None:
    trial = held.held.ask()
    storage = held.held._storage
    for number in (1, 2):
        trial.set_user_attr("a", {"number": number})
        storage.set_trial_system_attr(trial._trial_id, "b", number)
        storage.set_trial_intermediate_value(trial._trial_id, 1, float(number))
    memory, database = both(held)
    assert memory == database
    assert memory[0].user_attrs == {"a": {"number": 2}}
    assert memory[0].intermediate_values == {1: 2.0}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_are_stored_as_optuna_stores_them(
    value: float, held: Held
) -> None:
    trial = held.held.ask()
    trial.report(value, 1)
    memory, database = both(held)
    assert repr(memory) == repr(database)


def test_a_parameter_cannot_change_its_kind_within_a_study(held: Held) -> None:
    first = held.held.ask()
    first.suggest_float("x", 0, 1)
    for study in (held.held, hold(held.database)):
        with pytest.raises(ValueError, match="different distribution kind"):
            study.ask().suggest_int("x", 0, 1)
