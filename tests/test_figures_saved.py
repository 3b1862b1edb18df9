from made_snapshots import COMPLETE, PRUNED, RUNNING, made_epochs, made_snapshot, made_trial, search

from hpsearch.figures.figure import NoFigure, StudyFigure
from hpsearch.figures.saved import SavedRow, get_saved_info, saved_figure

TRIALS = [made_trial(0, COMPLETE, 0.6), made_trial(1, PRUNED), made_trial(2, RUNNING)]
EPOCHS = {
    search(0): made_epochs(*[0.5] * 8),  # of 10 epochs, 0.1 s each
    search(1): made_epochs(0.5),
    search(2): made_epochs(0.5),
}


def test_spared_epochs_take_as_long_as_the_trial_s_others() -> None:
    first, second = get_saved_info(made_snapshot(TRIALS, EPOCHS)).rows
    assert first[:4] == (0, "complete", 8, 2)
    assert round(first.seconds, 6) == 0.8
    assert round(first.spared_seconds, 6) == 0.2
    assert second == SavedRow(1, "pruned", 1, 9, 0.1, 0.9)


def test_the_sums_are_of_the_trials_that_have_ended() -> None:
    figure = saved_figure(made_snapshot(TRIALS, EPOCHS))
    assert isinstance(figure, StudyFigure)
    assert "11 of 20 epochs (55%), about 1 s of 2 s" in figure.note
    assert sum(sum(trace.y) for trace in figure.plot.data) == 20


def test_before_a_trial_has_ended_there_is_a_sentence() -> None:
    assert isinstance(saved_figure(made_snapshot(TRIALS[2:], EPOCHS)), NoFigure)
