"""The collection as it is stored: of every study the run that measured most of its figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.collection import Budget, num_seeds, trim, trimmed
from hpsearch.errors import StudyFileError, UnknownStudyError
from hpsearch.report.configurations import configuration_rows
from hpsearch.report.published import PublishedFigure, published_figures
from hpsearch.report.status import document_of, stored_spec, trials_since
from hpsearch.spec import StudySpec
from hpsearch.storage.database import Database
from hpsearch.storage.record import StudyRecord, num_finished


@dataclass(frozen=True)
class _Reproduction:
    """A study of the collection as it was run."""

    figures: list[PublishedFigure]
    extent: tuple[int, bool, int, int]  # figures measured; by today's file; epochs, seeds asked for


def reproduced_figures(studies: Sequence[StudySpec], database: Database) -> list[PublishedFigure]:
    """Every published figure of the studies, in their order, beside ours where it is measured.

    Of a study that was run with several budgets, the run that measured the most figures counts; of
    several such runs one by today's file, then the one with the most epochs, then seeds.
    """
    stored = database.study_names()
    return [figure for study in studies for figure in _fullest(study, stored, database)]


def unmeasured_figures(studies: Sequence[StudySpec]) -> list[PublishedFigure]:
    """The same where nothing is stored."""
    return [row for study in studies for row in _unmeasured(study)]


def _unmeasured(study: StudySpec) -> list[PublishedFigure]:
    return published_figures(study, None, trimmed="")


def _fullest(study: StudySpec, stored: Sequence[str], database: Database) -> list[PublishedFigure]:
    runs = [
        run
        for name in sorted(stored)
        if name.startswith(study.name)
        for run in [_reproduction(study, database, name)]
        if run is not None
    ]
    best = max(runs, key=lambda run: run.extent, default=None)
    return _unmeasured(study) if best is None else best.figures


def _reproduction(study: StudySpec, database: Database, name: str) -> _Reproduction | None:
    """None: what is stored under this name is neither the study nor a trimmed one of it."""
    try:
        record = StudyRecord.of(database, name)
        stored = stored_spec(record)
    except (UnknownStudyError, StudyFileError):  # not of hpsearch, or of another one
        return None
    epochs, seeds = stored.training.epochs, num_seeds(stored)
    trimmed_one = trim(study, Budget(seeds=seeds, epochs=epochs))
    is_of_this_kind = (stored.fixed is None) == (study.fixed is None)
    if name not in (study.name, trimmed_one.name) or not is_of_this_kind:
        return None
    is_by_file = name == trimmed_one.name and not trimmed_one.differences(document_of(record))
    words = trimmed(study, _done(stored, record)) if is_by_file else "run with another study file"
    figures = published_figures(study, record, trimmed=words)
    measured = sum(figure.ours is not None for figure in figures)
    return _Reproduction(figures, (measured, is_by_file, epochs, seeds or 0))


def _done(stored: StudySpec, record: StudyRecord) -> Budget:
    """What was done of a stored study, whatever its last run asked for."""
    if stored.fixed is not None:
        tested = [row.seeds for row in configuration_rows(record, stored) if row.seeds]
        return Budget(seeds=min(tested, default=None), epochs=stored.training.epochs)
    reading = record.last_reading()
    trials = record.study.get_trials(deepcopy=False)
    since = 0 if reading is None else trials_since(reading, trials)
    return Budget(
        seeds=num_seeds(stored),
        epochs=stored.training.epochs,
        trials=num_finished(record.study) - since,
    )
