from made_snapshots import (
    COMPLETE,
    PRUNED,
    RUNNING,
    at,
    made_epochs,
    made_run,
    made_snapshot,
    made_start,
    made_training,
    made_trial,
)

from hpsearch.figures.figure import NoFigure, StudyFigure
from hpsearch.figures.snapshot import Snapshot
from hpsearch.figures.timeline import get_timeline_info, timeline_figure
from hpsearch.records import TrainingKey


def spans(snapshot: Snapshot) -> list[tuple[int, int, int, str, float, float]]:
    return [
        (span.run, span.lane, span.trial, span.outcome, span.start_s, span.end_s)
        for span in get_timeline_info(snapshot).spans
    ]


def test_what_is_trained_at_once_is_in_lanes_and_the_first_free_one_is_taken() -> None:
    trials = [
        made_trial(0, COMPLETE, 0.5, start_s=0, end_s=10),
        made_trial(1, PRUNED, 0.5, start_s=1, end_s=4),
        made_trial(2, COMPLETE, 0.5, start_s=5, end_s=8),
    ]
    starts = [made_start(0, 0), made_start(1, 1), made_start(2, 5)]
    snapshot = made_snapshot(trials, starts=starts, runs=[made_run(1, 0, 12)])
    assert spans(snapshot) == [
        (1, 1, 0, "complete", 0, 10),
        (1, 2, 1, "pruned", 1, 4),
        (1, 2, 2, "complete", 5, 8),
    ]
    info = get_timeline_info(snapshot)
    assert (info.lanes, info.is_guessed) == (2, False)


def test_a_trial_carried_on_in_the_next_run_is_two_stretches_without_the_break() -> None:
    trials = [made_trial(0, COMPLETE, 0.5, start_s=2, end_s=1_005)]
    starts = [made_start(0, 2), made_start(0, 1_001)]
    runs = [made_run(1, 0, 10), made_run(2, 1_000, 1_006)]
    snapshot = made_snapshot(trials, starts=starts, runs=runs)
    assert spans(snapshot) == [(1, 1, 0, "interrupted", 2, 10), (2, 1, 0, "complete", 11, 15)]
    assert get_timeline_info(snapshot).run_starts_s == [0, 10]


def test_a_trial_whose_worker_died_is_continued_in_the_same_run() -> None:
    trials = [made_trial(0, PRUNED, 0.5, start_s=0, end_s=9)]
    starts = [made_start(0, 0), made_start(0, 5)]
    snapshot = made_snapshot(trials, starts=starts, runs=[made_run(1, 0, 10)])
    assert spans(snapshot) == [(1, 1, 0, "interrupted", 0, 5), (1, 1, 0, "pruned", 5, 9)]


def test_a_running_trial_ends_where_its_run_was_last_alive() -> None:
    trials = [made_trial(0, RUNNING, start_s=1)]
    snapshot = made_snapshot(trials, starts=[made_start(0, 1)], runs=[made_run(1, 0, 30)])
    assert spans(snapshot) == [(1, 1, 0, "running", 1, 30)]


def test_finalists_and_winners_are_in_it() -> None:
    finalist, winner = TrainingKey("finalist", 0, 1), TrainingKey("winner", 0, 0)
    snapshot = made_snapshot(
        [made_trial(0, COMPLETE, 0.5, start_s=0, end_s=2)],
        {finalist: made_epochs(0.5), winner: made_epochs(None)},
        trainings={finalist: made_training(finalist, 5), winner: made_training(winner, 9)},
        starts=[made_start(0, 0), made_start(0, 3, role="finalist", seed=1)],
        runs=[made_run(1, 0, 10)],
    )
    found = spans(snapshot)
    assert found[1] == (1, 1, 0, "finalist", 3, 5)
    # its start was not kept: guessed from its one epoch of 0.1 s
    assert found[2] == (1, 1, 0, "winner", 8.9, 9)
    assert get_timeline_info(snapshot).is_guessed


def test_without_recorded_starts_a_trial_starts_when_it_was_proposed() -> None:
    trials = [
        made_trial(0, COMPLETE, 0.5, start_s=1, end_s=3),
        made_trial(1, COMPLETE, 0.5, start_s=2, end_s=105),
    ]
    runs = [made_run(1, 0, 10), made_run(2, 100, 110)]
    snapshot = made_snapshot(trials, runs=runs)
    assert spans(snapshot) == [
        (1, 1, 0, "complete", 1, 3),
        (1, 2, 1, "interrupted", 2, 10),
        (2, 1, 1, "complete", 10, 15),
    ]


def test_the_figure_has_a_bar_a_stretch_and_times_as_rows() -> None:
    trials = [made_trial(0, COMPLETE, 0.5, start_s=0, end_s=10)]
    shown = timeline_figure(
        made_snapshot(trials, starts=[made_start(0, 0)], runs=[made_run(1, 0, 12)])
    )
    assert isinstance(shown, StudyFigure)
    (bar,) = shown.plot.data
    assert (list(bar.base), list(bar.x), list(bar.y)) == ([0], [10], ["lane 1"])
    assert shown.rows[0][6:8] == (at(0).isoformat(), at(10).isoformat())


def test_before_anything_was_trained_there_is_a_sentence() -> None:
    assert isinstance(timeline_figure(made_snapshot(runs=[made_run(1, 0, 1)])), NoFigure)
