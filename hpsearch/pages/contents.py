"""All that the page of a study shows, read from its record: of a search, or of a fixed set."""

from collections.abc import Mapping
from pathlib import Path

from hpsearch.errors import NothingToShowError
from hpsearch.figures.comparison.comparison_figures import comparison_figures
from hpsearch.figures.figure import NoFigure, Shown
from hpsearch.figures.snapshot import Snapshot, read_snapshot
from hpsearch.figures.study_figures import (
    configuration_figures,
    search_figures,
    study_figures,
    winner_figures,
)
from hpsearch.fixedset import CONFIGURATION
from hpsearch.home import Home
from hpsearch.inspection import network_figures, network_layers
from hpsearch.pages.set_page import NetworkContents, SetContents
from hpsearch.pages.study_page import StudyContents
from hpsearch.report.comparison import compare
from hpsearch.report.configurations import ConfigurationRow, configuration_rows
from hpsearch.report.contenders import load_contender
from hpsearch.report.status import is_fixed_set, stored_spec, study_status
from hpsearch.report.top import top_rows
from hpsearch.storage.record import StudyRecord, TestReading

_TOP = 10  # trials in a search's table
_OF_TRAININGS = ("intermediate", "timeline")


def read_contents(
    record: StudyRecord, *, home: Home, data_dir: Path, images: list[int] | None
) -> StudyContents | SetContents:
    """Read a study at this moment; nothing is written.

    Args:
        record: the study.
        home: where its weights and predictions are.
        data_dir: where its data set is.
        images: of the validation set, for the feature maps; None: one of each class.
    """
    snapshot, status = read_snapshot(record, home=home), study_status(record, home=home)
    if is_fixed_set(record):
        spec = stored_spec(record)
        readings = {reading.trial: reading for reading in record.readings()}
        return SetContents(
            snapshot=snapshot,
            status=status,
            results=_test_figures(record, home=home),
            trainings=study_figures(snapshot, names=_OF_TRAININGS),
            networks=[
                _network(snapshot, row, number, readings, data_dir=data_dir, images=images)
                for number, row in enumerate(configuration_rows(record, spec), start=1)
            ],
        )
    return StudyContents(
        snapshot=snapshot,
        status=status,
        top=top_rows(record, objective=snapshot.objective, count=_TOP),
        search=search_figures(snapshot),
        winner=[
            *winner_figures(snapshot),
            *network_figures(snapshot, data_dir=data_dir, images=images),
        ],
        layers=network_layers(snapshot),
    )


def _network(
    snapshot: Snapshot,
    row: ConfigurationRow,
    number: int,
    readings: Mapping[int, TestReading],
    *,
    data_dir: Path,
    images: list[int] | None,
) -> NetworkContents:
    """One configuration of a fixed set; its first seed's network is looked into."""
    trials = [t.number for t in snapshot.trials if t.params[CONFIGURATION] == row.configuration]
    tested = [readings[trial] for trial in trials if trial in readings]
    first = next((reading.trial for reading in tested), min(trials, default=-1))
    figures = [
        *configuration_figures(snapshot, trials, tested),
        *network_figures(snapshot, data_dir=data_dir, images=images, trial=first),
    ]
    layers = network_layers(snapshot, trial=first)
    return NetworkContents(row.configuration, number, row, figures, layers)


def _test_figures(record: StudyRecord, *, home: Home) -> list[Shown]:
    """The configurations side by side on the test set."""
    try:
        found = load_contender(record.database, record.name, home=home)
    except NothingToShowError:
        return [NoFigure("accuracy", "Test accuracy", "No network has been tested yet.")]
    return list(comparison_figures(compare(found)))
