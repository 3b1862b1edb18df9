from made_snapshots import COMPLETE, PRUNED, RUNNING, made_epochs, made_snapshot, made_trial, search

from hpsearch.figures.figure import NoFigure, StudyFigure
from hpsearch.figures.intermediate import (
    Curve,
    curves_to_draw,
    get_intermediate_info,
    intermediate_figure,
)
from hpsearch.figures.theme import FAINT

TRIALS = [
    made_trial(0, PRUNED),
    made_trial(1, COMPLETE, 0.6),
    made_trial(2, PRUNED),
    made_trial(3, COMPLETE, 0.8),
    made_trial(4, RUNNING),
]
EPOCHS = {
    search(0): made_epochs(0.1, 0.2),
    search(1): made_epochs(0.5, 0.6),
    search(2): made_epochs(0.3, 0.4),
    search(3): made_epochs(0.7, 0.8),
    search(4): made_epochs(0.5),
}


def test_every_trial_has_its_curve_and_the_best_is_known() -> None:
    info = get_intermediate_info(made_snapshot(TRIALS, EPOCHS))
    assert info.curves[0] == Curve(0, "pruned", [1, 2], [0.1, 0.2])
    assert [curve.trial for curve in info.curves] == [0, 1, 2, 3, 4]
    assert info.best == 3


def test_where_there_is_no_room_pruned_and_older_trials_are_left_out() -> None:
    info = get_intermediate_info(made_snapshot(TRIALS, EPOCHS))
    drawn = [[c.trial for c in curves_to_draw(info, most_points=n)] for n in (2, 5, 7, 9)]
    assert drawn == [[3], [1, 3, 4], [1, 2, 3, 4], [0, 1, 2, 3, 4]]


def test_pruned_trials_are_one_faint_trace_with_gaps() -> None:
    figure = intermediate_figure(made_snapshot(TRIALS, EPOCHS))
    assert isinstance(figure, StudyFigure)
    traces = {trace.name: trace for trace in figure.plot.data}
    assert list(traces) == ["pruned", "running", "complete", "best"]
    assert list(traces["pruned"].y) == [0.1, 0.2, None, 0.3, 0.4, None]
    assert traces["pruned"].line.color == FAINT
    assert len(figure.rows) == 9


def test_a_study_without_an_epoch_has_a_sentence() -> None:
    assert isinstance(intermediate_figure(made_snapshot()), NoFigure)
