import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.records import (
    EpochMetrics,
    Objective,
    TrainingKey,
    best_epoch,
    is_better,
    sample_std,
)


def metrics(epoch: int, val_loss: float | None, val_accuracy: float | None) -> EpochMetrics:
    return EpochMetrics(
        epoch=epoch,
        loss=0.5,
        accuracy=0.8,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
        learning_rate=0.001,
        duration_s=1.0,
        images_per_s=100.0,
    )


@pytest.mark.parametrize(
    ("value", "than", "objective", "better"),
    [
        (0.9, None, "val_accuracy", True),
        (0.9, None, "val_loss", True),
        (0.9, 0.8, "val_accuracy", True),
        (0.8, 0.9, "val_accuracy", False),
        (0.9, 0.9, "val_accuracy", False),
        (0.9, 0.8, "val_loss", False),
        (0.8, 0.9, "val_loss", True),
        (0.9, 0.9, "val_loss", False),
    ],
)
def test_accuracy_is_better_higher_and_loss_lower_and_a_tie_is_not_better(
    value: float, than: float | None, objective: Objective, better: bool
) -> None:
    assert is_better(value, than, objective=objective) is better


@pytest.mark.parametrize(("objective", "best"), [("val_accuracy", 2), ("val_loss", 3)])
def test_the_best_epoch_is_the_first_with_the_best_objective(
    objective: Objective, best: int
) -> None:
    epochs = [
        metrics(1, 0.5, 0.7),
        metrics(2, 0.4, 0.9),
        metrics(3, 0.3, 0.9),
        metrics(4, 0.3, 0.8),
    ]
    assert best_epoch(epochs, objective=objective).epoch == best


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 1)), min_size=1))
def test_the_best_epoch_is_where_numpy_finds_the_extreme(pairs: list[tuple[float, float]]) -> None:
    epochs = [metrics(i, loss, accuracy) for i, (loss, accuracy) in enumerate(pairs)]
    losses, accuracies = zip(*pairs, strict=True)
    assert best_epoch(epochs, objective="val_loss").epoch == np.argmin(losses)
    assert best_epoch(epochs, objective="val_accuracy").epoch == np.argmax(accuracies)


def test_an_epoch_without_validation_has_no_objective() -> None:
    with pytest.raises(AssertionError):
        metrics(1, None, None).value_of("val_loss")


@given(st.lists(st.floats(0, 1), min_size=2))
def test_the_deviation_is_numpys_over_n_minus_1(values: list[float]) -> None:
    assert sample_std(values) == pytest.approx(np.std(values, ddof=1), abs=1e-12)


def test_a_single_value_has_no_deviation() -> None:
    assert sample_std([0.9]) is None


@given(*[st.builds(TrainingKey, st.just("winner"), st.integers(0), st.integers(0))] * 2)
def test_different_trainings_have_different_names(one: TrainingKey, other: TrainingKey) -> None:
    assert (str(one) == str(other)) == (one == other)


def test_a_training_is_named_by_role_trial_and_seed() -> None:
    assert str(TrainingKey("finalist", 12, 2)) == "finalist-12-2"
