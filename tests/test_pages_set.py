"""The page of a fixed set, and that of all published figures, as text and in Chromium."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import opened
from small_sets import small_set
from small_studies import run_small, stored

from hpsearch.figures.figure import StudyFigure
from hpsearch.home import Home
from hpsearch.pages.contents import read_contents
from hpsearch.pages.published_page import render_published_page
from hpsearch.pages.set_page import SetContents, render_set_page
from hpsearch.report.published import published_figures

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVIL = "<script>alert(1)</script>"
NOTES = "Read\nas <b>ours</b>"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("pages") / "runs")
    run_small(small_set(description=EVIL, notes=NOTES), home, trials=5, test=True)
    return home


def set_page(home: Home) -> str:
    with stored(home, "set") as record:
        contents = read_contents(record, home=home, data_dir=home.root, images=None)
    assert isinstance(contents, SetContents)
    return render_set_page(contents)


def published_page(home: Home, *, trimmed: str = "") -> str:
    with stored(home, "set") as record:
        figures = published_figures(small_set(), record, trimmed=trimmed)
    return render_published_page(figures, [small_set(description=EVIL, notes=NOTES)])


def test_a_sets_page_has_its_table_and_says_that_nothing_was_searched(home: Home) -> None:
    page = set_page(home)
    for part in (
        "5 of 5 networks are trained, 5 are tested",
        "Nothing was searched",
        "wide / 16",
        "published accuracy",
        "1 of 2",  # seeds of the CNN
        "2 of each configuration, by their seeds",
        "those of the last epoch",
        "Read as &lt;b&gt;ours&lt;/b&gt;",
    ):
        assert part in page
    assert EVIL not in page


def test_every_configuration_is_looked_at_closely(home: Home) -> None:
    with stored(home, "set") as record:
        contents = read_contents(record, home=home, data_dir=home.root, images=None)
    assert isinstance(contents, SetContents)
    assert [network.place for network in contents.networks] == ["01-small", "02-wide-16", "03-CNN"]
    for network in contents.networks:
        names = [shown.name.removeprefix(f"{network.place}-") for shown in network.figures]
        assert names[:4] == ["curves", "confusion", "class-scores", "confused-pairs"]
        assert {"confused-images", "wrong-images", "filters", "feature-maps"} == {*names[4:]}
        drawn = [shown for shown in network.figures if isinstance(shown, StudyFigure)]
        assert len(drawn) >= 7, "the MLPs have no feature maps"
        assert sum(row.trainable for row in network.layers) == network.row.parameters
    small, _, cnn = contents.networks
    matrix, single = (
        next(shown for shown in network.figures if shown.name.endswith("-confusion"))
        for network in (small, cnn)
    )
    assert isinstance(matrix, StudyFigure)
    assert isinstance(single, StudyFigure)
    assert sum(count for _, _, count, _ in matrix.rows) == 2 * 360  # both seeds
    assert sum(count for _, _, count, _ in single.rows) == 360
    assert {*contents.layer_files} == {f"{n.place}-layers.csv" for n in contents.networks}
    page = render_set_page(contents)
    assert page.count('<details class="network"') == 3
    assert small.summary.startswith("test accuracy 0.")


def test_a_set_without_a_test_has_a_sentence_for_its_figures(tmp_path: Path) -> None:
    home = Home(tmp_path / "runs")
    run_small(small_set(), home, trials=1)
    assert "No network has been tested yet." in set_page(home)


def test_the_page_of_published_figures_says_what_was_trimmed(home: Home) -> None:
    page = published_page(home, trimmed="1 of 2 seeds")
    assert "3 of 3 published figures are measured. 1 of 1 studies were trimmed" in page
    assert "Not as its file asks: 1 of 2 seeds." in page
    assert "Read as &lt;b&gt;ours&lt;/b&gt;" in page
    assert "nothing was trimmed" in published_page(home)
    assert EVIL not in page


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_chromium_shows_them_whole_without_errors_and_without_a_network(
    browser: "Browser", home: Home, tmp_path: Path, width: int, scheme: str
) -> None:
    for page, plots in ((set_page(home), 6 + 3 * 4), (published_page(home), 1)):
        path = tmp_path / "page.html"
        path.write_text(page, encoding="utf-8")
        view, wrong = opened(browser, path, width=width, scheme=scheme)
        assert not wrong
        assert view.locator(".plot .main-svg").count() >= plots
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        view.context.close()
