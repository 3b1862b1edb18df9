"""The page in headless Chromium: drawn whole, without an error, a request or an overflow."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import opened
from small_studies import run_small, small_study, stored
from test_pages_study_page import EVIL, contents_of

from hpsearch.home import Home
from hpsearch.pages.study_page import render_study_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CNN = {"conv.filters": [4, 8], "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a tested study of CNNs that is described in HTML."""
    folder = tmp_path_factory.mktemp("browser")
    home = Home(folder / "runs")
    spec = small_study(
        model="cnn", space=CNN, search={"trials": 4}, final={"seeds": 2}, description=EVIL
    )
    run_small(spec, home, test=True)
    with stored(home) as record:
        (folder / "page.html").write_text(render_study_page(contents_of(record, home)))
    return folder / "page.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_drawn_whole(browser: "Browser", path: Path, width: int, scheme: str) -> None:
    page, wrong = opened(browser, path, width=width, scheme=scheme)
    assert not wrong
    scroll = page.evaluate("document.documentElement.scrollWidth")
    assert scroll <= width
    sizes = page.evaluate(
        "[...document.querySelectorAll('.plot')].map(p => {"
        " const r = p.querySelector('svg.main-svg').getBoundingClientRect();"
        " return [r.width, r.height, p.querySelectorAll('path, rect, text').length]; })"
    )
    assert len(sizes) >= 9
    assert all(w > 200 and h > 80 and parts > 5 for w, h, parts in sizes)
    images = page.evaluate(
        "[...document.images].map(i => [i.alt.length, i.complete && i.naturalWidth])"
    )
    assert images
    assert all(alt > 0 and drawn for alt, drawn in images)
    assert page.title() == "small: hyperparameter search"
    page.context.close()


def brightness(page: "Page") -> tuple[float, float]:
    """Of the page's ground and of a plot's text, 0 to 255."""
    colors: list[list[float]] = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('.plot .xtick text')).fill]"
        ".map(c => c.match(/[\\d.]+/g).slice(0, 3).map(Number))"
    )
    ground, ink = (sum(color) / 3 for color in colors)
    return ground, ink


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_the_button(
    browser: "Browser", path: Path, scheme: str
) -> None:
    page, wrong = opened(browser, path, width=1280, scheme=scheme)
    page.wait_for_function("document.querySelector('.plot .xtick text') !== null")
    page.wait_for_timeout(200)
    ground, ink = brightness(page)
    assert (ground > 200 and ink < 100) == (scheme == "light")
    page.click("#theme")
    page.wait_for_timeout(500)
    changed_ground, changed_ink = brightness(page)
    assert (changed_ground > 200 and changed_ink < 100) == (scheme == "dark")
    assert not wrong
    page.context.close()
