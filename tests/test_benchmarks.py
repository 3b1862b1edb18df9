"""The benchmark's own arithmetic; of what it measures, that it measures at all."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from benchmarks import tables, target
from benchmarks.__main__ import bench
from benchmarks.contest import OURS, Contest, ContestantError, Peer, Score, Setting, hold, run_json
from benchmarks.curves import (
    CurveEpoch,
    Curves,
    Table,
    load_curves,
    mlp_study,
    read_table,
    train_curves,
    write_table,
)
from benchmarks.footprint import Footprint
from benchmarks.growth import Growth, GrowthAt
from benchmarks.imageless import NO_IMAGES, open_imageless
from benchmarks.limit import flops_per_image
from benchmarks.made_trials import make_trials, write_trials
from benchmarks.reference import REFERENCE, Model
from benchmarks.replay import ReplayExecutor
from benchmarks.target import TARGET, Outcome, Targets
from benchmarks.throughput import _our_images_per_s, epochs_per_s
from benchmarks.trials import measure_trials
from made_data import prepare_digits
from made_plans import make_plan
from rich.console import Console
from small_studies import stored
from typer.testing import CliRunner

from hpsearch import algorithms
from hpsearch.executors.inline import InlineExecutor
from hpsearch.executors.messages import EpochFinished, Task, TrainingFinished
from hpsearch.home import Home
from hpsearch.records import TrainingKey
from hpsearch.report.status import study_status


def made_table(*, good: int, length: int = 4) -> Table:
    """D4's 108 configurations, three seeds each; the first `good` reach the target at their end."""
    spec = mlp_study()
    table: Table = {}
    for number, values in enumerate(spec.space.grid()):
        last = TARGET if number < good else TARGET - 0.01
        for seed in range(3):
            table[spec.configuration(values).fingerprint, seed] = [
                CurveEpoch(round(last - 0.01 * (length - epoch), 6), 0.3, 10.0)
                for epoch in range(1, length + 1)
            ]
    return table


def made_curves(*, good: int) -> Curves:
    """The same, ready to be replayed."""
    curves: Curves = defaultdict(list)
    for (configuration, _), curve in made_table(good=good).items():
        curves[configuration].append(curve)
    return dict(curves)


def test_curves_are_trained_to_their_end_one_after_the_other(tmp_path: Path) -> None:
    digits = prepare_digits(tmp_path / "cache")
    plans = {TrainingKey("search", 0, seed): make_plan(digits, seed=seed) for seed in (0, 1)}
    home = tmp_path / "curves"
    home.mkdir()
    (home / "curve-0-1.pt").write_bytes(b"of an earlier life, and damaged")
    curves = dict(train_curves(InlineExecutor(device="cpu"), plans, home))
    assert curves.keys() == plans.keys()
    assert [len(curve) for curve in curves.values()] == [3, 3]
    assert list(home.iterdir()) == [], "a finished curve needs no checkpoint"


def test_curves_are_read_as_they_were_saved(tmp_path: Path) -> None:
    path, table = tmp_path / "curves.csv.gz", made_table(good=3)
    write_table(path, table)
    content = path.read_bytes()
    assert read_table(path) == table
    assert len(table) == 108 * 3
    write_table(path, table)
    assert path.read_bytes() == content
    assert load_curves(path) == made_curves(good=3)


def test_only_seeds_with_all_configurations_are_replayed(tmp_path: Path) -> None:
    path, table = tmp_path / "curves.csv.gz", made_table(good=0)
    one, another = min(table), max(table)
    assert (one[1], another[1]) == (0, 2)
    del table[another]
    write_table(path, table)
    assert {len(curves) for curves in load_curves(path).values()} == {2}
    del table[one[0], 0], table[one[0], 1]
    write_table(path, table)
    assert load_curves(path) == {}


def test_every_epoch_of_a_configuration_takes_the_median_time_of_all_of_them(
    tmp_path: Path,
) -> None:
    path, table = tmp_path / "curves.csv.gz", made_table(good=0, length=2)
    one, another = sorted({configuration for configuration, _ in table})[:2]
    # 2, 3, 5, 7, 11 and 900 s: the median is 6 s
    for seed, pair in enumerate([(5.0, 900.0), (2.0, 7.0), (11.0, 3.0)]):
        table[one, seed] = [
            replace(epoch, duration_s=duration_s)
            for epoch, duration_s in zip(table[one, seed], pair, strict=True)
        ]
    write_table(path, table)
    curves = load_curves(path)
    assert {epoch.duration_s for curve in curves[one] for epoch in curve} == {6.0}
    assert {epoch.duration_s for curve in curves[another] for epoch in curve} == {10.0}
    assert curves[one][0][1].val_accuracy == table[one, 0][1].val_accuracy
    assert read_table(path)[one, 0][1].duration_s == 900.0, "measured, whatever is replayed"


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
    [
        ("echo first >&2; echo why >&2; exit 3", "^exit code 3: why$"),
        ("true", "exit code 0"),
        ("echo chatter", "no result: chatter"),
        ("sleep 9 & wait", "longer"),
    ],
)
def test_a_program_that_gives_no_result_is_a_failed_contestant(script: str, message: str) -> None:
    started = time.monotonic()
    with pytest.raises(ContestantError, match=message):
        run_json(["sh", "-c", script], timeout_s=0.5)
    assert time.monotonic() - started < 8, "what it started must end with it"


@pytest.mark.parametrize(("script", "package"), [("ray_tune.py", "ray"), ("keras_fit.py", "keras")])
def test_a_peer_that_cannot_be_imported_says_what_is_missing(
    script: str, package: str, tmp_path: Path
) -> None:
    if find_spec(package):
        pytest.skip(f"{package} is installed here")
    setting = Setting(
        Path(sys.executable), tmp_path, tmp_path, "cpu", 2, 2, repeats=1, quick=True, trial_images=9
    )
    command = setting.peer_command(Peer("some", script, 2, 1), "throughput", "--model", "mlp")
    with pytest.raises(ContestantError, match=f"^no {package}$"):
        run_json([*command, "--seconds", "1"], timeout_s=60)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "T6"], "replays none.csv.gz, which is not there"),
        (["--only", "T8"], "name one of them"),
        (["--only", "T9"], "T9; allowed: T1, T2"),
        (["--device", "tpu"], "'cpu', 'cuda'"),
        (["--only", "T7", "--json", "no-such/folder.json"], "cannot be written"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.__main__.TABLE", tmp_path / "none.csv.gz")
    app = typer.Typer(rich_markup_mode=None)
    app.command()(bench)
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 2
    assert message in " ".join(answer.output.split())


def test_without_our_own_search_there_is_no_overhead_and_the_peers_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], *, timeout_s: float) -> dict[str, object]:
        if "hpsearch" in command:
            raise ContestantError("out of memory")
        return {"trained": 24, "val_accuracy": [0.5] * 24}

    monkeypatch.setattr("benchmarks.trials.run_json", run)
    setting = Setting(
        Path(sys.executable), tmp_path, tmp_path, "cpu", 2, 2, repeats=1, quick=True, trial_images=9
    )
    contest, overhead, accuracies = measure_trials(setting, model="cnn")
    assert overhead is None
    assert contest.ours.failure == "out of memory"
    assert len([score for score in contest.scores if score.samples]) == len(accuracies) == 3


def test_the_last_line_is_the_result() -> None:
    assert run_json(["sh", "-c", "echo chatter; echo '{\"a\": 1}'"], timeout_s=9) == {"a": 1}


def test_each_repeat_trains_its_own_images(data_dir: Path, tmp_path: Path) -> None:
    setting = Setting(
        Path(sys.executable), data_dir, tmp_path, "cpu", 2, 1, repeats=2, quick=True, trial_images=9
    )
    methods: list[str] = []
    assert all(_our_images_per_s(setting, "mlp", 0.1, methods) > 0 for _ in range(2))
    assert methods == ["fp32, contiguous, written-out"]
    folders = {path for path in tmp_path.iterdir() if path.name != "cache"}
    assert len(folders) == 2, "none finds the checkpoints of the one before"


def test_a_workers_pace_is_that_of_its_whole_epochs_since_all_are_warm() -> None:
    # alone until 5.5 s, it took 1 s; then 2 s
    assert epochs_per_s([1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 9.0, 11.0], since_s=5.5) == 0.5
    assert epochs_per_s([5.5, 6.0], since_s=5.5) == 2.0, "the last to be warm counts at once"


@pytest.mark.parametrize(
    ("model", "forward", "first_layer"),
    [
        ("mlp", 2 * (784 * 128 + 128 * 128 + 128 * 10), 2 * 784 * 128),
        (
            "cnn",
            2 * (28**2 * 9 * 32 + 14**2 * 9 * 32 * 64 + 7**2 * 64 * 64 + 64 * 10),
            2 * 28**2 * 9 * 32,
        ),
    ],
)
def test_a_step_is_three_times_forward_without_the_gradient_of_the_images(
    model: Model, forward: int, first_layer: int
) -> None:
    plan = make_plan(NO_IMAGES, REFERENCE[model], model=model)
    assert flops_per_image(plan) == 3 * forward - first_layer


def test_replayed_trainings_take_their_recorded_time(tmp_path: Path) -> None:
    plan = make_plan(NO_IMAGES)
    assert plan.seed == 7, "the second of two curves is replayed"
    epochs = [CurveEpoch(0.5, 1.0, 3.0), CurveEpoch(0.6, 0.9, 5.0)]
    executor = ReplayExecutor({plan.configuration.fingerprint: [[], epochs]}, num_slots=2)
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
    assert executor.poll(0.0) == [TrainingFinished(first, 0)]
    assert executor.now_s == 8.0


def test_one_epoch_of_all_then_the_best_five_in_full() -> None:
    # 108 first epochs on two slots are 54 rounds of 10 s; five times three more are 3 rounds of 30
    nobody = target.one_epoch_of_all(made_curves(good=0), 1)
    assert nobody == Outcome(None, 540.0 + 90.0, best=TARGET - 0.01)
    everybody = target.one_epoch_of_all(made_curves(good=108), 1)
    assert everybody == Outcome(540.0 + 30.0, 540.0 + 90.0, best=TARGET)


def test_a_replayed_search_notes_the_first_epoch_that_meets_the_target() -> None:
    curves = made_curves(good=108)
    outcome = target.search(curves, algorithms.Random(), algorithms.NoPruner(), 1)
    # the fourth epoch of the first two trials; a hundred trials on two slots are 50 rounds of 40 s
    assert outcome == Outcome(40.0, 2000.0, best=TARGET)


def test_the_expected_time_counts_the_seeds_that_failed() -> None:
    outcomes = [
        Outcome(3600.0, 9000.0, 0.9),
        Outcome(None, 7200.0, 0.8),
        Outcome(1800.0, 5400.0, 0.91),
    ]
    times = target.summarize("some", outcomes)
    assert (times.expected_hours, times.num_reached) == (1.75, 2)
    assert (times.hours, times.total_hours, times.best) == ([1.0, 2.0, 0.5], 2.0, 0.9)
    assert target.summarize("none", outcomes[1:2]).expected_hours is None


def shown(show: Callable[[Console, Any], None], result: object) -> tuple[list[list[str]], str]:
    """The rows of a table, each as the texts of its cells, and all that is printed."""
    console = Console(file=StringIO(), width=200)
    show(console, result)
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    rows = [line.strip("│┃").replace("┃", "│").split("│") for line in text.splitlines()]
    return [[cell.strip() for cell in row] for row in rows if len(row) > 1], text


def test_a_made_study_is_one_that_the_commands_can_show(tmp_path: Path) -> None:
    spec = mlp_study()
    with open_imageless(Home(tmp_path), spec) as record:
        write_trials(record, list(make_trials(spec, num_finished=20, num_running=2)))
    with stored(Home(tmp_path), spec.name) as record:
        status = study_status(record, home=Home(tmp_path))
    assert status.trials.running == 2
    assert status.trials.complete + status.trials.pruned == 20


def test_growth_is_shown_in_a_column_for_each_size_with_units() -> None:
    small = GrowthAt(100, 1.25, 2, 3, 4, 5, 0.5, 0.75, 6, 7, 8, quartiles={}, repeats={})
    large = GrowthAt(10_000, 11, 12, 13, 1_400, 15, 16, 17, 18, 19, 20, quartiles={}, repeats={})
    (heading, *rows), _ = shown(tables.show_growth, Growth([small, large]))
    assert heading == ["median of", "unit", "100 trials", "10,000 trials"]
    assert rows[0] == ["a proposal", "ms", "1.2", "11.0"]
    assert ["a proposal, Optuna alone", "ms", "6.0", "18.0"] in rows
    assert ["a dashboard page", "ms", "4.0", "1,400.0"] in rows
    assert ["hpsearch top", "s", "0.75", "17.00"] in rows
    assert len(rows) == 10


def test_a_footprint_is_shown_with_its_spread_and_units() -> None:
    repeats = {
        "worker_extra_mb": [38.0, 36.0, 45.0],
        "worker_uss_mb": [343.0, 340.0, 350.0],
        "bare_torch_mb": [305.0, 304.0, 306.0],
        "help_s": [0.11, 0.1, 0.12],
        "first_batch_s": [3.9, 3.8, 4.0],
        "first_batch_again_s": [3.0, 2.9, 3.1],
    }
    footprint = Footprint(38.0, 343.0, 305.0, 0.11, 3.9, 3.0, repeats=repeats)
    (heading, *rows), _ = shown(tables.show_footprint, footprint)
    assert heading == ["", "unit", "median", "least", "most"]
    assert ["a worker beyond the import", "MB", "38", "36", "45"] in rows
    assert ["hpsearch --help", "s", "0.11", "0.10", "0.12"] in rows
    assert len(rows) == 6


def test_targets_are_shown_fastest_first_and_say_how_many_curves_were_replayed() -> None:
    times = [target.summarize("default", [Outcome(7200.0, 9000.0, 0.9)])]
    times += [target.summarize("never", [Outcome(None, 1.0, 0.8)])]
    times += [target.summarize("fast", [Outcome(3600.0, 3600.0, 0.9)])]
    rows, text = shown(tables.show_targets, Targets(TARGET, 1, 2, "default", times))
    assert [row[0] for row in rows[1:]] == ["fast", "default", "never"]
    assert rows[1][1:] == ["1.000", "1 of 1", "0.50 x", "1.000", "0.9000"]
    assert "recorded curves of 2 seeds" in text


@pytest.mark.parametrize(
    ("peers", "verdict"),
    [
        ({"a": 10.0, "b": 5.0}, "3.00 x the best peer; goal 2 x: met"),
        ({"a": 20.0, "b": 5.0}, "1.50 x the best peer; goal 2 x: missed"),
        ({"a": 10.0, "b": None}, "3.00 x the best peer that ran; goal 2 x: not judged without b"),
        ({"a": None}, "goal 2 x: nothing to compare"),
    ],
)
def test_only_the_whole_field_can_meet_the_goal(
    peers: dict[str, float | None], verdict: str
) -> None:
    scores = [Score(name, [] if value is None else [value]) for name, value in peers.items()]
    _, text = shown(
        lambda console, contest: tables.show_contest(console, contest, {}),
        Contest("T1", "made", "images/s", 2.0, [Score(OURS, [30.0]), *scores]),
    )
    assert verdict in text


def test_a_contestant_left_out_is_shown_with_its_reason() -> None:
    scores = [Score(OURS, [30.0, 20.0]), Score("peer", [], "no ray[tune]")]
    rows, _ = shown(
        lambda console, contest: tables.show_contest(console, contest, {}),
        Contest("T1", "made", "images/s", 2.0, scores),
    )
    assert rows[1:] == [
        [OURS, "25", "20", "30", ""],
        ["peer", "left out: no ray[tune]", "", "", ""],
    ]
