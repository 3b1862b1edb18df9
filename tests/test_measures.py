import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from hpsearch.measures import measure

NAMES = ("a", "b", "c")


def test_by_hand_four_images_of_which_one_is_taken_for_another_class() -> None:
    logits = torch.tensor([[2.0, 0, 0], [0, 2, 0], [0, 0, 2], [2, 0, 0]])
    result = measure(logits, torch.tensor([0, 1, 2, 1]), class_names=NAMES)
    assert result.accuracy == 0.75
    assert result.confusion == [[1, 0, 0], [1, 1, 0], [0, 0, 1]], "rows are the true classes"
    assert result.classes["a"] == {
        "precision": 0.5,
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
        "support": 1,
    }
    assert result.classes["b"]["recall"] == 0.5
    right, wrong = np.log(1 + 2 * np.exp(-2)), np.log(np.exp(2) + 2)
    assert result.loss == pytest.approx((3 * right + wrong) / 4)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 60))
def test_every_measure_is_scikit_learns(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 3)).astype(np.float32)
    truth = rng.integers(0, 3, count)
    result = measure(torch.from_numpy(logits), torch.from_numpy(truth), class_names=NAMES)
    predicted = logits.argmax(1)
    assert result.accuracy == pytest.approx(metrics.accuracy_score(truth, predicted))
    chances = np.exp(logits.astype(np.float64))
    chances /= chances.sum(1, keepdims=True)
    assert result.loss == pytest.approx(metrics.log_loss(truth, chances, labels=[0, 1, 2]))
    for score, function in (
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
        ("f1", metrics.f1_score),
    ):
        theirs = function(truth, predicted, labels=[0, 1, 2], average=None, zero_division=0)
        assert [result.classes[name][score] for name in NAMES] == pytest.approx(theirs.tolist())
    assert [result.classes[name]["support"] for name in NAMES] == [
        int((truth == number).sum()) for number in range(3)
    ]
    assert sum(map(sum, result.confusion)) == count


def test_a_class_that_is_never_there_nor_predicted_scores_zero_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = measure(torch.tensor([[1.0, 0, 0]]), torch.tensor([0]), class_names=NAMES)
    assert result.classes["c"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert result.confusion == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_certain_and_wrong_is_a_large_finite_loss() -> None:
    result = measure(torch.tensor([[500.0, 0, 0]]), torch.tensor([1]), class_names=NAMES)
    assert result.loss == pytest.approx(500)
