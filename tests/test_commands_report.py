import csv
from pathlib import Path

import pytest
from command_line import CommandLine, tree
from made_snapshots import made_snapshot

from hpsearch.errors import UserError
from hpsearch.figures.files import draw_files
from hpsearch.figures.history import history_figure


def words(home: Path, *more: str) -> list[str]:
    return ["report", "--study", "small", "--home", str(home / "runs"), *more]


def test_a_report_is_written_where_the_study_is_and_nothing_else_changes(
    hpsearch: CommandLine, finished: Path
) -> None:
    before = tree(finished)
    answer = hpsearch(*words(finished))
    page = finished / "runs" / "reports" / "small.html"
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == f"report: {page}\n"
    assert "<!doctype html>" in page.read_text()
    after = {path: content for path, content in tree(finished).items() if path != page}
    databases = {path for path in before if "hpsearch.db" in path.name}
    assert {p: c for p, c in after.items() if p not in databases} == {
        p: c for p, c in before.items() if p not in databases
    }


def test_the_data_of_every_figure_is_csv(
    hpsearch: CommandLine, finished: Path, tmp_path: Path
) -> None:
    answer = hpsearch(*words(finished, "-o", "page.html", "--csv", "tables"))
    assert answer.status == 0
    assert (tmp_path / "page.html").exists()
    files = {path.stem: path for path in (tmp_path / "tables").iterdir()}
    assert {"history", "confusion", "class-scores", "curves", "layers"} <= set(files)
    with files["confusion"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    assert sum(int(row["count"]) for row in rows) == 2 * 360  # both seeds, all test images
    with files["layers"].open(newline="") as file:
        *layers, total = csv.DictReader(file)
    assert sum(int(row["parameters"]) for row in layers) == int(total["parameters"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-o", "no/such/page.html"], "there is no folder no/such"),
        (["-o", "."], "is a folder, not a file"),
        (["--csv", "file"], "file is a file, not a folder"),
        (["--figures", "file"], "file is a file, not a folder"),
        (["--format", "svg"], "--format is that of --figures; name a folder for them"),
        (["--images", "three"], "--images 'three' is not allowed; write numbers as 3,17"),
        (["--study", "none"], "none"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(
    hpsearch: CommandLine, finished: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    (tmp_path / "file").write_text("mine")
    answer = hpsearch(*words(finished), *more)
    assert answer.status == 2
    assert message in answer.err
    assert answer.err.count("\n") == 1
    assert tree(tmp_path) == {tmp_path / "file": b"mine"}


def test_without_a_browser_nothing_is_written_and_the_remedy_is_named(
    hpsearch: CommandLine, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Kaleido requires\nGoogle Chrome")

    pytest.importorskip("kaleido", reason="needs kaleido")
    monkeypatch.setattr("plotly.io.write_images", fail)
    answer = hpsearch(*words(finished, "-o", "page.html", "--figures", "pictures"))
    assert answer.status == 2
    assert 'pip install "hpsearch[figures]", and install Chromium' in answer.err
    assert answer.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_kaleido_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kaleido", None)
    with pytest.raises(UserError, match="kaleido is not installed"):
        draw_files([], image_format="png")


def test_figures_are_drawn_by_name(tmp_path: Path) -> None:
    pytest.importorskip("kaleido", reason="needs kaleido")
    from browsers import CHROMIUM
    from made_snapshots import COMPLETE, made_trial

    if CHROMIUM is None:
        pytest.skip("needs chromium")
    figure = history_figure(made_snapshot([made_trial(0, COMPLETE, 0.5)]))
    files = draw_files([figure], image_format="svg")  # type: ignore[list-item]
    assert list(files) == ["history.svg"]
    assert files["history.svg"].startswith(b"<svg")
    assert b"Optimisation history" in files["history.svg"]
