"""The benchmark's own arithmetic; what it measures is not tested here."""

from pathlib import Path

import pytest
from benchmarks import target
from benchmarks.contest import OURS, Contest, ContestantError, Score, hold, run_json
from benchmarks.curves import SEEDS, CurveEpoch, Curves, load_curves, mlp_study, save_curves
from benchmarks.replay import ReplayExecutor
from benchmarks.target import TARGET, Outcome
from made_data import prepare_digits
from made_plans import METHOD, make_plan

from hpsearch import algorithms
from hpsearch.executors.messages import EpochFinished, Task, TrainingFinished
from hpsearch.records import TrainingKey


def made_curves(*, good: int, length: int = 4) -> Curves:
    """D4's 108 configurations; the first `good` of them reach the target in their last epoch."""
    spec = mlp_study()
    curves: Curves = {}
    for number, values in enumerate(spec.space.grid()):
        last = TARGET if number < good else TARGET - 0.01
        for seed in range(SEEDS):
            curves[spec.configuration(values).fingerprint, seed] = [
                CurveEpoch(round(last - 0.01 * (length - epoch), 6), 0.3, 10.0)
                for epoch in range(1, length + 1)
            ]
    return curves


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "curves.csv.gz"


def test_curves_are_read_as_they_were_saved(table: Path) -> None:
    curves = made_curves(good=3)
    save_curves(table, curves)
    content = table.read_bytes()
    assert load_curves(table) == curves
    assert len(curves) == 108 * SEEDS
    save_curves(table, curves)
    assert table.read_bytes() == content


def test_contestants_take_turns_and_one_that_fails_is_left_out() -> None:
    order = []

    def run(name: str, *results: float | None) -> float:
        order.append(name)
        result = results[order.count(name) - 1]
        if result is None:
            raise ContestantError("out of luck")
        return result

    contest = hold(
        Contest("T1", "made", "images/s", goal=2.0),
        {
            OURS: lambda: run("a", 30.0, 50.0, 40.0),
            "steady": lambda: run("b", 10.0, 20.0, 16.0),
            "failing": lambda: run("c", 1000.0, None),
        },
        repeats=3,
    )
    assert order == ["a", "b", "c", "a", "b", "c", "a", "b"]
    ours, steady, failing = contest.scores
    assert (ours.median, steady.median) == (40.0, 16.0)
    assert (failing.samples, failing.failure) == ([1000.0], "out of luck")


def test_the_ratio_is_to_the_best_peer() -> None:
    scores = [Score(OURS, [30.0]), Score("slow", [3.0]), Score("best", [10.0]), Score("absent", [])]
    assert Contest("T1", "", "", 2.0, scores).ratio == 3.0
    assert Contest("T1", "", "", 2.0, scores[:1]).ratio is None


@pytest.mark.parametrize(
    ("script", "message"),
    [("echo why >&2; exit 3", "exit code 3: why"), ("true", "exit code 0"), ("sleep 9", "longer")],
)
def test_a_program_that_gives_no_result_is_a_failed_contestant(script: str, message: str) -> None:
    with pytest.raises(ContestantError, match=message):
        run_json(["sh", "-c", script], timeout_s=0.5)


def test_the_last_line_is_the_result() -> None:
    assert run_json(["sh", "-c", "echo chatter; echo '{\"a\": 1}'"], timeout_s=9) == {"a": 1}


def test_replayed_trainings_take_their_recorded_time(tmp_path: Path) -> None:
    plan = make_plan(prepare_digits(tmp_path))
    fingerprint = plan.configuration.fingerprint
    epochs = [CurveEpoch(0.5, 1.0, 3.0), CurveEpoch(0.6, 0.9, 5.0)]
    executor = ReplayExecutor({(fingerprint, plan.seed % SEEDS): epochs}, num_slots=2)
    first, second = TrainingKey("search", 0), TrainingKey("search", 1)
    executor.submit(Task(first, plan, tmp_path / "none"))
    seen = []
    for _ in range(3):
        (event,) = executor.poll(0.0)
        seen.append((executor.now_s, type(event), event.key))
        if len(seen) == 1:
            executor.submit(Task(second, plan, tmp_path / "none"))
            executor.submit(Task(TrainingKey("search", 2), plan, tmp_path / "none"))
            executor.stop(TrainingKey("search", 2))
    assert seen == [
        (3.0, EpochFinished, first),
        (6.0, EpochFinished, second),
        (8.0, EpochFinished, first),
    ]
    assert executor.poll(0.0) == [TrainingFinished(first, METHOD, 0)]
    assert executor.now_s == 8.0


def test_one_epoch_of_all_then_the_best_five_in_full() -> None:
    # 108 first epochs on two slots are 54 rounds of 10 s; five times three more are 3 rounds of 30
    nobody = target.one_epoch_of_all(made_curves(good=0), 1)
    assert nobody == Outcome(None, 540.0 + 90.0)
    everybody = target.one_epoch_of_all(made_curves(good=108), 1)
    assert everybody == Outcome(540.0 + 30.0, 540.0 + 30.0)


def test_a_replayed_search_ends_at_the_first_epoch_that_meets_the_target() -> None:
    curves = made_curves(good=108)
    outcome = target.search(curves, algorithms.Random(), algorithms.NoPruner(), 1)
    assert outcome == Outcome(40.0, 40.0), "the fourth epoch of the first two trials"


def test_the_expected_time_counts_the_seeds_that_failed() -> None:
    outcomes = [Outcome(3600.0, 3600.0), Outcome(None, 7200.0), Outcome(1800.0, 1800.0)]
    times = target.summarize("some", outcomes)
    assert (times.expected_hours, times.num_reached) == (1.75, 2)
    assert target.summarize("none", outcomes[1:2]).expected_hours is None
