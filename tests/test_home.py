from pathlib import Path

import pytest
from sqlalchemy import make_url

from hpsearch.home import Home, atomic_path
from hpsearch.records import TrainingKey

KEY = TrainingKey("winner", 7, 1)


def test_naming_a_file_creates_nothing(home: Home) -> None:
    named = [
        home.cache,
        home.checkpoint("s", KEY),
        home.weights("s", KEY),
        home.predictions("s", 1),
        home.traceback("s", KEY),
    ]
    assert all(path.is_relative_to(home.root) for path in named)
    assert len(set(named)) == len(named)
    assert not home.root.exists()


def test_two_studies_share_no_file(home: Home) -> None:
    for path in (home.checkpoint, home.weights):
        assert path("a", KEY) != path("b", KEY)
        assert path("a", KEY) != path("a", TrainingKey("winner", 7, 2))
    assert home.predictions("a", 1) != home.predictions("b", 1)
    assert home.predictions("a", 1) != home.predictions("a", 2)


@pytest.mark.parametrize("folder", ["runs", "my runs", "100 %", "a%20b", "a#b", "a?b=c"])
def test_the_database_is_in_the_home_whatever_the_folder_is_called(
    folder: str, tmp_path: Path
) -> None:
    url = make_url(Home(tmp_path / folder).database_url)
    assert url.database == str(tmp_path / folder / "hpsearch.db")


def test_a_renamed_study_takes_its_files_along(home: Home) -> None:
    for path in (home.checkpoint("old", KEY), home.weights("old", KEY)):
        path.parent.mkdir(parents=True)
        path.write_text("kept")
    home.rename_study("old", "new")
    assert home.checkpoint("new", KEY).read_text() == "kept"
    assert home.weights("new", KEY).read_text() == "kept"
    assert not home.checkpoints("old").exists()


def test_a_study_without_files_can_be_renamed(home: Home) -> None:
    home.rename_study("old", "new")
    assert not home.root.exists()


def test_a_written_file_replaces_the_old_one_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "file"
    for text in ("first", "second"):
        with atomic_path(path) as temporary:
            temporary.write_text(text)
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail_half_way() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("study", "file"), [("cnn-a_1.b", "cnn-a_1.b.html"), ("../<b>/x", "..__b__x.html")]
)
def test_a_page_stays_in_its_folder_whatever_the_study_is_called(study: str, file: str) -> None:
    assert Home(Path("runs")).report(study) == Path("runs") / "reports" / file
