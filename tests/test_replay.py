import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from small_studies import run_small, small_study, stored
from sqlalchemy import text

from hpsearch.errors import NothingToShowError
from hpsearch.home import Home
from hpsearch.replay import Difference, Replay, replay_trial
from hpsearch.report.replayed import print_replay

SPEC = small_study(training={"epochs": 4}, search={"trials": 2})


@pytest.fixture
def searched(home: Home) -> Home:
    run_small(SPEC, home)
    return home


def replay(home: Home, trial: int = 0) -> Replay:
    with stored(home) as record:
        return replay_trial(record, trial, data_dir=home.root, home=home, device="auto")


def execute(home: Home, statement: str) -> None:
    with stored(home) as record, record.database.engine.begin() as connection:
        connection.execute(text(statement))


def printed(result: Replay) -> str:
    paper = io.StringIO()
    print_replay(Console(file=paper, width=200), result)
    return paper.getvalue()


def test_a_trial_comes_out_the_same_bit_for_bit(searched: Home) -> None:
    for trial in (0, 1):
        result = replay(searched, trial)
        assert (result.exact, result.is_same, result.epochs) == (True, True, 4)
        assert (result.differences, result.changes) == ([], [])
        assert "the same, bit for bit" in printed(result)


def test_a_trial_is_replayed_by_the_method_it_was_computed_by(home: Home) -> None:
    run_small(SPEC, home, plain=True)
    result = replay(home)
    assert result.method == "fp32, contiguous, autograd"
    assert result.is_same


def test_a_pruned_trial_is_replayed_as_far_as_it_came(home: Home) -> None:
    pruned = small_study(
        training={"epochs": 4},
        search={"trials": 6, "pruner": {"name": "percentile", "n_startup_trials": 1}},
    )
    run_small(pruned, home)
    with stored(home) as record:
        lengths = {
            key.trial: len(epochs) for key, epochs in record.all_epochs(role="search").items()
        }
    short = [trial for trial, length in lengths.items() if length < 4]
    assert short
    for trial in short:
        result = replay(home, trial)
        assert result.is_same
        assert result.epochs == lengths[trial]


def test_the_first_figure_of_each_epoch_that_differs_is_told(searched: Home) -> None:
    execute(
        searched,
        "UPDATE hpsearch_epochs SET val_loss = 9.5 WHERE trial = 0 AND epoch IN (2, 4)",
    )
    result = replay(searched)
    assert not result.is_same
    assert [(d.epoch, d.figure, d.recorded) for d in result.differences] == [
        (2, "val_loss", 9.5),
        (4, "val_loss", 9.5),
    ]
    assert "NOT the same" in printed(result)
    assert "9.5" in printed(result)
    assert replay(searched, 1).is_same


@pytest.mark.parametrize(("shift", "is_same"), [(0.0, True), (0.015, True), (0.03, False)])
def test_on_another_kind_of_device_a_tolerance_holds(
    searched: Home, shift: float, is_same: bool
) -> None:
    execute(searched, "UPDATE hpsearch_starts SET device = 'NVIDIA H200'")
    execute(searched, f"UPDATE hpsearch_epochs SET val_accuracy = val_accuracy + {shift}")
    result = replay(searched)
    assert (result.exact, result.is_same) == (False, is_same)
    assert result.changes == ["device: NVIDIA H200 -> cpu"]
    words = "within the tolerance" if is_same else "NOT within the tolerance"
    assert f"{words} for another kind of device (0.02 of accuracy, 10% of a loss)" in printed(
        result
    )


def test_what_has_changed_since_is_told(searched: Home) -> None:
    with stored(searched) as record:
        (run,) = record.runs()
        environment = {**run.environment, "code": "0123456789abcdef"}
        environment["packages"] = {**environment["packages"], "torch": "2.0.1"}
    with stored(searched) as record, record.database.engine.begin() as connection:
        connection.execute(
            text("UPDATE hpsearch_runs SET environment = :e"), {"e": json.dumps(environment)}
        )
    result = replay(searched)
    code, torch = result.changes
    assert code.startswith("code: 0123456789abcdef -> ")
    assert torch.startswith("packages.torch: 2.0.1 -> ")
    assert result.is_same, "what has changed need not matter"
    assert "changed since: packages.torch" in printed(result)


def test_a_trial_that_is_not_there_has_nothing_to_replay(searched: Home, tmp_path: Path) -> None:
    with pytest.raises(NothingToShowError, match=r"'small' has no epochs of a trial 7"):
        replay(searched, 7)


def test_a_difference_may_have_no_figure(searched: Home) -> None:
    """A figure that is missing on one side is shown as such."""
    result = replay(searched)
    missing = Difference(1, "val_loss", None, 0.5)
    changed = Replay(**{**vars(result), "is_same": False, "differences": [missing]})
    assert "None" in printed(changed)
