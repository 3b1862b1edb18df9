from pathlib import Path

import pytest

from hpsearch.errors import UnknownStudyError
from hpsearch.studyfiles import find_study_file, study_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_shipped_studies_are_found_from_any_folder(folder: Path) -> None:
    assert find_study_file("cnn-digits").name == "cnn-digits.toml"
    assert find_study_file("cnn-digits").is_file()


def test_a_study_of_the_working_directory_comes_before_a_shipped_one(folder: Path) -> None:
    own = folder / "studies" / "cnn-digits.toml"
    own.parent.mkdir()
    own.touch()
    assert find_study_file("cnn-digits").resolve() == own
    assert study_files()["cnn-digits"].resolve() == own
    assert "mlp-digits" in study_files()


@pytest.mark.parametrize("given", ["own.toml", "./own.toml", "sub/own.toml", "sub/own.txt"])
def test_a_study_file_is_found_by_path(given: str, folder: Path) -> None:
    (folder / given).parent.mkdir(exist_ok=True)
    (folder / given).touch()
    assert find_study_file(given) == Path(given)


@pytest.mark.parametrize(
    ("misspelt", "right"),
    [("cnn-fasion", "cnn-fashion"), ("mlp_digits", "mlp-digits"), ("cnn-mnits", "cnn-mnist")],
)
def test_a_misspelt_study_names_the_nearest(misspelt: str, right: str) -> None:
    with pytest.raises(UnknownStudyError) as caught:
        find_study_file(misspelt)
    assert repr(misspelt) in str(caught.value)
    assert right in str(caught.value)


def test_what_resembles_no_study_is_told_how_to_list_them() -> None:
    with pytest.raises(UnknownStudyError, match=r"'zzz'.*hpsearch studies"):
        find_study_file("zzz")


@pytest.mark.parametrize("given", ["absent.toml", "absent/cnn", "studies"])
def test_a_path_without_a_file_is_named(given: str, folder: Path) -> None:
    (folder / "studies").mkdir()
    with pytest.raises(UnknownStudyError, match=given):
        find_study_file(given)


@pytest.mark.parametrize("given", ["", "a" * 5_000 + ".toml", "a\0b.toml", "..", "/"])
def test_a_name_that_no_file_can_have_is_an_unknown_study(given: str, folder: Path) -> None:
    with pytest.raises(UnknownStudyError):
        find_study_file(given)
