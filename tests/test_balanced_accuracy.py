"""Balanced accuracy is scikit-learn's, in training, in ranking and in early stopping."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score
from small_studies import epoch

from hpsearch.measures import measure
from hpsearch.records import EpochMetrics, best_epoch, is_better, is_maximized
from hpsearch.studytables import EarlyStopping
from hpsearch.training.epochs import _measure, stale_epochs


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_it_is_scikit_learns_also_where_classes_are_missing(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = (torch.tensor(side) for side in zip(*pairs, strict=True))
    logits = torch.eye(4)[predicted] * 3
    expected = balanced_accuracy_score(truth.numpy(), predicted.numpy())
    assert _measure([(logits, truth)]).balanced_accuracy == pytest.approx(expected, abs=1e-12)
    result = measure(logits, truth, class_names=("a", "b", "c", "d"))
    assert result.balanced_accuracy == pytest.approx(expected, abs=1e-12)


def test_always_the_common_class_is_half_right_of_two() -> None:
    truth = torch.tensor([0] * 90 + [1] * 10)
    measured = _measure([(torch.eye(2)[torch.zeros(100, dtype=torch.int64)], truth)])
    assert measured.accuracy == 0.9
    assert measured.balanced_accuracy == 0.5


def balanced(number: int, value: float) -> EpochMetrics:
    """An epoch whose accuracy and loss say the opposite of its balanced accuracy."""
    metrics = epoch(number, 1 - value)
    return EpochMetrics(**{**vars(metrics), "val_balanced_accuracy": value})


def test_more_of_it_is_better() -> None:
    assert is_maximized("val_balanced_accuracy")
    assert is_better(0.6, 0.5, objective="val_balanced_accuracy")
    epochs = [balanced(1, 0.5), balanced(2, 0.7), balanced(3, 0.6)]
    assert best_epoch(epochs, objective="val_balanced_accuracy").epoch == 2
    assert best_epoch(epochs, objective="val_accuracy").epoch == 1


def test_early_stopping_waits_for_it() -> None:
    rule = EarlyStopping(monitor="val_balanced_accuracy", patience=2, min_delta=0.05)
    values = [0.5, 0.6, 0.62, 0.64, 0.70]
    stale = [
        stale_epochs([balanced(n, v) for n, v in enumerate(values[:end], 1)], rule)
        for end in range(1, 6)
    ]
    # 0.62 and 0.64 are not better than 0.6 by more than 0.05; 0.70 is
    assert np.array_equal(stale, [0, 0, 1, 2, 0])
