import math
from collections.abc import Sequence

import pytest
from optuna.trial import FrozenTrial, TrialState
from small_studies import (
    FakeExecutor,
    Seen,
    bench,
    epoch,
    numbers_of,
    run_small,
    small_study,
    stored,
    trained,
)

from hpsearch.errors import RunFailedError
from hpsearch.executors.messages import (
    EpochFinished,
    Event,
    Task,
    TrainingDiverged,
    TrainingFailed,
    TrainingTimedOut,
    WorkerLost,
)
from hpsearch.home import Home
from hpsearch.records import TrainingKey
from hpsearch.session import training_seed
from hpsearch.spec import StudySpec
from hpsearch.storage.record import num_finished


# learning rates at which the loss is not finite after one epoch
@pytest.fixture
def home(any_home: Home) -> Home:
    return any_home


DIVERGING = {"optimizer": "sgd", "learning_rate": {"low": 1e18, "high": 1e20}}


def failed(key: TrainingKey, outcome: str = "error") -> list[Event]:
    return [TrainingFailed(key, outcome, "ValueError: boom", "Traceback ...")]  # type: ignore[arg-type]


def scripted(**outcomes: str) -> FakeExecutor:
    """Trials end as their letters say: error, memory, diverged, timeout; else complete."""
    (letters,) = outcomes.values()

    def script(task: Task) -> Sequence[Event]:
        match letters[task.key.trial]:
            case "e":
                return failed(task.key)
            case "m":
                return failed(task.key, "out-of-memory")
            case "d":
                return [TrainingDiverged(task.key, "the loss was not finite in epoch 1")]
            case "t":
                return [TrainingTimedOut(task.key, "longer than 35 s")]
        return trained(task.key, 0.5)

    return FakeExecutor(script)


@pytest.mark.parametrize("targets", [[5], [2, 5], [1, 2, 3, 4, 5], [5, 3]])
def test_the_budget_is_exact_over_any_number_of_runs(targets: list[int], home: Home) -> None:
    spec = small_study()
    for trials in targets:
        run_small(spec, home, trials=trials)
    with stored(home) as record:
        assert num_finished(record.study) == len(record.study.trials) == max(targets)


@pytest.mark.parametrize("outcomes", ["cdec", "mmmm", "eecee", "tctt"])
def test_pruned_and_failed_trials_count_towards_the_budget(outcomes: str, home: Home) -> None:
    with bench(home, small_study()) as study:
        study.search(scripted(outcomes=outcomes)).run(trials=len(outcomes), timeout_s=None)
        assert num_finished(study.record.study) == len(outcomes)


def test_three_errors_in_a_row_stop_the_run_and_say_so(home: Home) -> None:
    with bench(home, small_study()) as study:
        executor = scripted(outcomes="eeceeeccc")
        with pytest.raises(RunFailedError, match="3 trials in a row failed") as stop:
            study.search(executor).run(trials=9, timeout_s=None)
        assert [key.trial for key in executor.submitted] == [0, 1, 2, 3, 4, 5]
        trial = study.record.study.trials[0]
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["outcome"] == "error"
    assert trial.user_attrs["reason"] == "ValueError: boom"
    assert trial.user_attrs["traceback"] == "Traceback ..."
    path = home.traceback("small", TrainingKey("search", 5))
    assert path.read_text() == "Traceback ..."
    assert str(stop.value).endswith(f"the last with ValueError: boom; its traceback: {path}")


def test_errors_are_in_a_row_only_with_nothing_between_them(home: Home) -> None:
    with bench(home, small_study()) as study:
        study.search(scripted(outcomes="edede")).run(trials=5, timeout_s=None)
        assert num_finished(study.record.study) == 5


def test_a_trial_that_diverges_is_pruned(home: Home) -> None:
    run_small(small_study(space={**DIVERGING, "dense.units": 8}), home)
    with stored(home) as record:
        trials = record.study.trials
        assert record.all_epochs(role="search") == {}
    assert [trial.state for trial in trials] == [TrialState.PRUNED] * 3
    for trial in trials:
        assert trial.user_attrs["outcome"] == "diverged"
        assert trial.user_attrs["reason"] == "the loss was not finite in epoch 1"
        assert not any(math.isnan(value) for value in trial.intermediate_values.values())


@pytest.mark.parametrize("poisonous", [{1}, {1, 2, 3, 4}])
def test_poisonous_trials_fail_alone(poisonous: set[int], home: Home) -> None:
    def script(task: Task) -> Sequence[Event]:
        is_poison = task.key.trial in poisonous
        return [WorkerLost(task.key, "")] if is_poison else trained(task.key, 0.5)

    executor = FakeExecutor(script, num_slots=2)
    with bench(home, small_study()) as study:
        study.search(executor).run(trials=6, timeout_s=None)
        trials = study.record.study.trials
    assert {trial.number for trial in trials if trial.state.name == "FAIL"} == poisonous
    assert len(trials) == 6
    assert trials[1].user_attrs["outcome"] == "worker-lost"
    assert [key.trial for key in executor.submitted].count(1) == 3


@pytest.mark.parametrize(
    ("objective", "value", "direction"), [("val_accuracy", 0.9, 2), ("val_loss", 0.1, 1)]
)
def test_a_trials_value_is_the_objective_at_its_best_epoch(
    objective: str, value: float, direction: int, home: Home
) -> None:
    executor = FakeExecutor(lambda task: trained(task.key, 0.5, 0.9, 0.7))
    with bench(home, small_study(objective=objective)) as study:
        study.search(executor).run(trials=1, timeout_s=None)
        assert study.record.study.trials[0].value == pytest.approx(value)
        assert study.record.study.direction.value == direction  # 1: minimise, 2: maximise


def pruning_study() -> StudySpec:
    pruner = {"name": "median", "n_startup_trials": 1}
    return small_study(search={"pruner": pruner, "trials": 6}, training={"epochs": 3})


def test_optuna_knows_every_recorded_epoch_and_no_other(home: Home) -> None:
    run_small(pruning_study(), home)
    with stored(home) as record:
        states = {trial.state for trial in record.study.trials}
        for trial in record.study.trials:
            epochs = record.epochs(TrainingKey("search", trial.number))
            assert trial.intermediate_values == {m.epoch: m.val_accuracy for m in epochs}
            if trial.state == TrialState.COMPLETE:
                assert trial.value == max(trial.intermediate_values.values())
    assert states == {TrialState.COMPLETE, TrialState.PRUNED}


def test_a_pruned_trial_stops_at_once(home: Home) -> None:
    def script(task: Task) -> Sequence[Event]:
        return trained(task.key, *([0.1] * 3 if task.key.trial == 2 else [0.8, 0.8, 0.8]))

    executor = FakeExecutor(script)
    with bench(home, pruning_study()) as study:
        study.search(executor).run(trials=4, timeout_s=None)
        trial = study.record.study.trials[2]
        assert trial.state == TrialState.PRUNED
        assert trial.user_attrs == {**trial.user_attrs, "outcome": "pruned"}
        assert len(study.record.epochs(TrainingKey("search", 2))) == 1
    assert executor.stopped == [TrainingKey("search", 2)]


def timed_out(home: Home, spec: StudySpec) -> list[FrozenTrial]:
    """A search whose time is up after its first epoch."""
    assert run_small(spec, home, timeout_s=1e-6).end == "timeout"
    with stored(home) as record:
        return record.study.trials


def test_when_time_is_up_the_running_trial_can_be_carried_on(home: Home) -> None:
    spec = small_study(training={"epochs": 3}, search={"trials": 2})
    (left,) = timed_out(home, spec)
    assert left.state == TrialState.RUNNING
    assert home.checkpoint("small", TrainingKey("search", 0)).exists()
    observer = Seen()
    assert run_small(spec, home, observer=observer).end == "budget"
    # the first epoch is shown again, not trained again: the checkpoint is of after it
    assert [e for key, e in observer.epochs if key.trial == 0] == [1, 2, 3]
    with stored(home) as record:
        trials = record.study.trials
        carried_on = numbers_of(record)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 2
    assert trials[0].params == left.params
    assert list(home.checkpoints("small").iterdir()) == []
    unbroken = small_study("unbroken", training={"epochs": 3}, search={"trials": 1})
    run_small(unbroken, home)
    with stored(home, "unbroken") as record:
        assert record.study.trials[0].params == left.params  # the same seed draws the same
        key = TrainingKey("search", 0)
        assert numbers_of(record)[key] == carried_on[key]


def test_an_epoch_recorded_but_not_reported_is_reported_by_the_next_run(home: Home) -> None:
    spec = small_study(search={"trials": 1})
    with bench(home, spec) as study:
        study.record.study.ask()  # killed between the two
        study.record.add_epoch(TrainingKey("search", 0), epoch(1, 0.25))
    with bench(home, spec) as study:
        key = TrainingKey("search", 0)
        executor = FakeExecutor(lambda task: trained(task.key, 0.25, 0.75))
        study.search(executor).run(trials=1, timeout_s=None)
        trial = study.record.study.trials[0]
        assert trial.intermediate_values == {1: 0.25, 2: 0.75}
        assert [m.epoch for m in study.record.epochs(key)] == [1, 2]


def test_every_training_has_a_seed_of_its_own_but_finalists_share_theirs() -> None:
    spec = small_study()
    keys = [TrainingKey("search", number) for number in range(50)]
    keys += [TrainingKey(role, 0, seed) for role in ("finalist", "winner") for seed in range(50)]  # type: ignore[arg-type]
    assert len({training_seed(spec, key) for key in keys}) == 150
    first, second = (training_seed(spec, TrainingKey("finalist", n, 1)) for n in (3, 8))
    assert first == second
    assert training_seed(spec, keys[0]) != training_seed(small_study(training={"seed": 1}), keys[0])


def test_the_search_is_told_where_it_stands(home: Home) -> None:
    run_small(small_study(), home, trials=2)
    observer = Seen()
    run_small(small_study(), home, trials=3, observer=observer)
    assert observer.phases == [("search", 2, 3)]
    assert observer.outcomes == {TrainingKey("search", 2): "complete"}


def test_epochs_that_were_not_asked_for_end_nothing(home: Home) -> None:
    stray = [EpochFinished(TrainingKey("search", 99), epoch(1))]
    executor = FakeExecutor(lambda task: [*stray, *trained(task.key, 0.5)])
    with bench(home, small_study()) as study:
        assert study.search(executor).run(trials=1, timeout_s=None) == "budget"
        assert study.record.epochs(TrainingKey("search", 99)) == []
