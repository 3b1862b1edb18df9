from made_snapshots import (
    COMPLETE,
    made_epochs,
    made_reading,
    made_snapshot,
    made_training,
    made_trial,
    search,
)

from hpsearch.figures.curves import configuration_curves, curves_figure, get_curves_info
from hpsearch.figures.figure import NoFigure, StudyFigure
from hpsearch.records import TrainingKey

BEST, OTHER = made_trial(0, COMPLETE, 0.9), made_trial(1, COMPLETE, 0.8)
SEARCHED = {search(0): made_epochs(0.8, 0.9), search(1): made_epochs(0.8)}
FINALIST, WINNER = TrainingKey("finalist", 1, 0), TrainingKey("winner", 1, 0)
AFTER = {**SEARCHED, FINALIST: made_epochs(0.7, 0.8), WINNER: made_epochs(None, None)}


def test_before_the_finalists_the_best_trial_s_own_curve_is_shown() -> None:
    info = get_curves_info(made_snapshot([BEST, OTHER], SEARCHED))
    assert info is not None
    assert list(info.trainings) == [search(0)]


def test_the_tested_trial_is_the_winner_and_not_the_best_of_the_search() -> None:
    snapshot = made_snapshot([BEST, OTHER], AFTER, reading=made_reading([[1]], trial=1))
    info = get_curves_info(snapshot)
    assert info is not None
    assert list(info.trainings) == [FINALIST, WINNER]
    assert not info.validated


def test_a_retrained_winner_is_known_before_its_test() -> None:
    trainings = {WINNER: made_training(WINNER, 1)}
    assert made_snapshot([BEST, OTHER], AFTER, trainings=trainings).winner == 1


def test_a_retraining_without_validation_has_no_validation_curve_and_says_so() -> None:
    figure = curves_figure(
        made_snapshot([BEST, OTHER], AFTER, reading=made_reading([[1]], trial=1))
    )
    assert isinstance(figure, StudyFigure)
    drawn = [(trace.name, list(trace.y)) for trace in figure.plot.data]
    assert drawn == [
        ("training, with fresh seeds", [0.5, 0.5]),
        ("training, with fresh seeds", [0.5, 0.5]),
        ("validation, with fresh seeds", [0.7, 0.8]),
        ("validation, with fresh seeds", [1 - 0.7, 1 - 0.8]),
        ("training, retrained", [0.5, 0.5]),
        ("training, retrained", [0.5, 0.5]),
    ]
    assert "no validation curve" in figure.note


def test_before_there_is_a_winner_the_curves_are_not_called_its() -> None:
    best = curves_figure(made_snapshot([BEST, OTHER], SEARCHED))
    chosen = curves_figure(
        made_snapshot([BEST, OTHER], AFTER, reading=made_reading([[1]], trial=1))
    )
    assert "best" in best.title
    assert "winner" not in best.title
    assert "winner" in chosen.title


def test_a_configurations_trainings_are_drawn_alike() -> None:
    figure = configuration_curves(made_snapshot([BEST, OTHER], SEARCHED), [0, 1, 7])
    assert isinstance(figure, StudyFigure)
    drawn = [(trace.name, list(trace.y)) for trace in figure.plot.data][::2]  # accuracy
    assert drawn == [
        ("training", [0.5, 0.5]),
        ("validation", [0.8, 0.9]),
        ("training", [0.5]),
        ("validation", [0.8]),
    ]
    assert isinstance(configuration_curves(made_snapshot([BEST, OTHER], SEARCHED), [7]), NoFigure)


def test_before_a_trial_is_complete_there_is_a_sentence() -> None:
    assert isinstance(curves_figure(made_snapshot()), NoFigure)
