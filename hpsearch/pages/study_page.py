"""The page of a study: its question, its result, its search and its winner."""

from dataclasses import dataclass, replace

from hpsearch.figures.figure import Shown
from hpsearch.figures.snapshot import Snapshot
from hpsearch.models.layer_table import LayerRow
from hpsearch.pages.layers import layer_table, layers_csv
from hpsearch.pages.question import fixed_names, protocol_table, runs_table, space_table
from hpsearch.pages.render import render_page
from hpsearch.pages.result import result_section
from hpsearch.pages.table import PageTable, page_table
from hpsearch.report.status import StudyStatus
from hpsearch.report.terminal import published_table, top_table
from hpsearch.report.top import TopRow
from hpsearch.studytables import PublishedSearch


@dataclass(frozen=True)
class StudyContents:
    """All that a study's page shows, read at one moment."""

    snapshot: Snapshot
    status: StudyStatus
    top: list[TopRow]
    search: list[Shown]
    winner: list[Shown]
    layers: list[LayerRow]

    @property
    def figures(self) -> list[Shown]:
        """In the page's order."""
        return [*self.search, *self.winner]

    @property
    def layer_files(self) -> dict[str, bytes]:
        """The layer table as a CSV file, by the file's name."""
        return layers_csv(self.layers)


def render_study_page(contents: StudyContents) -> str:
    """The page as HTML, all in one."""
    snapshot = contents.snapshot
    return render_page(
        "study.html.j2",
        title=f"{snapshot.name}: hyperparameter search",
        study=snapshot.name,
        description=snapshot.document["description"],
        notes=snapshot.spec.notes,
        result=result_section(snapshot, contents.status),
        protocol=protocol_table(snapshot.document),
        space=space_table(snapshot.document),
        runs=runs_table(snapshot.runs),
        top=_top_table(contents) if contents.top else None,
        published=_published_table(snapshot.spec.published),
        search=contents.search,
        winner=contents.winner,
        looked_into="The winner" if snapshot.is_chosen else "The best trial so far",
        layers=layer_table(contents.layers),
    )


def _published_table(published: PublishedSearch | None) -> PageTable | None:
    if published is None or not published.top:
        return None
    return page_table(*published_table(published))


def _top_table(contents: StudyContents) -> PageTable:
    """The best trials, without the parameters that the study file fixes."""
    fixed = fixed_names(contents.snapshot.document)
    return page_table(
        *top_table(
            [
                replace(row, params={n: v for n, v in row.params.items() if n not in fixed})
                for row in contents.top
            ]
        )
    )
