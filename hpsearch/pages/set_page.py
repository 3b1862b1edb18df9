"""The page of a fixed set: its table beside what was published, then each configuration."""

import re
from dataclasses import dataclass, replace

from hpsearch.figures.figure import Shown
from hpsearch.figures.snapshot import Snapshot
from hpsearch.models.layer_table import LayerRow
from hpsearch.pages.layers import layer_table, layers_csv
from hpsearch.pages.question import configurations_table, protocol_table, runs_table, shared_table
from hpsearch.pages.render import render_page
from hpsearch.pages.table import PageTable, page_table
from hpsearch.report.configurations import ConfigurationRow, results_table
from hpsearch.report.status import StudyStatus
from hpsearch.report.terminal import show_spread


@dataclass(frozen=True)
class NetworkContents:
    """One configuration of a fixed set, looked at closely."""

    name: str
    number: int  # in the set's order, from 1
    row: ConfigurationRow
    drawn: list[Shown]
    layers: list[LayerRow]

    @property
    def place(self) -> str:
        """A name for its files, and its place in the page, that no other configuration has."""
        return f"{self.number:02}-{re.sub('[^A-Za-z0-9]+', '-', self.name).strip('-')}"

    @property
    def figures(self) -> list[Shown]:
        """Its figures, by names and titles that no other configuration's have."""
        return [
            replace(shown, name=f"{self.place}-{shown.name}", title=f"{self.name}: {shown.title}")
            for shown in self.drawn
        ]

    @property
    def summary(self) -> str:
        """Its result in some words."""
        row = self.row
        if row.test_accuracy is None:
            return "not tested yet"
        return f"test accuracy {show_spread(row.test_accuracy, row.test_accuracy_std)}"

    @property
    def layer_table(self) -> PageTable | None:
        """Its layers; None before it is trained."""
        return layer_table(self.layers)


@dataclass(frozen=True)
class SetContents:
    """All that a fixed set's page shows, read at one moment."""

    snapshot: Snapshot
    status: StudyStatus
    results: list[Shown]  # on the test set
    trainings: list[Shown]
    networks: list[NetworkContents]

    @property
    def figures(self) -> list[Shown]:
        """In the page's order."""
        close = [shown for network in self.networks for shown in network.figures]
        return [*self.results, *self.trainings, *close]

    @property
    def layer_files(self) -> dict[str, bytes]:
        """The layer tables as CSV files, by the files' names."""
        return {
            f"{network.place}-{name}": content
            for network in self.networks
            for name, content in layers_csv(network.layers).items()
        }


def render_set_page(contents: SetContents) -> str:
    """The page as HTML, all in one."""
    snapshot = contents.snapshot
    return render_page(
        "set.html.j2",
        title=f"{snapshot.name}: fixed set",
        study=snapshot.name,
        description=snapshot.document["description"],
        notes=snapshot.spec.notes,
        sentences=_sentences(contents.status),
        rows=page_table(*results_table([network.row for network in contents.networks])),
        caption=_caption(contents),
        networks=contents.networks,
        results=contents.results,
        trainings=contents.trainings,
        configurations=configurations_table(snapshot.document),
        shared=shared_table(snapshot.document),
        protocol=protocol_table(snapshot.document),
        runs=runs_table(snapshot.runs),
    )


def _caption(contents: SetContents) -> str:
    rows = [network.row for network in contents.networks]
    spread = ", mean ± sample standard deviation over the seeds"
    published = ", beside what was published"
    return (
        "On the test set"
        f"{spread if any(row.seeds > 1 for row in rows) else ''}"
        f"{published if any(row.has_published for row in rows) else ''}"
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
