import csv
import io
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from made_searches import MadeSearch
from optuna.artifacts import ArtifactMeta

from hpsearch.dashboard.artifacts import Shelf, StudyFile, study_files
from hpsearch.dashboard.attributes import artifact_key, artifact_value, artifacts_of
from hpsearch.home import Home
from hpsearch.records import TrainingKey


def names(making: MadeSearch, *, trial_id: int | None = None) -> list[str]:
    return [file.name for file in study_files(making.snapshot()) if file.trial_id == trial_id]


def put(home: Home, there: dict[str, Any], *files: StudyFile) -> dict[str, Any]:
    """The attributes after files were put on the shelf."""
    shelf = Shelf.of(there, home=home)
    listed, gone = shelf.put(files, there)
    shelf.remove(gone)
    return {key: value for key, value in {**there, **listed}.items() if key not in gone}


def contents(home: Home, there: dict[str, Any]) -> dict[str, bytes]:
    """What the store has of every artifact that is listed."""
    metas = artifacts_of(there).values()
    return {meta.filename: home.artifact(meta.artifact_id).read_bytes() for meta in metas}


def test_the_five_best_have_their_epochs_and_curves() -> None:
    making = MadeSearch()
    for value in (0.1, 0.6, 0.2, 0.5, 0.3, 0.4):
        making.add(value)
    best = [1, 3, 5, 4, 2]
    epochs = [f"trial-{number}-epochs.csv" for number in best]
    assert names(making) == ["best-curves.svg", *epochs]
    for number in best:
        own = [f"trial-{number}-epochs.csv", f"trial-{number}-curves.svg"]
        assert names(making, trial_id=100 + number) == own
    assert names(making, trial_id=100) == []


def test_the_csv_has_every_figure_of_every_epoch_in_full() -> None:
    making = MadeSearch()
    making.add(1 / 3, 2 / 3)
    (file,) = (f for f in study_files(making.snapshot()) if f.name.endswith(".csv") and f.trial_id)
    assert isinstance(file.content, bytes)
    rows = list(csv.DictReader(io.StringIO(file.content.decode(), newline="")))
    expected = [asdict(m) for m in making.histories[TrainingKey("search", 0)]]
    assert [{k: float(v) if v else None for k, v in row.items()} for row in rows] == expected


def test_the_winner_has_its_matrix_when_it_is_tested_and_its_weights(home: Home) -> None:
    making = MadeSearch(home)
    making.add(0.5)
    making.retrain(0)
    making.retrain(0, seed=1)
    path = home.weights("small", TrainingKey("winner", 0, 1))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    making.test(0, [[1, 0], [0, 1]])
    assert names(making) == [
        "winner-curves.svg",
        "winner-confusion.svg",
        "winner-0-seed-1.safetensors",  # the other seed's file is gone
        "trial-0-epochs.csv",
    ]


def test_files_are_in_the_store_under_the_ids_that_are_listed(home: Home) -> None:
    there = put(home, {}, StudyFile("a.svg", b"one"), StudyFile("b.csv", b"two", trial_id=7))
    assert contents(home, there) == {"a.svg": b"one", "b.csv": b"two"}
    kinds = {meta.filename: meta.mimetype for meta in artifacts_of(there).values()}
    assert kinds == {"a.svg": "image/svg+xml", "b.csv": "text/csv"}


def test_putting_again_replaces_and_nothing_piles_up(home: Home) -> None:
    there: dict[str, Any] = {}
    for number in range(5):
        there = put(home, there, StudyFile("a.svg", b"%d" % number))
        assert contents(home, there) == {"a.svg": b"%d" % number}
        assert len(list(home.artifact_store.iterdir())) == 1


def test_a_file_that_is_the_same_is_not_written_again(home: Home) -> None:
    there = put(home, {}, StudyFile("a.svg", b"one"))
    (path,) = home.artifact_store.iterdir()
    inode = path.stat().st_ino
    assert put(home, there, StudyFile("a.svg", b"one")) == there
    assert path.stat().st_ino == inode


def test_what_is_not_wanted_any_more_is_removed_and_a_users_own_is_not(home: Home) -> None:
    there = put(home, {}, StudyFile("old.csv", b"1", 7), StudyFile("old.svg", b"1"))
    users = str(uuid.uuid4())
    home.artifact(users).write_bytes(b"mine")
    mine = ArtifactMeta(users, "old.csv", "text/csv", None)
    there |= {
        artifact_key(users): artifact_value(mine),
        artifact_key(users, trial_id=7): artifact_value(mine),
    }
    there = put(home, there, StudyFile("new.csv", b"2", 7))
    assert contents(home, there) == {"old.csv": b"mine", "new.csv": b"2"}
    assert len(list(home.artifact_store.iterdir())) == 2


def test_two_studies_and_two_trials_have_files_of_their_own(home: Home) -> None:
    files = [StudyFile("a.csv", b"%d" % n, trial_id) for n, trial_id in enumerate((None, 1, 2))]
    one, other = put(home, {}, *files), put(home, {}, *files)
    assert len(artifacts_of(one).keys() | artifacts_of(other).keys()) == 6
    assert len(list(home.artifact_store.iterdir())) == 6


def test_what_a_user_deleted_in_the_dashboard_does_not_disturb(home: Home) -> None:
    there = put(home, {}, StudyFile("a.svg", b"one"))
    (key,) = artifacts_of(there)
    (path,) = home.artifact_store.iterdir()
    path.unlink()
    there = put(home, {**there, key: "null"}, StudyFile("a.svg", b"one"))
    assert contents(home, there) == {"a.svg": b"one"}


@pytest.mark.parametrize("links", [True, False])
def test_weights_are_linked_where_that_can_be_done(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:

        def refuse(*_: object) -> None:
            raise OSError("no links here")

        monkeypatch.setattr("os.link", refuse)
    weights = tmp_path / "weights"
    weights.write_bytes(b"old")
    there = put(home, {}, StudyFile("w.safetensors", weights))
    (path,) = home.artifact_store.iterdir()
    assert path.samefile(weights) is links
    weights.unlink()
    weights.write_bytes(b"new")  # trained again
    assert contents(home, put(home, there, StudyFile("w.safetensors", weights))) == {
        "w.safetensors": b"new"
    }
    assert [p.name for p in home.artifact_store.iterdir()] == [path.name]
