"""confusion, class_scores and confused_pairs: figures of the test result."""

import pytest
from made_snapshots import made_reading, made_snapshot
from sklearn.metrics import precision_recall_fscore_support

from hpsearch.figures.class_scores import class_scores_figure, get_class_scores_info
from hpsearch.figures.confused_pairs import Pair, get_pairs_info, pairs_figure
from hpsearch.figures.confusion import confusion_figure, get_confusion_info
from hpsearch.figures.figure import NoFigure, StudyFigure

SEEDS = ([[8, 2, 0], [1, 9, 0], [3, 0, 7]], [[6, 4, 0], [1, 9, 0], [0, 1, 9]])
TESTED = made_snapshot(reading=made_reading(*SEEDS))


def test_counts_are_summed_over_seeds_and_shares_are_of_the_true_class() -> None:
    info = get_confusion_info(TESTED)
    assert info is not None
    assert info.counts == [[14, 6, 0], [2, 18, 0], [3, 1, 16]]
    assert info.shares == [[0.7, 0.3, 0.0], [0.1, 0.9, 0.0], [0.15, 0.05, 0.8]]


def test_a_cell_tells_count_and_share_and_true_classes_are_rows() -> None:
    figure = confusion_figure(TESTED)
    assert isinstance(figure, StudyFigure)
    heatmap, *_ = figure.plot.data
    assert heatmap.text[0][1] == "6<br>30.0%"
    assert figure.rows[1] == ("a", "b", 6, 0.3)
    assert "a is recognised least often, in 70.0%" in figure.alt


def test_class_scores_are_scikit_learn_s_as_mean_and_deviation_over_seeds() -> None:
    expected = []
    for matrix in SEEDS:
        truth = [i for i, row in enumerate(matrix) for count in row for _ in range(count)]
        predicted = [j for row in matrix for j, count in enumerate(row) for _ in range(count)]
        expected.append(precision_recall_fscore_support(truth, predicted))
    info = get_class_scores_info(TESTED)
    for i, score in enumerate(info):
        for j, field in enumerate(("precision", "recall", "f1")):
            one, other = (seed[j][i] for seed in expected)
            assert getattr(score, field) == pytest.approx((one + other) / 2)
            # of two values: their difference by the root of 2
            assert getattr(score, f"{field}_std") == pytest.approx(abs(one - other) / 2**0.5)
        assert score.support == 10


def test_pairs_are_ranked_by_both_ways_together() -> None:
    pairs = get_pairs_info(get_confusion_info(TESTED))
    assert pairs == [
        Pair("a", "b", 6, 2, 8 / 40),
        Pair("c", "a", 3, 0, 3 / 40),
        Pair("c", "b", 1, 0, 1 / 40),
    ]


def test_pairs_are_drawn_as_means_over_seeds_the_most_confused_on_top() -> None:
    figure = pairs_figure(TESTED)
    assert isinstance(figure, StudyFigure)
    there, back = figure.plot.data
    assert there.y[-1] == "a / b"
    assert (there.x[-1], back.x[-1]) == (3, 1)


def test_classes_that_are_never_confused_give_a_sentence() -> None:
    shown = pairs_figure(made_snapshot(reading=made_reading([[5, 0], [0, 5]])))
    assert isinstance(shown, NoFigure)
    assert shown.reason == "No class was taken for another."


@pytest.mark.parametrize("make", [confusion_figure, class_scores_figure, pairs_figure])
def test_before_the_test_there_is_a_sentence(make) -> None:  # type: ignore[no-untyped-def]
    shown = make(made_snapshot())
    assert isinstance(shown, NoFigure)
    assert "The test set has not been read yet" in shown.reason
