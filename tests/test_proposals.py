from pathlib import Path
from typing import Any

import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from small_studies import FakeExecutor, bench, small_study, trained

from hpsearch.home import Home
from hpsearch.proposals import Exhausted, Proposal, Proposals, Refusal
from hpsearch.spec import StudySpec
from hpsearch.storage.record import num_finished

FOUR = {"learning_rate": [0.001, 0.01], "dense.units": [4, 8]}
# 6 combinations, of which momentum changes nothing under adam: 4 configurations
SIX = {"optimizer": ["adam", "sgd"], "momentum": [0.0, 0.5, 0.9], "dense.units": 8}
# a 9 x 9 window does not fit on 8 x 8 pixels
CONV = {"conv_layers": 1, "conv.padding": "valid", "conv.pool": "none", "dense_layers": 0}
INFEASIBLE: dict[str, Any] = {
    "model": "cnn",
    "space": {**CONV, "conv.filters": 2, "conv.kernel": [3, 9], "learning_rate": [0.001, 0.01]},
}


def finite(sampler: str, space: dict[str, Any] = FOUR) -> StudySpec:
    return small_study(space=space, search={"sampler": sampler})


def told(executor: FakeExecutor | None = None) -> FakeExecutor:
    """Every trial ends after one epoch."""
    return executor or FakeExecutor(lambda task: trained(task.key, 0.5))


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
def test_a_used_up_space_ends_the_search_early(sampler: str, home: Home) -> None:
    with bench(home, finite(sampler)) as study:
        executor = told()
        assert study.search(executor).run(trials=99, timeout_s=None) == "exhausted"
        complete = study.record.study.get_trials(states=[TrialState.COMPLETE])
        assert len({tuple(trial.params.values()) for trial in complete}) == len(complete) == 4
        assert num_finished(study.record.study) == len(executor.submitted) == 4


def test_a_repeat_is_told_as_a_duplicate_and_neither_trained_nor_counted(home: Home) -> None:
    with bench(home, finite("random")) as study:
        study.search(told()).run(trials=99, timeout_s=None)
        trials = study.record.study.trials
        repeats = [trial for trial in trials if trial.state == TrialState.FAIL]
        assert repeats, "four draws from four, all different, by chance: take another seed"
        first = {tuple(t.params.items()): t.number for t in trials[::-1]}
        for trial in repeats:
            assert trial.user_attrs["outcome"] == "duplicate"
            original = first[tuple(trial.params.items())]
            assert trial.user_attrs["reason"] == f"repeats trial {original}"
        assert len(trials) == 4 + len(repeats)
        assert not any(key.trial in {t.number for t in repeats} for key in study.observer.outcomes)


def test_a_used_up_study_run_again_gets_no_further_row(home: Home) -> None:
    with bench(home, finite("random")) as study:
        study.search(told()).run(trials=99, timeout_s=None)
        num_trials = len(study.record.study.trials)
        again = study.search(told())
        assert again.run(trials=99, timeout_s=None) == "exhausted"
        assert len(study.record.study.trials) == num_trials


@pytest.mark.parametrize(("space", "distinct"), [(FOUR, 4), (SIX, 4)])
def test_the_grid_sampler_visits_each_distinct_configuration_once(
    space: dict[str, Any], distinct: int, home: Home
) -> None:
    with bench(home, finite("grid", space)) as study:
        proposals = Proposals(study.spec, study.record.study)
        visited = []
        while isinstance(proposal := proposals.next(), Proposal):
            visited.append(proposal.configuration)
        assert len(visited) == len(set(visited)) == distinct
        assert isinstance(proposal, Exhausted)
        assert len(study.record.study.trials) == distinct


def test_a_grid_that_is_carried_on_goes_on_where_it_was(home: Home) -> None:
    spec = finite("grid")
    with bench(home, spec) as study:
        study.search(told()).run(trials=3, timeout_s=None)
    with bench(home, spec) as study:
        assert study.search(told()).run(trials=4, timeout_s=None) == "budget"
        assert len({tuple(t.params.values()) for t in study.record.study.trials}) == 4


def test_a_space_too_large_to_list_is_not_used_up(home: Home) -> None:
    numbers = list(range(1, 401))
    space = {"dense_layers": 2, "dense.1.units": numbers, "dense.2.units": numbers}
    with bench(home, finite("random", {**space, "learning_rate": [0.1, 0.01]})) as study:
        proposals = Proposals(study.spec, study.record.study)
        assert isinstance(proposals.next(), Proposal)


def test_a_sampler_that_repeats_itself_in_such_a_space_is_helped_out(home: Home) -> None:
    # only the optimizer is sampled again and again; the momentum makes the space continuous
    space = {
        "optimizer": ["adam", "sgd"],
        "momentum": {"low": 0.1, "high": 0.9, "when": {"optimizer": "sgd"}},
    }
    with bench(home, finite("random", space)) as study:
        proposals = Proposals(study.spec, study.record.study)
        found = [proposals.next() for _ in range(12)]
    assert all(isinstance(proposal, Proposal) for proposal in found)


def test_a_network_that_cannot_be_built_is_told_as_pruned_and_counts(home: Home) -> None:
    spec = small_study(**INFEASIBLE, search={"sampler": "random"})
    with bench(home, spec) as study:
        executor = told()
        study.search(executor).run(trials=3, timeout_s=None)
        trials = study.record.study.trials
        refused = [trial for trial in trials if trial.params["conv.kernel"] == 9]
        assert refused, "not drawn in three by chance: take another seed"
        for trial in refused:
            assert trial.state == TrialState.PRUNED
            assert trial.user_attrs["outcome"] == "infeasible"
            assert trial.user_attrs["reason"] == "conv layer 1 leaves no pixel of 8 x 8"
        assert num_finished(study.record.study) == 3
        assert len(executor.submitted) == 3 - len(refused)
        assert list(study.observer.outcomes.values()).count("infeasible") == len(refused)


def test_the_grid_leaves_out_what_cannot_be_built(home: Home) -> None:
    with bench(home, small_study(**INFEASIBLE, search={"sampler": "grid"})) as study:
        proposals = Proposals(study.spec, study.record.study)
        found = [proposals.next() for _ in range(3)]
    assert [type(proposal) for proposal in found] == [Proposal, Proposal, Exhausted]


def test_a_trial_left_running_is_taken_over_under_its_own_number(home: Home) -> None:
    spec = finite("random")
    with bench(home, spec) as study:
        left = Proposals(spec, study.record.study).next()
        assert isinstance(left, Proposal)
    with bench(home, spec) as study:
        proposals = Proposals(spec, study.record.study)
        taken = proposals.take_over()
        assert isinstance(taken, Proposal)
        assert taken.trial.number == left.trial.number == 0
        assert taken.configuration == left.configuration
        assert proposals.take_over() is None


def test_a_trial_cut_off_before_it_had_its_values_is_taken_over(home: Home) -> None:
    with bench(home, finite("random")) as study:
        study.record.study.ask()  # killed here
        taken = Proposals(study.spec, study.record.study).take_over()
        assert isinstance(taken, Proposal)
        assert set(study.record.study.trials[0].params) == set(FOUR)


def test_an_infeasible_trial_left_running_is_refused_when_taken_over(home: Home) -> None:
    with bench(home, small_study(**INFEASIBLE, search={"sampler": "random"})) as study:
        study.record.study.enqueue_trial({"conv.kernel": 9, "learning_rate": 0.001})
        study.record.study.ask()
        assert isinstance(Proposals(study.spec, study.record.study).take_over(), Refusal)


@pytest.mark.parametrize("sampler", ["random", {"name": "tpe", "n_startup_trials": 3}])
def test_an_interrupted_search_proposes_what_it_would_have_proposed(
    sampler: Any, tmp_path: Path
) -> None:
    def proposed(home: Home, *, runs: list[int]) -> list[dict[str, Any]]:
        spec = small_study(search={"sampler": sampler})
        with bench(home, spec) as study:
            for trials in runs:
                script = FakeExecutor(lambda task: trained(task.key, 1 / (2 + task.key.trial)))
                study.record.study.sampler = RandomSampler()  # a run has its own
                study.search(script).run(trials=trials, timeout_s=None)
            return [trial.params for trial in study.record.study.trials]

    undisturbed = proposed(Home(tmp_path / "one"), runs=[8])
    assert proposed(Home(tmp_path / "many"), runs=[1, 2, 5, 6, 8]) == undisturbed
    assert len({str(params) for params in undisturbed}) == 8
