"""The page of a comparison, as text and as Chromium shows it."""

from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browsers import opened
from made_contenders import LABELS, add_fixed_set, add_search
from small_studies import new_database

from hpsearch.home import Home
from hpsearch.pages.comparison_page import render_comparison_page
from hpsearch.report.comparison import compare
from hpsearch.report.contenders import load_contenders

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVIL = "<script>alert(1)</script><b>&\"'{{ 7 * 7 }}"
TWO_WRONG = np.array([1, 1, *LABELS[2:]])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two searches on one data set, one on another, and a set with a bad name in it."""
    home = Home(tmp_path_factory.mktemp("made"))
    with new_database(home) as database:
        add_search(database, home, "one", [LABELS, TWO_WRONG])
        add_search(database, home, "two", [TWO_WRONG])
        add_search(database, home, "elsewhere", [LABELS], dataset="mnist")
        add_fixed_set(database, home, "set", {EVIL: [TWO_WRONG], "plain": [LABELS], "new": []})
    return home


def page(home: Home, *names: str) -> str:
    with new_database(home) as database:
        return render_comparison_page(compare(load_contenders(database, names, home=home)))


class Elements(HTMLParser):
    """The elements of a page and its text, without scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self._within = tag
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within not in ("script", "style"):
            self.text += data


def test_the_page_has_figures_tables_and_the_test(home: Home) -> None:
    found = Elements(page(home, "one", "two"))
    plots = ["accuracy", "time", "confusion", "confusion-difference-1"]
    assert [id_.removeprefix("plot-") for id_ in found.ids if id_.startswith("plot-")] == plots
    assert found.names.count("table") == 5
    assert len(found.ids) == len(set(found.ids))
    for part in ("0.9000 ± 0.1414", "McNemar's exact test", "Dietterich 1998", "may be chance"):
        assert part in found.text


def test_a_name_is_text_wherever_it_stands(home: Home) -> None:
    plain = Elements(page(home, "one", "set:plain"))
    evil = Elements(page(home, "one", f"set:{EVIL}"))
    assert evil.names.count("script") == plain.names.count("script")
    assert evil.names.count("b") == 0
    assert f"one and set:{EVIL}" in evil.text
    assert "<script>alert" not in page(home, "one", f"set:{EVIL}")


def test_other_test_images_and_untested_configurations_are_told(home: Home) -> None:
    text = Elements(page(home, "one", "elsewhere", "set")).text
    assert "No test of one and elsewhere: digits and mnist are different data sets" in text
    assert "Not tested yet, so left out: set:new." in text
    assert "Test sets: digits: one" in text
    assert "Where they differ" in text
    assert "Where they differ" not in Elements(page(home, "one", "elsewhere")).text


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_chromium_shows_it_whole_without_errors_and_without_a_network(
    browser: "Browser", home: Home, tmp_path: Path, width: int, scheme: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text(page(home, "one", "two", f"set:{EVIL}"), encoding="utf-8")
    view, wrong = opened(browser, path, width=width, scheme=scheme)
    view.wait_for_timeout(500)
    assert not wrong
    assert view.locator(".plot .main-svg").count() >= 4
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    labels = view.locator("#plot-accuracy .ytick").all_text_contents()
    assert set(labels) == {"one", "two", f"set:{EVIL}"}, "a name is no markup in a plot"
    view.context.close()
