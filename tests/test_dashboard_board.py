import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.artifacts import FileSystemArtifactStore, download_artifact, get_all_artifact_meta
from optuna_dashboard import get_note, save_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from optuna_dashboard.artifact._backend import delete_all_artifacts, list_trial_artifacts
from small_studies import Seen, run_small, small_study, stored

from hpsearch.dashboard.board import Board, publish, read_note_info
from hpsearch.dashboard.plots import PLOTS
from hpsearch.errors import InterruptedRunError, RunFailedError
from hpsearch.home import Home
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.storage.attributes import StudyAttributes
from hpsearch.storage.record import StudyRecord


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a study of seven trials, tested."""
    home = Home(tmp_path_factory.mktemp("finished") / "runs")
    run_small(small_study(search={"trials": 7}), home, test=True)
    return home.root


@pytest.fixture
def home(finished: Path, tmp_path: Path) -> Home:
    shutil.copytree(finished, tmp_path / "runs")
    return Home(tmp_path / "runs")


@pytest.fixture
def record(home: Home) -> Iterator[StudyRecord]:
    with stored(home) as record:
        yield record


def attributes(record: StudyRecord) -> dict[str, Any]:
    return StudyAttributes(record.database.engine, record.study_id).read()


def test_a_run_leaves_note_plots_and_artifacts(record: StudyRecord, home: Home) -> None:
    study = record.database.load_study("small")
    note = get_note(study)
    assert "**Finished** as of" in note
    assert "7 of 7 trials finished" in note
    assert "the test set was read once" in note
    assert get_plotly_graph_objects(attributes(record)).keys() == PLOTS.keys()
    listed = {meta.filename: meta for meta in get_all_artifact_meta(study)}
    reading = record.last_reading()
    assert reading is not None
    assert {
        "winner-curves.svg",
        "winner-confusion.svg",
        f"winner-{reading.trial}-seed-0.safetensors",
    } <= listed.keys()
    assert len(listed) == 3 + 5
    store = FileSystemArtifactStore(home.artifact_store)
    weights = listed[f"winner-{reading.trial}-seed-0.safetensors"]
    copy = home.root / "copy"
    download_artifact(artifact_store=store, artifact_id=weights.artifact_id, file_path=str(copy))
    key = TrainingKey("winner", reading.trial, 0)
    assert copy.read_bytes() == home.weights("small", key).read_bytes()


def test_the_best_trials_have_files_that_the_dashboard_lists(record: StudyRecord) -> None:
    there = attributes(record)
    found = {
        trial.number: {meta["filename"] for meta in list_trial_artifacts(there, {}, trial)}
        for trial in record.study.trials
    }
    with_files = {number: names for number, names in found.items() if names}
    assert len(with_files) == 5
    assert all(
        names == {f"trial-{number}-epochs.csv", f"trial-{number}-curves.svg"}
        for number, names in with_files.items()
    )


def test_refreshing_changes_the_note_and_piles_nothing_up(record: StudyRecord, home: Home) -> None:
    publish(record, home=home, state="over")
    before, files = attributes(record), sorted(home.artifact_store.iterdir())
    for _ in range(5):
        assert publish(record, home=home, state="running") <= 3  # of the note
    after = attributes(record)
    changed = {key for key in after if after[key] != before.get(key)}
    assert after.keys() == before.keys()
    assert all(key.startswith("dashboard:note") for key in changed)
    assert sorted(home.artifact_store.iterdir()) == files


def test_the_dashboard_can_delete_the_study_with_its_files(record: StudyRecord, home: Home) -> None:
    storage = record.database.storage
    delete_all_artifacts(FileSystemArtifactStore(home.artifact_store), storage, record.study_id)
    assert [path.name for path in home.artifact_store.iterdir()] == ["small"]


def test_a_study_of_an_earlier_version_gets_its_board_at_the_next_run(home: Home) -> None:
    with stored(home) as record:
        store = StudyAttributes(record.database.engine, record.study_id)
        store.write({}, without=[key for key in store.read() if key != "study:metric_names"])
    run_small(small_study(search={"trials": 7}), home, test=True)
    with stored(home) as record:
        assert "**Finished**" in get_note(record.database.load_study("small"))
        assert get_plotly_graph_objects(attributes(record)).keys() == PLOTS.keys()


def test_a_note_that_a_user_added_to_stays(record: StudyRecord, home: Home) -> None:
    study = record.database.load_study("small")
    save_note(study, get_note(study) + "\n\nmine")
    publish(record, home=home, state="interrupted")
    note = get_note(record.database.load_study("small"))
    assert "**Interrupted**" in note
    assert note.endswith("stays.*\n\nmine")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_board_is_refreshed_when_it_is_due_and_not_before(
    record: StudyRecord, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, seen = Clock(), Seen()
    times: list[float] = []

    def publish_for_a_second(*_: object, state: str, **__: object) -> None:
        assert state == "running"
        times.append(clock.now)
        clock.now += 1

    monkeypatch.setattr("hpsearch.dashboard.board.publish", publish_for_a_second)
    board = Board(record, home=home, remark=seen.remark, clock=clock)
    for clock.now in (0.0, 4.0, 5.0, 30.0, 55.0, 56.0, 80.0, 106.0, 107.0):
        board.refresh_if_due()
    assert times == [5.0, 56.0, 107.0]
    assert seen.remarks == []


def test_the_note_tells_what_the_newest_run_has_begun(record: StudyRecord, home: Home) -> None:
    def step() -> str:
        return read_note_info(record, home=home, state="running").step

    assert "retrained" in step()
    record.start_run({"command": ["hpsearch"], "trials": 9})
    assert step() == "searching"
    facts: Any = {"method": "fp32, contiguous, autograd", "device": "cpu", "epoch": 1}
    for key, what in (
        (TrainingKey("search", 7), "searching"),
        (TrainingKey("finalist", 7), "fresh seeds"),
        (TrainingKey("winner", 7), "retrained"),
    ):
        record.add_start(key, **facts)
        assert what in step()


def test_an_interrupted_run_says_so_in_its_note(tmp_path: Path) -> None:
    class Interrupter(Seen):
        def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
            super().epoch(key, metrics)
            if key.trial == 1:
                os.kill(os.getpid(), signal.SIGINT)

    home = Home(tmp_path / "runs")
    with pytest.raises(InterruptedRunError):
        run_small(small_study(), home, observer=Interrupter())
    with stored(home) as record:
        note = get_note(record.database.load_study("small"))
    assert "**Interrupted** as of" in note
    assert "1 of 3 trials finished: 1 complete, 0 pruned, 0 failed; 1 cut off" in note
    assert "To carry on: `hpsearch" in note


def test_a_run_that_fails_says_so_in_its_note(tmp_path: Path) -> None:
    home = Home(tmp_path / "runs")
    diverging = small_study(space={"learning_rate": 1e30, "optimizer": "sgd", "dense.units": 8})
    with pytest.raises(RunFailedError):
        run_small(diverging, home, test=True)
    with stored(home) as record:
        note = get_note(record.database.load_study("small"))
    assert "**Ended by an error** as of" in note
    assert "None is complete yet." in note


def test_what_cannot_be_written_is_told_once_and_ends_nothing(
    record: StudyRecord, home: Home
) -> None:
    shutil.rmtree(home.artifact_store)
    home.artifact_store.write_text("in the way")
    seen = Seen()
    board = Board(record, home=home, remark=seen.remark)
    before = attributes(record)
    for _ in range(3):
        board.refresh("running")
    (remark,) = seen.remarks
    assert "note and plots cannot be written" in remark
    assert str(home.artifact_store) in remark
    assert attributes(record) == before
