"""The collection as it is stored: of every study the run that measured most of its figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.collection import Budget, num_seeds, trim, trimmed
from hpsearch.errors import StudyFileError, UnknownStudyError
from hpsearch.report.configurations import configuration_rows
from hpsearch.report.published import PublishedFigure, published_figures
from hpsearch.report.status import document_of, stored_spec
from hpsearch.spec import StudySpec
from hpsearch.storage.database import Database
from hpsearch.storage.record import FINISHED, StudyRecord, is_duplicate


@dataclass(frozen=True)
class _Reproduction:
    """A study of the collection as it was run."""

    figures: list[PublishedFigure]
    extent: tuple[int, int, int]  # figures measured, then epochs and seeds that were asked for


def reproduced_figures(studies: Sequence[StudySpec], database: Database) -> list[PublishedFigure]:
    """Every published figure of the studies, in their order, beside ours where it is measured.

    Of a study that was run with several budgets, the run that measured the most figures counts; of
    several such runs the one with the most epochs, then seeds.
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
    except (UnknownStudyError, StudyFileError):  # not of hpsearch, or of an older one
        return None
    epochs, seeds = stored.training.epochs, num_seeds(stored)
    spec = trim(study, Budget(seeds=seeds, epochs=epochs))
    if spec.name != name:
        return None
    is_other = spec.differences(document_of(record))
    words = "run with another study file" if is_other else trimmed(study, _done(spec, record))
    figures = published_figures(study, record, trimmed=words)
    measured = sum(figure.ours is not None for figure in figures)
    return _Reproduction(figures, (measured, epochs, seeds or 0))


def _done(spec: StudySpec, record: StudyRecord) -> Budget:
    """What was done of a stored study, whatever its last run asked for."""
    if spec.fixed is not None:
        tested = max(row.seeds for row in configuration_rows(record, spec))
        return Budget(seeds=tested or None, epochs=spec.training.epochs)
    finished = sum(
        trial.state in FINISHED and not is_duplicate(trial)
        for trial in record.study.get_trials(deepcopy=False)
    )
    return Budget(seeds=num_seeds(spec), epochs=spec.training.epochs, trials=finished)
