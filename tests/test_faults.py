"""The short form of scripts/inject, and whether its checker can fail.

Nearly all of its time goes into starting searches and their workers, some four seconds each on two
quiet cores; Ctrl-C and SIGKILL of a search are in test_carrying_on.py.
"""

import re
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from io import StringIO
from pathlib import Path
from random import Random

import pytest
import typer
from faults.__main__ import LONG, QUICK, inject
from faults.checker import Findings, check_copy, check_study, replay_sample
from faults.checkpoints import DamagedCheckpoints, damage
from faults.interruptions import Interruptions
from faults.kills import Kills
from faults.recoveries import Recoveries
from faults.row import Row
from faults.scenario import Ground, Scenario, places
from faults.stops import Stops
from faults.study import Progress, Study, read_progress
from faults.tables import show_rows
from rich.console import Console
from small_studies import run_small

from hpsearch.studyparser import load_study_file

SHORT: tuple[Scenario, ...] = (
    Kills(faults=4, trials=7, epochs=60, sample=2),
    Stops(faults=2, stop_s=1.5, trials=3, epochs=150, sample=1),
    DamagedCheckpoints(rounds=1, trials=2, epochs=60, sample=2, paused_by=signal.SIGTERM),
    Interruptions(kinds=((signal.SIGHUP, 1),), early=False, trials=2, epochs=40, sample=1),
)


@pytest.mark.parametrize("scenario", SHORT, ids=lambda scenario: scenario.name)
def test_a_disturbed_study_ends_as_an_undisturbed_one(scenario: Scenario, tmp_path: Path) -> None:
    row = scenario.run(Ground(tmp_path, Random(0)))
    assert row.faults > 0
    assert row.broken == []
    assert (row.lost, row.duplicated, row.wrong_epochs) == (0, 0, 0)
    assert row.ended_by_contract == 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of three trials of three epochs, which nothing disturbed."""
    study = Study(tmp_path_factory.mktemp("finished"), trials=3, epochs=3)
    study.write()
    run_small(load_study_file(study.file), study.home)
    return study


@pytest.fixture
def study(finished: Study, tmp_path: Path) -> Study:
    """A copy of it, to be changed."""
    shutil.copytree(finished.folder, tmp_path / "study")
    return replace(finished, folder=tmp_path / "study")


def change(study: Study, statement: str) -> None:
    with closing(sqlite3.connect(study.database)) as connection, connection:
        assert connection.execute(statement).rowcount > 0


def test_nothing_is_wrong_with_an_undisturbed_study(study: Study) -> None:
    assert check_study(study) == Findings()
    assert check_copy(study.database, max_epochs=3) == []
    assert list(replay_sample(study, 3)) == []


EPOCH = "role = 'search' AND trial = 1 AND epoch ="
WRONG_EPOCHS = {
    f"DELETE FROM hpsearch_epochs WHERE {EPOCH} 2": "trial 1: epoch 2 is missing",
    f"DELETE FROM hpsearch_epochs WHERE {EPOCH} 3": "trial 1: epoch 3 is missing",
    f"UPDATE hpsearch_epochs SET epoch = 4 WHERE {EPOCH} 3": "trial 1: epoch 4 is beyond its end",
    f"UPDATE hpsearch_epochs SET val_accuracy = 0.5 WHERE {EPOCH} 2": (
        r"trial 1: epoch 2 has 0\.\d+ in Optuna's table, 0\.5 in ours"
    ),
    "DELETE FROM trial_intermediate_values WHERE trial_id = 2 AND step = 3": (
        "trial 1: epoch 3 is missing in Optuna's table"
    ),
    "UPDATE trial_values SET value = 0.5 WHERE trial_id = 2": (
        "trial 1: its value is 0.5, which is not that of its best epoch"
    ),
    "DELETE FROM trials WHERE number = 1": "trial 1 is not there, but has an epoch 1",
}


@pytest.mark.parametrize(("statement", "sentence"), WRONG_EPOCHS.items(), ids=WRONG_EPOCHS.values())
def test_a_wrong_epoch_is_found(study: Study, statement: str, sentence: str) -> None:
    change(study, statement)
    found = check_study(study).wrong_epochs
    assert any(re.fullmatch(sentence, each) for each in found), found
    assert check_copy(study.database, max_epochs=3)


LOST = {
    "UPDATE trials SET state = 'RUNNING' WHERE number = 1": "trial 1 is RUNNING",
    "UPDATE trials SET state = 'FAIL' WHERE number = 1": "trial 1 is FAIL: complete, no reason",
    "UPDATE trials SET state = 'PRUNED' WHERE number = 1": "trial 1 is PRUNED: complete, no reason",
    "DELETE FROM trials WHERE number = 1": "trial 1 is missing",
    "DELETE FROM trials WHERE number = 2": "a trial less than was asked for",
}


@pytest.mark.parametrize(("statement", "sentence"), LOST.items(), ids=LOST.values())
def test_a_lost_trial_is_found_once(study: Study, statement: str, sentence: str) -> None:
    change(study, statement)
    assert check_study(study).lost == [sentence]


def test_a_trial_too_many_is_found(study: Study) -> None:
    assert check_study(replace(study, trials=2)).duplicated == ["a trial more than was asked for"]


def test_a_number_given_twice_is_found(study: Study) -> None:
    change(study, "UPDATE trials SET number = 1 WHERE number = 2")
    assert check_study(study).duplicated == ["number 1 is there more than once"]


def test_a_configuration_trained_twice_is_found(study: Study) -> None:
    change(study, "UPDATE trial_user_attributes SET value_json = '7' WHERE key = 'configuration'")
    assert check_study(study).duplicated == ["configuration 7 is there more than once"] * 2


@pytest.mark.parametrize("outcome", ["worker-lost", "timeout"])
def test_a_trial_that_ends_as_the_contract_says_is_not_lost(study: Study, outcome: str) -> None:
    change(study, "UPDATE trials SET state = 'FAIL' WHERE number = 1")
    change(
        study,
        f"UPDATE trial_user_attributes SET value_json = '\"{outcome}\"' "
        "WHERE key = 'outcome' AND trial_id = 2",
    )
    findings = check_study(study)
    assert findings.by_contract == [f"trial 1: {outcome}"]
    assert findings.sentences == []


def test_an_epoch_unlike_that_of_an_undisturbed_training_is_found(study: Study) -> None:
    change(study, f"UPDATE hpsearch_epochs SET loss = loss + 1e-12 WHERE {EPOCH} 2")
    assert check_study(study).sentences == []
    (sentence,) = replay_sample(study, 3)
    assert re.fullmatch(r"trial 1: epoch 2 has loss \d\.\d+, undisturbed \d\.\d+", sentence)


def test_a_running_trial_of_a_copy_may_be_an_epoch_ahead_of_optuna(study: Study) -> None:
    change(study, "UPDATE trials SET state = 'RUNNING' WHERE number = 1")
    statement = "DELETE FROM trial_intermediate_values WHERE trial_id = 2 AND step {}"
    change(study, statement.format("= 3"))
    assert check_copy(study.database, max_epochs=3) == []
    change(study, statement.format("= 2"))
    (sentence,) = check_copy(study.database, max_epochs=3)
    assert sentence == "trial 1: epoch 2 is missing in Optuna's table"


def test_progress_is_read_from_a_database_that_may_not_be_there_yet(
    study: Study, tmp_path: Path
) -> None:
    assert read_progress(replace(study, folder=tmp_path / "none")) == Progress({}, {})
    assert read_progress(study) == Progress(dict.fromkeys(range(3), "COMPLETE"), {0: 3, 1: 3, 2: 3})


def progress(*trials: tuple[str, int]) -> Progress:
    states = {number: state for number, (state, _) in enumerate(trials)}
    return Progress(states, {number: epochs for number, (_, epochs) in enumerate(trials)})


BEFORE = progress(("COMPLETE", 9), ("RUNNING", 3), ("RUNNING", 0))


@pytest.mark.parametrize(
    ("now", "num_pending"),
    [
        (BEFORE, 1),
        (progress(("COMPLETE", 9), ("RUNNING", 8), ("RUNNING", 0)), 1),
        (progress(("COMPLETE", 9), ("RUNNING", 4), ("RUNNING", 1)), 1),
        (progress(("COMPLETE", 9), ("RUNNING", 5), ("RUNNING", 2)), 0),
        (progress(("COMPLETE", 9), ("FAIL", 3), ("RUNNING", 2)), 0),
    ],
    ids=["nothing", "one of two", "what was on its way", "both", "one ended"],
)
def test_a_study_has_recovered_when_all_its_trials_go_on(now: Progress, num_pending: int) -> None:
    recoveries = Recoveries()
    recoveries.begin(BEFORE)
    recoveries.look(now)
    assert recoveries.num_pending == num_pending
    assert len(recoveries.seconds) == 1 - num_pending


def test_faults_are_spread_over_the_study() -> None:
    found = places(Random(0), total_epochs=6000, count=100)
    assert found == sorted(found)
    quarters = [sum(1500 * q < place <= 1500 * (q + 1) for place in found) for q in range(4)]
    assert min(quarters) > 10
    assert max(found) < 6000


def test_damage_is_done() -> None:
    content, random = bytes(100), Random(0)
    damaged = [damage(content, random) for _ in range(50)]
    assert any(len(each) < 100 for each in damaged)
    assert any(len(each) == 100 for each in damaged)
    assert content not in damaged


CLEAN = Row("kills", faults=100, recoveries_s=[1.0, 3.0, 8.0], remark="70 workers")


@pytest.mark.parametrize(
    ("row", "is_clean"),
    [
        (CLEAN, True),
        (replace(CLEAN, ended_by_contract=1), True),
        (replace(CLEAN, lost=1), False),
        (replace(CLEAN, duplicated=1), False),
        (replace(CLEAN, wrong_epochs=1), False),
        (replace(CLEAN, broken=["a worker outlived its search"]), False),
    ],
)
def test_a_row_is_clean_when_nothing_is_wrong(row: Row, is_clean: bool) -> None:
    assert row.is_clean == is_clean


def test_the_table_says_all_that_is_known() -> None:
    file = StringIO()
    broken = replace(CLEAN, scenario="stops", broken=["worker 7 outlived its search"])
    rows = [CLEAN, Row("full-disk", skipped="cannot mount [a] tmpfs"), broken]
    show_rows(Console(file=file, width=200), rows)
    shown = file.getvalue()
    kills = next(line for line in shown.splitlines() if "kills" in line)
    assert re.findall(r"[\d.]+", kills) == ["100", "0", "0", "0", "0", "3.0", "8.0", "70"]
    assert "left out: cannot mount [a] tmpfs" in shown
    assert "stops: worker 7 outlived its search" in shown


def test_the_quick_form_has_all_scenarios_of_the_long_one() -> None:
    names = [scenario.name for scenario in LONG]
    assert [scenario.name for scenario in QUICK] == names
    assert len(set(names)) == len(names)


def test_an_unknown_scenario_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="floods; allowed: kills, stops"):
        inject(only=["floods"], output=tmp_path / "faults.json")
