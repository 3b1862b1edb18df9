from made_snapshots import COMPLETE, PRUNED, RUNNING, made_epochs, made_snapshot, made_trial, search

from hpsearch.figures.figure import NoFigure, StudyFigure
from hpsearch.figures.history import get_history_info, history_figure
from hpsearch.studyparser import parse_study

TRIALS = [
    made_trial(0, COMPLETE, 0.5),
    made_trial(1, PRUNED, 0.3),
    made_trial(2, COMPLETE, 0.7),
    made_trial(4, COMPLETE, 0.6),
    made_trial(5, RUNNING),
]
EPOCHS = {search(1): made_epochs(0.4, 0.3)}


def test_the_best_so_far_rises_only_and_a_pruned_trial_has_its_best_epoch() -> None:
    info = get_history_info(made_snapshot(TRIALS, EPOCHS))
    assert info.complete == [(0, 0.5), (2, 0.7), (4, 0.6)]
    assert info.best == [0.5, 0.7, 0.7]
    assert info.pruned == [(1, 0.4)]


def test_the_best_loss_so_far_falls_only() -> None:
    snapshot = made_snapshot(TRIALS, EPOCHS)
    document = {**snapshot.document, "objective": "val_loss"}
    assert parse_study(document, name="x").objective == "val_loss"
    info = get_history_info(made_snapshot(TRIALS, EPOCHS, document=document))
    assert info.best == [0.5, 0.5, 0.5]
    assert info.pruned == [(1, 0.6)]  # a loss here is 1 minus the accuracy


def test_the_rows_are_by_trial_with_the_best_so_far() -> None:
    figure = history_figure(made_snapshot(TRIALS, EPOCHS))
    assert isinstance(figure, StudyFigure)
    assert figure.csv().splitlines() == [
        "trial,state,val_accuracy,best so far",
        "0,complete,0.5,0.5",
        "1,pruned,0.4,",
        "2,complete,0.7,0.7",
        "4,complete,0.6,0.7",
    ]
    assert "3 complete and 1 pruned" in figure.alt


def test_what_is_drawn_is_what_the_info_says() -> None:
    figure = history_figure(made_snapshot(TRIALS, EPOCHS))
    assert isinstance(figure, StudyFigure)
    drawn = {trace.name: (list(trace.x), list(trace.y)) for trace in figure.plot.data}
    assert drawn["complete"] == ([0, 2, 4], [0.5, 0.7, 0.6])
    assert drawn["best so far"] == ([0, 2, 4], [0.5, 0.7, 0.7])


def test_a_study_whose_first_trial_runs_has_a_sentence() -> None:
    shown = history_figure(made_snapshot([made_trial(0, RUNNING)]))
    assert shown == NoFigure("history", "Optimisation history", "No trial has a value yet.")
