"""The page of a study, as text: what is in it, and that nothing from outside breaks it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import plotly.graph_objects as go
import pytest
from small_studies import RATES, run_small, small_study, stored

from hpsearch.figures.figure import StudyFigure
from hpsearch.figures.snapshot import read_snapshot
from hpsearch.figures.study_figures import search_figures, winner_figures
from hpsearch.home import Home
from hpsearch.inspection import network_figures, network_layers
from hpsearch.pages.render import breakable, plot_json
from hpsearch.pages.study_page import StudyContents, render_study_page
from hpsearch.report.status import study_status
from hpsearch.report.top import top_rows
from hpsearch.storage.record import DOCUMENT, StudyRecord

EVIL = '<script>alert("1")</script><img src=x onerror=alert(2)>&amp;{{ 7 * 7 }}'
VOID = {"meta", "link", "img", "br", "hr", "input", "wbr"}


class Checker(HTMLParser):
    """The elements of a page, and whether every one that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.mistakes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.mistakes.append(tag)


def check(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert not checker.mistakes
    assert not checker.open
    return checker


def contents_of(record: StudyRecord, home: Home) -> StudyContents:
    snapshot = read_snapshot(record, home=home)
    return StudyContents(
        snapshot=snapshot,
        status=study_status(record, home=home),
        top=top_rows(record, objective=snapshot.objective, count=5),
        search=search_figures(snapshot),
        winner=[*winner_figures(snapshot), *network_figures(snapshot, data_dir=home.root)],
        layers=network_layers(snapshot),
    )


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyContents]:
    home = Home(tmp_path_factory.mktemp("page") / "runs")
    # Adam has no momentum
    space = {"learning_rate": RATES, "dense.units": 8, "momentum": [0.5, 0.9]}
    run_small(small_study(space=space, final={"seeds": 2}), home, test=True)
    with stored(home) as record:
        yield contents_of(record, home)


def test_a_page_has_its_result_first_and_all_its_parts(tested: StudyContents) -> None:
    page = render_study_page(tested)
    checker = check(page)
    ids = [attrs["id"] for tag, attrs in checker.elements if tag == "section" and "id" in attrs]
    assert ids[:5] == ["result", "asked", "top", "search", "history"]
    targets = [a["href"] for tag, a in checker.elements if tag == "a" and a["href"]]
    assert {str(t).removeprefix("#") for t in targets} <= {*ids, "main"}
    assert tested.status.test is not None
    test = tested.status.test
    assert f"{test.accuracy_mean:.4f} ± {test.accuracy_std:.4f}" in page
    assert "The test set was read once." in page
    assert page.count(", without effect</td>") == 1


def test_every_plot_has_a_label_and_every_image_a_text(tested: StudyContents) -> None:
    checker = check(render_study_page(tested))
    plots = [attrs for _, attrs in checker.elements if attrs.get("class") == "plot"]
    assert len(plots) >= 8
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in plots)
    images = [attrs for tag, attrs in checker.elements if tag == "img"]
    assert images
    assert all(attrs["alt"] for attrs in images)
    assert all(str(attrs["src"]).startswith("data:image/png;base64,") for attrs in images)


def test_nothing_is_fetched(tested: StudyContents) -> None:
    checker = check(render_study_page(tested))
    assert not [tag for tag, attrs in checker.elements if tag == "link" or "srcset" in attrs]
    assert not [a for tag, a in checker.elements if tag == "script" and "src" in a]


def test_a_study_named_and_described_in_html_is_shown_as_text(tested: StudyContents) -> None:
    snapshot = tested.snapshot
    document = {**snapshot.document, "description": EVIL}
    evil = replace(tested, snapshot=replace(snapshot, name=EVIL, document=document))
    checker = check(render_study_page(evil))
    plain = check(render_study_page(tested))
    assert [tag for tag, _ in checker.elements] == [tag for tag, _ in plain.elements]
    assert "{{ 7 * 7 }}" in render_study_page(evil)


def test_plots_cannot_end_the_script_they_are_in() -> None:
    text = str(plot_json(go.Figure(layout_title_text="</script><!-- &amp;")))
    assert "<" not in text
    assert json.loads(text)["layout"]["title"]["text"] == "</script><!-- &amp;"


def test_a_name_may_be_broken_where_it_does_not_hurt() -> None:
    assert breakable("conv.1.filters") == "conv.1.<wbr>filters"
    assert breakable("val_loss<") == "val_<wbr>loss&lt;"


def test_a_study_that_has_only_begun_has_sentences_in_place_of_figures(home: Home) -> None:
    run_small(small_study(), home, trials=1)
    with stored(home) as record:
        page = render_study_page(contents_of(record, home))
    check(page)
    for sentence in (
        "The test set has not been read yet.",
        "Only one trial is complete; two are needed to compare parameters.",
        "The winner has not been retrained yet",
        "It has not been trained again yet.",
    ):
        assert sentence in page


def test_a_study_without_a_trial_has_a_page(home: Home) -> None:
    run_small(small_study(), home, trials=1)
    run_small(small_study("other"), home, trials=1)
    with stored(home) as record, stored(home, "other") as other:
        import optuna

        optuna.create_study(study_name="new", storage=record.database.storage)
        new = record.database.load_study("new")
        new.set_user_attr(DOCUMENT, other.study.user_attrs[DOCUMENT])
        page = render_study_page(contents_of(StudyRecord.of(record.database, "new"), home))
    check(page)
    assert "No trial is complete yet." in page
    assert len(re.findall('class="absent"', page)) >= 12


def test_the_figures_of_a_study_are_named_apart(tested: StudyContents) -> None:
    shown = [*tested.search, *tested.winner]
    assert len({figure.name for figure in shown}) == len(shown)
    for figure in shown:
        assert re.fullmatch(r"[a-z-]+", figure.name)
        if isinstance(figure, StudyFigure):
            assert all(len(row) == len(figure.columns) for row in figure.rows)


def test_the_page_s_own_files_are_beside_the_template() -> None:
    folder = Path(render_study_page.__code__.co_filename).parent
    assert {path.name for path in folder.iterdir() if path.suffix in (".j2", ".css", ".js")} == {
        "comparison.html.j2",
        "macros.html.j2",
        "page.css",
        "page.html.j2",
        "page.js",
        "published.html.j2",
        "set.html.j2",
        "study.html.j2",
    }
