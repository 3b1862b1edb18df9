"""The page of a fixed set: its table beside what was published, its trainings, its confusions."""

from dataclasses import dataclass

from hpsearch.figures.figure import Shown
from hpsearch.figures.snapshot import Snapshot
from hpsearch.pages.question import configurations_table, protocol_table, runs_table, shared_table
from hpsearch.pages.render import render_page
from hpsearch.pages.table import page_table
from hpsearch.report.configurations import ConfigurationRow, results_table
from hpsearch.report.status import StudyStatus


@dataclass(frozen=True)
class SetContents:
    """All that a fixed set's page shows, read at one moment."""

    snapshot: Snapshot
    status: StudyStatus
    rows: list[ConfigurationRow]
    results: list[Shown]  # on the test set
    trainings: list[Shown]

    @property
    def figures(self) -> list[Shown]:
        """In the page's order."""
        return [*self.results, *self.trainings]


def render_set_page(contents: SetContents) -> str:
    """The page as HTML, all in one."""
    snapshot = contents.snapshot
    return render_page(
        "set.html.j2",
        title=f"{snapshot.name}: fixed set",
        study=snapshot.name,
        description=snapshot.document["description"],
        sentences=_sentences(contents.status),
        rows=page_table(*results_table(contents.rows)),
        results=contents.results,
        trainings=contents.trainings,
        configurations=configurations_table(snapshot.document),
        shared=shared_table(snapshot.document),
        protocol=protocol_table(snapshot.document),
        runs=runs_table(snapshot.runs),
    )


def _sentences(status: StudyStatus) -> list[str]:
    counts = status.trials
    finished = counts.complete + counts.pruned + counts.failed
    sentences = [
        f"{finished:,} of {status.target:,} networks are trained, {status.networks_tested:,} are "
        "tested. Nothing was searched: each configuration is tested, so none was chosen by its "
        "test result, and the best of the table is no winner of a search.",
    ]
    if status.owner is not None:
        sentences.append(f"Networks are being trained now, since {status.owner.since}.")
    elif counts.running:
        sentences.append(f"{counts.running:,} trainings were interrupted and can be carried on.")
    return sentences
