"""Every published figure of a study beside ours: one flat table for all kinds of study."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from hpsearch.architecture import Network, running_statistics
from hpsearch.fixedset import NamedConfiguration
from hpsearch.report.configurations import ConfigurationRow, configuration_rows
from hpsearch.report.spreadsheet import csv_text
from hpsearch.report.status import summarize_reading
from hpsearch.report.terminal import print_table, show_spread
from hpsearch.report.top import top_rows
from hpsearch.spec import StudySpec
from hpsearch.storage.record import StudyRecord
from hpsearch.studytables import PublishedTrial

_MEASURES = tuple(name for name in PublishedTrial.model_fields if name != "params")


@dataclass(frozen=True)
class PublishedFigure:
    """One figure of a document and ours."""

    study: str  # as its file is called
    subject: str  # a configuration; the winner, or a rank of a search
    figure: str
    published: float
    ours: float | None  # mean over networks; None: not measured
    std: float | None  # sample standard deviation; None for less than two networks
    networks: int
    difference: float | None  # ours - published
    trimmed: str  # what the study had less of than its file asks for
    run: str  # the newest run of it: when, on what, with which PyTorch


def published_figures(
    study: StudySpec, record: StudyRecord | None, *, trimmed: str
) -> list[PublishedFigure]:
    """The figures of one study.

    Args:
        study: as its file has it.
        record: what is stored of it, trimmed or whole; None if it was not run yet.
        trimmed: see `collection.trimmed`.
    """
    run = "" if record is None else _newest_run(record)
    figures = _of_fixed_set(study, record) if study.fixed else _of_search(study, record)
    return [
        PublishedFigure(
            study=study.name,
            subject=subject,
            figure=figure,
            published=published,
            ours=ours,
            std=std if networks > 1 else None,
            networks=networks,
            difference=None if ours is None else ours - published,
            trimmed=trimmed,
            run=run,
        )
        for subject, figure, published, (ours, std, networks) in figures
    ]


def _newest_run(record: StudyRecord) -> str:
    runs = record.runs()
    if not runs:
        return ""
    environment = runs[-1].environment
    devices = ", ".join(dict.fromkeys(environment.get("devices", [])))
    processor = environment.get("processor", "an unknown processor")
    where = processor if devices in ("", "cpu") else f"{devices}, {processor}"
    version = environment.get("packages", {}).get("torch", "of unknown version")
    return f"{runs[-1].started:%Y-%m-%d}, {where}, torch {version}"


_Ours = tuple[float | None, float | None, int]  # mean, deviation, networks
_Figure = tuple[str, str, float, _Ours]
_NOTHING: _Ours = (None, None, 0)


def _of_fixed_set(spec: StudySpec, record: StudyRecord | None) -> Iterator[_Figure]:
    rows: dict[str, ConfigurationRow] = {}
    if record is not None:
        rows = {row.configuration: row for row in configuration_rows(record, spec)}
    for named in spec.configurations:
        row, published = rows.get(named.name), named.published
        accuracy, loss, parameters, in_all = _NOTHING, _NOTHING, _NOTHING, _NOTHING
        if row is not None:
            accuracy = (row.test_accuracy, row.test_accuracy_std, row.seeds)
            loss = (row.test_loss, row.test_loss_std, row.seeds)
            parameters = (row.parameters, None, min(row.seeds, 1))
            in_all = (_all_parameters(row, named, spec), None, min(row.seeds, 1))
        for figure, value, ours in (
            ("test accuracy", published.test_accuracy, accuracy),
            ("test loss", published.test_loss, loss),
            ("parameters", published.parameters, parameters),
            ("parameters in all", published.all_parameters, in_all),
        ):
            if value is not None:
                yield named.name, figure, value, ours


def _all_parameters(
    row: ConfigurationRow, named: NamedConfiguration, spec: StudySpec
) -> int | None:
    """None: the network is not tested yet, or an own one, whose buffers are not known."""
    network = named.configuration.network
    if row.parameters is None or not isinstance(network, Network):
        return None
    return row.parameters + running_statistics(network, num_classes=spec.dataset.num_classes)


def _of_search(spec: StudySpec, record: StudyRecord | None) -> Iterator[_Figure]:
    published = spec.published
    assert published is not None
    reading = record.last_reading() if record is not None else None
    if published.test_accuracy is not None:
        ours = _NOTHING
        if reading is not None:
            test = summarize_reading(reading, num_readings=1)
            ours = (test.accuracy_mean, test.accuracy_std, test.seeds)
        yield "winner", "test accuracy", published.test_accuracy, ours
    rows = []
    if record is not None:
        rows = top_rows(record, objective=spec.objective, count=len(published.top))
    for rank, trial in enumerate(published.top, start=1):
        for measure in _MEASURES:
            found = rows[rank - 1 : rank]
            ours = (getattr(found[0], measure), None, 1) if found else _NOTHING
            yield f"rank {rank}", measure, getattr(trial, measure), ours


def published_csv(figures: list[PublishedFigure]) -> str:
    """The figures as RFC 4180 CSV in full precision."""
    names = list(PublishedFigure.__dataclass_fields__)
    return csv_text(names, [[getattr(row, name) for name in names] for row in figures])


def print_published(console: Console, figures: list[PublishedFigure]) -> None:
    """The test accuracies for people; the rest is left to the page and to CSV."""
    print_table(
        console,
        ["study", "configuration", "published accuracy", "test accuracy", "difference", "trimmed"],
        [
            [
                row.study,
                row.subject,
                row.published,
                _spread(row),
                "" if row.difference is None else f"{row.difference:+.4f}",
                row.trimmed,
            ]
            for row in figures
            if row.figure == "test accuracy"
        ],
    )


def _spread(row: PublishedFigure) -> str:
    if row.ours is None:
        return "not tested yet"
    return show_spread(row.ours, row.std)
