"""The page of all published figures beside ours."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from hpsearch.figures.published import published_figure
from hpsearch.pages.render import render_page
from hpsearch.pages.table import PageTable, page_table
from hpsearch.report.published import PublishedFigure
from hpsearch.spec import StudySpec


class StudySection(NamedTuple):
    """One study's figures."""

    study: str
    description: str
    notes: str
    trimmed: str
    run: str
    rows: PageTable


def render_published_page(figures: list[PublishedFigure], studies: Sequence[StudySpec]) -> str:
    """The page as HTML, all in one.

    Args:
        figures: those of a study stand together.
        studies: those whose figures they are.
    """
    by_name = {study.name: study for study in studies}
    sections = [
        _section(by_name[name], list(rows))
        for name, rows in groupby(figures, key=lambda figure: figure.study)
    ]
    measured = sum(figure.ours is not None for figure in figures)
    return render_page(
        "published.html.j2",
        title="Published figures and ours",
        sentence=_sentence(figures, measured),
        accuracies=published_figure(figures),
        sections=sections,
    )


def _section(study: StudySpec, rows: list[PublishedFigure]) -> StudySection:
    return StudySection(
        study=study.name,
        description=study.description,
        notes=study.notes,
        trimmed=rows[0].trimmed,
        run=rows[0].run,
        rows=_table(rows),
    )


def _sentence(figures: list[PublishedFigure], measured: int) -> str:
    trimmed = {figure.study for figure in figures if figure.trimmed}
    studies = {figure.study for figure in figures}
    of_all = f"{measured:,} of {len(figures):,} published figures are measured"
    if not trimmed:
        return f"{of_all}, nothing was trimmed."
    changed = f"{len(trimmed)} of {len(studies)} studies were trimmed or run with another file"
    return f"{of_all}. {changed}, as is said with each."


def _table(rows: list[PublishedFigure]) -> PageTable:
    return page_table(
        ["configuration", "figure", "published", "ours", "deviation", "networks", "difference"],
        [
            [
                row.subject,
                row.figure,
                row.published,
                "" if row.ours is None else _rounded(row.ours),
                "" if row.std is None else _rounded(row.std),
                row.networks,
                "not measured yet" if row.difference is None else _signed(row.difference),
            ]
            for row in rows
        ],
    )


def _rounded(value: float) -> float:
    return round(value, 4)


def _signed(difference: float) -> str:
    return f"{difference:+.4f}" if isinstance(difference, float) else f"{difference:+,}"
