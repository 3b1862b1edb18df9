"""Searches that are killed or interrupted from outside, and carried on: real processes."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch
from small_studies import make_database, numbers_of, run_small, stored

from hpsearch.data.tensors import load_device_data
from hpsearch.data.training_set import prepare_training_set
from hpsearch.errors import StudyInUseError
from hpsearch.home import Home
from hpsearch.records import TrainingKey
from hpsearch.session import training_seed
from hpsearch.studyparser import load_study_file
from hpsearch.training.epochs import Training
from hpsearch.training.plan import Plan

EPOCHS, TRIALS = 80, 4
STUDY = f"""
dataset = "digits"
model = "mlp"
[training]
epochs = {EPOCHS}
validation = 0.2
[search]
sampler = "random"
pruner = "none"
trials = {TRIALS}
[space]
learning_rate = {{ low = 1e-4, high = 1e-2, log = true }}
"dense.units" = [8, 16]
[final]
finalists = 1
seeds = 1
"""


@dataclass
class Stopped:
    """A search that a signal ended."""

    home: Home
    file: Path
    pid: int
    workers: list[int]
    returncode: int
    stderr: str
    refusal: str  # what a second search was told while the first one ran
    states: dict[int, str]
    params: dict[int, dict[str, object]]
    epochs: dict[TrainingKey, list[tuple[object, ...]]]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)  # two workers make some hundred epochs a second
    raise AssertionError("it did not come within a minute")


def num_rows(database: Path, table: str) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def stop(folder: Path, number: signal.Signals) -> Stopped:
    """Start a search with two workers, try a second one, and end the first with a signal.

    What takes this process seconds, once, is done before: the first search must not end meanwhile.
    """
    home, file = Home(folder / "runs"), folder / "killed.toml"
    file.write_text(STUDY)
    spec, database = load_study_file(file), make_database(home)
    prepare_training_set(spec.dataset, spec.training, data_dir=home.root, cache=home.cache)
    options = ["--study", str(file), "--home", str(home.root), "--workers", "2", "--no-test"]
    command = [sys.executable, "-m", "hpsearch", "run", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as search:
        wait_for(lambda: num_rows(database, "trials") >= 1)  # while the workers import PyTorch
        workers = [child.pid for child in psutil.Process(search.pid).children()]
        with pytest.raises(StudyInUseError) as refusal:
            run_small(spec, home)
        wait_for(lambda: num_rows(database, "hpsearch_epochs") >= 10)
        if number == signal.SIGKILL:  # a stopped worker cannot notice that the search is gone
            os.kill(workers[0], signal.SIGSTOP)
        search.send_signal(number)
        _, stderr = search.communicate(timeout=60)
    with stored(home, "killed") as record:
        trials = record.study.trials
        return Stopped(
            home=home,
            file=file,
            pid=search.pid,
            workers=workers,
            returncode=search.returncode,
            stderr=stderr,
            refusal=str(refusal.value),
            states={trial.number: trial.state.name for trial in trials},
            params={trial.number: trial.params for trial in trials},
            epochs=numbers_of(record),
        )


@pytest.fixture(scope="module", params=[signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
def stopped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    return stop(tmp_path_factory.mktemp("stopped"), request.param)


def undisturbed(stopped: Stopped, number: int) -> list[tuple[object, ...]]:
    """The epochs of a trial's plan, trained here from beginning to end."""
    spec = load_study_file(stopped.file)
    training_set = prepare_training_set(
        spec.dataset, spec.training, data_dir=stopped.home.root, cache=stopped.home.cache
    )
    with stored(stopped.home, "killed") as record:
        params = record.study.trials[number].params
    plan = Plan(
        configuration=spec.configuration(spec.space.replay(params)),
        training_set=training_set,
        seed=training_seed(spec, TrainingKey("search", number)),
        epochs=EPOCHS,
        stop_after=EPOCHS,
        objective="val_accuracy",
        early_stopping=None,
        precision="fp32",
        train_on="train",
    )
    device = torch.device("cpu")
    training = Training(plan, load_device_data(training_set, device=device), device=device)
    return [
        (m.epoch, m.loss, m.accuracy, m.val_loss, m.val_accuracy, m.learning_rate)
        for m in training.epochs()
    ]


def test_a_second_search_is_refused_and_the_first_named(stopped: Stopped) -> None:
    assert f"'killed' is being searched by process {stopped.pid} on " in stopped.refusal


def test_the_running_trials_stay_running(stopped: Stopped) -> None:
    states = list(stopped.states.values())
    assert 1 <= states.count("RUNNING") <= 2
    assert set(states) <= {"RUNNING", "COMPLETE"}


def test_the_workers_end_with_the_search(stopped: Stopped) -> None:
    assert len(stopped.workers) == 2
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in stopped.workers))


@pytest.mark.parametrize("stopped", [signal.SIGINT], indirect=True)
def test_ctrl_c_ends_with_130_and_says_how_to_carry_on(stopped: Stopped) -> None:
    assert stopped.returncode == 130
    line = stopped.stderr.splitlines()[-1]
    assert f"to carry on: hpsearch run --study {stopped.file} " in line
    assert "Traceback" not in stopped.stderr
    checkpoints = {path.stem for path in stopped.home.checkpoints("killed").glob("*.pt")}
    running = {number for number, state in stopped.states.items() if state == "RUNNING"}
    with stored(stopped.home, "killed") as record:  # a trial may not have had an epoch yet
        begun = {number for number in running if record.epochs(TrainingKey("search", number))}
    assert checkpoints == {f"search-{number}-0" for number in begun}


def test_it_is_carried_on_under_the_same_numbers_as_if_nothing_had_been(stopped: Stopped) -> None:
    run_small(load_study_file(stopped.file), stopped.home)
    with stored(stopped.home, "killed") as record:
        trials = record.study.trials
        epochs = numbers_of(record)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * TRIALS
    for number, params in stopped.params.items():
        assert params.items() <= trials[number].params.items()
    for key, before in stopped.epochs.items():
        assert epochs[key][: len(before)] == before
    for number in (n for n, state in stopped.states.items() if state == "RUNNING"):
        assert epochs[TrainingKey("search", number)] == undisturbed(stopped, number)
