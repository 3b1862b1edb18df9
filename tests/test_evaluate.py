from collections.abc import Iterator

import numpy as np
import pytest
from optuna.trial import TrialState
from safetensors.numpy import load_file
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)
from small_studies import (
    Bench,
    FakeExecutor,
    Seen,
    bench,
    epoch,
    rows,
    run_small,
    small_study,
    stored,
    trained,
)

from hpsearch.data.files import read_test
from hpsearch.errors import RunFailedError
from hpsearch.evaluate import Evaluation, Winner, choose_winner
from hpsearch.executors.messages import TrainingDiverged
from hpsearch.home import Home
from hpsearch.predictions import load_predictions
from hpsearch.records import TrainingKey
from hpsearch.report.status import study_status
from hpsearch.storage.database import utc_now
from hpsearch.storage.record import FinishedTraining


@pytest.fixture
def home(any_home: Home) -> Home:
    return any_home


# by hand: the best epoch of each finalist's three seeds
FINALISTS = {
    4: [[0.5, 0.99], [0.7, 0.6], [0.71]],  # the best single training, mean 0.8
    7: [[0.6, 0.7, 0.85], [0.86], [0.1, 0.87]],  # mean 0.86, in epochs 3, 1 and 2
    9: [[0.84], [0.85], [0.86]],  # mean 0.85
}


@pytest.fixture
def study(home: Home) -> Iterator[Bench]:
    with bench(home, small_study(final={"finalists": 3, "seeds": 3})) as study:
        yield study


def add_training(study: Bench, key: TrainingKey, accuracies: list[float]) -> None:
    for number, accuracy in enumerate(accuracies, start=1):
        study.record.add_epoch(key, epoch(number, accuracy))
    study.record.add_training(FinishedTraining(key, {}, 0, 610, utc_now()))


def winner_of(study: Bench, finalists: dict[int, list[list[float]]]) -> Winner | None:
    configuration = study.spec.configuration({"dense.units": 8})
    for trial, seeds in finalists.items():
        for seed, accuracies in enumerate(seeds):
            add_training(study, TrainingKey("finalist", trial, seed), accuracies)
    return choose_winner(study.record, study.spec, dict.fromkeys(finalists, configuration))


def test_the_best_mean_over_fresh_seeds_wins_and_not_the_best_single_trial(study: Bench) -> None:
    add_training(study, TrainingKey("search", 4), [0.999])
    winner = winner_of(study, FINALISTS)
    assert winner is not None
    assert (winner.trial, winner.epochs) == (7, 2)
    assert winner.mean == pytest.approx(0.86)
    assert winner.std == pytest.approx(0.01)  # of 0.85, 0.86, 0.87 with n - 1


def test_the_lowest_mean_loss_wins_where_loss_is_the_objective(home: Home) -> None:
    with bench(home, small_study(objective="val_loss")) as study:
        winner = winner_of(study, FINALISTS)
        assert winner is not None
        assert winner.trial == 7
        assert winner.mean == pytest.approx(0.14)  # the losses are 1 - accuracy


def test_a_finalist_that_was_never_trained_to_its_end_cannot_win(study: Bench) -> None:
    study.record.add_epoch(TrainingKey("finalist", 1), epoch(1, 0.99))
    assert winner_of(study, {1: []}) is None
    winner = winner_of(study, {1: [], 9: FINALISTS[9]})
    assert winner is not None
    assert winner.trial == 9


def searched(study: Bench, accuracies: list[float]) -> None:
    executor = FakeExecutor(lambda task: trained(task.key, accuracies[task.key.trial]))
    study.search(executor).run(trials=len(accuracies), timeout_s=None)


def evaluation(study: Bench, executor: FakeExecutor) -> Evaluation:
    return Evaluation(study.session(executor))


def test_the_finalists_are_the_best_by_validation_each_with_its_seeds(study: Bench) -> None:
    searched(study, [0.1, 0.9, 0.3, 0.8, 0.7])
    executor = FakeExecutor(lambda task: trained(task.key, 0.5))
    evaluation(study, executor).choose_winner()
    expected = [TrainingKey("finalist", trial, seed) for trial in (1, 3, 4) for seed in range(3)]
    assert executor.submitted == expected


def test_finalists_that_are_trained_already_are_not_trained_again(study: Bench) -> None:
    searched(study, [0.5])
    add_training(study, TrainingKey("finalist", 0, 1), [0.6])
    executor = FakeExecutor(lambda task: trained(task.key, 0.5))
    evaluation(study, executor).choose_winner()
    assert [key.seed for key in executor.submitted] == [0, 2]


def test_a_study_without_a_complete_trial_has_no_winner(study: Bench) -> None:
    with pytest.raises(RunFailedError, match="no trial was completed"):
        evaluation(study, FakeExecutor(lambda task: [])).choose_winner()


def test_a_winner_that_cannot_be_retrained_is_not_tested(study: Bench) -> None:
    searched(study, [0.5])
    winner = evaluation(study, FakeExecutor(lambda task: trained(task.key, 0.5))).choose_winner()
    diverging = FakeExecutor(lambda task: [TrainingDiverged(task.key, "not finite")])
    with pytest.raises(RunFailedError, match="could not be retrained: not finite"):
        evaluation(study, diverging).retrain(winner)
    assert study.record.num_readings() == 0


def test_what_failed_after_the_search_is_told_until_it_succeeds(study: Bench) -> None:
    searched(study, [0.5])
    diverging = FakeExecutor(lambda task: [TrainingDiverged(task.key, f"seed {task.key.seed} nan")])
    with pytest.raises(RunFailedError, match="no finalist could be trained again: seed 0 nan"):
        evaluation(study, diverging).choose_winner()
    told = study_status(study.record, home=study.home).failures
    assert told == {f"finalist, trial 0, seed {n}": f"diverged: seed {n} nan" for n in range(3)}
    study.observer.outcomes.clear()
    evaluation(study, FakeExecutor(lambda task: trained(task.key, 0.5))).choose_winner()
    assert study_status(study.record, home=study.home).failures == {}


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A study that ran to its test."""
    home = Home(tmp_path_factory.mktemp("tested"))
    run_small(SPEC, home, test=True)
    return home


SPEC = small_study(final={"finalists": 2, "seeds": 2}, training={"subset": None, "epochs": 3})


def test_the_winner_is_retrained_on_everything_for_its_best_epoch_count(tested: Home) -> None:
    with stored(tested) as record:
        reading = record.last_reading()
        assert reading is not None
        finalists = record.all_epochs(role="finalist")
        best = [
            1 + int(np.argmax([m.val_accuracy for m in epochs]))
            for key, epochs in finalists.items()
            if key.trial == reading.trial
        ]
        retrained = record.all_epochs(role="winner")
        assert len(finalists) == 4
        assert set(retrained) == {TrainingKey("winner", reading.trial, seed) for seed in (0, 1)}
        for epochs in retrained.values():
            assert len(epochs) == round(sum(best) / 2)
            assert all(m.val_accuracy is None for m in epochs)
            # 1,437 images, nothing held out
            assert epochs[0].images_per_s * epochs[0].duration_s == pytest.approx(1437)


def test_the_stored_results_can_be_computed_again_from_the_stored_weights(tested: Home) -> None:
    images, labels = read_test(SPEC.dataset, data_dir=tested.root)
    pixels = images.reshape(360, 64).astype(np.float64) / 255
    with stored(tested) as record:
        reading = record.last_reading()
        assert reading is not None
    predictions = load_predictions(tested.predictions("small", reading.id))
    assert (predictions.labels == labels).all()
    assert (predictions.wrong_images == images[predictions.wrong]).all()
    assert [result.seed for result in reading.evaluations] == [0, 1]
    for result in reading.evaluations:
        weights = load_file(tested.artifacts("small") / result.weights)
        w1, w2 = sorted((w for w in weights.values() if w.ndim == 2), key=lambda w: -w.shape[1])
        b1, b2 = (b for size in (8, 10) for b in weights.values() if b.shape == (size,))
        logits = np.maximum(pixels @ w1.T + b1, 0) @ w2.T + b2
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        predicted = logits.argmax(1)
        assert np.allclose(predictions.logits[result.seed], logits, atol=1e-4)
        assert result.accuracy == accuracy_score(labels, predicted)
        assert result.loss == pytest.approx(log_loss(labels, shares), abs=1e-5)
        assert result.confusion == confusion_matrix(labels, predicted).tolist()
        scores = precision_recall_fscore_support(labels, predicted, zero_division=0)
        for column, field in zip(scores, ("precision", "recall", "f1", "support"), strict=True):
            assert [row[field] for row in result.classes.values()] == pytest.approx(column)
        assert tuple(result.classes) == tuple("0123456789")
        assert result.num_parameters == sum(w.size for w in weights.values()) == 610


def test_the_test_set_is_read_once(tested: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the test set was read")

    with stored(tested) as record:
        reading, before = record.last_reading(), rows(record)
        assert record.num_readings() == 1
        assert {state for _, state, _ in before} == {TrialState.COMPLETE.name}
    monkeypatch.setattr("hpsearch.evaluate.read_test", refuse)
    observer = Seen()
    result = run_small(SPEC, tested, test=True, observer=observer)
    assert (result.reading, result.read_now) == (reading, False)
    assert observer.started_keys == []
    with stored(tested) as record:
        assert (record.num_readings(), rows(record)) == (1, before)
        assert len(record.runs()) == 1


def test_reading_again_must_be_asked_for_and_is_counted(home: Home) -> None:
    first = run_small(small_study(), home, test=True)
    observer = Seen()
    again = run_small(small_study(), home, test=True, test_again=True, observer=observer)
    assert again.read_now
    assert observer.started_keys == []  # nothing is trained for it
    assert first.reading is not None
    assert again.reading is not None
    assert again.reading.id != first.reading.id
    assert again.reading.evaluations == first.reading.evaluations
    with stored(home) as record:
        assert record.num_readings() == 2


def test_without_a_test_nothing_is_retrained_and_nothing_read(home: Home) -> None:
    assert run_small(small_study(), home).reading is None
    with stored(home) as record:
        assert record.num_readings() == 0
        assert record.all_epochs(role="finalist") == {}
    observer = Seen()
    result = run_small(small_study(), home, test=True, observer=observer)
    assert result.read_now
    assert not any(key.role == "search" for key in observer.started_keys)
