"""A study in the database: created, found unchanged, put aside, held."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from typing import Literal

import optuna

from hpsearch.catalogue import FOUND
from hpsearch.data.training_set import TrainingSet
from hpsearch.errors import ChangedStudyError, MissingDatabaseError
from hpsearch.home import Home
from hpsearch.pruners import build_pruner
from hpsearch.records import is_maximized
from hpsearch.samplers import build_sampler
from hpsearch.spec import StudySpec
from hpsearch.storage.database import Database, open_database
from hpsearch.storage.experimental import experimental_features
from hpsearch.storage.lease import Lease
from hpsearch.storage.record import DOCUMENT, FINGERPRINT, SPLIT, StudyRecord

_WAYS_ON = (
    "use --name OTHER for a new study, or --restart, which keeps the old one under a dated name"
)


@contextmanager
def leased(record: StudyRecord) -> Iterator[Lease]:
    """Hold a study while in the context.

    Raises:
        StudyInUseError: another live search owns it.
    """
    lease = Lease(record.database, record.study_id, name=record.name)
    try:
        yield lease
    finally:
        lease.release()


def check_stored(url: str, spec: StudySpec, *, restart: bool) -> bool:
    """See that a run may write to a stored study, if there is one, before it makes anything.

    Returns:
        Whether there is one to carry on.

    Raises:
        ChangedStudyError: it was started with another study file, and is not to be put aside.
        DatabaseError: its database is read-only.
    """
    with suppress(MissingDatabaseError), closing(open_database(url, create=False)) as database:
        database.check_writable()
        if not restart and spec.name in database.study_names():
            study = database.load_study(spec.name)
            if not _is_blank(study, spec):
                _check_file_unchanged(study, spec)
                return True
    return False


def open_study(
    database: Database, spec: StudySpec, training_set: TrainingSet, *, home: Home, restart: bool
) -> optuna.Study:
    """Create the study, or load it and see that the study file is still the same.

    Raises:
        ChangedStudyError: the study file or the split is another than the stored study's.
        StudyInUseError: a study that is to be put aside is being searched.
    """
    name = spec.name
    if name in database.study_names():
        study = database.load_study(name)
        if restart:
            with leased(StudyRecord(database, study)):
                _put_aside(database, name, home)
        elif not _is_blank(study, spec):
            _check_unchanged(study, spec, training_set)
    return optuna.create_study(
        study_name=name, storage=database.storage, direction=_direction(spec), load_if_exists=True
    )


def _direction(spec: StudySpec) -> Literal["maximize", "minimize"]:
    return "maximize" if is_maximized(spec.objective) else "minimize"


def _is_blank(study: optuna.Study, spec: StudySpec) -> bool:
    """Whether a run was cut off between making the study and describing it."""
    described = FINGERPRINT in study.user_attrs or study.get_trials(deepcopy=False)
    return not described and study.direction.name.lower() == _direction(spec)


def prepare_study(database: Database, spec: StudySpec, training_set: TrainingSet) -> optuna.Study:
    """Describe an opened study if it is new, and make it ready to be searched; it must be held."""
    study = database.study_in_memory(spec.name)
    if FINGERPRINT not in study.user_attrs:
        StudyRecord(database, study).forget_namesake()
        study.set_user_attr(DOCUMENT, spec.document)
        study.set_user_attr(SPLIT, training_set.fingerprint)
        _set_metric_name(study, spec.objective)
        study.set_user_attr(FINGERPRINT, spec.fingerprint)  # last: it says that the rest is there
    elif study.user_attrs[DOCUMENT] != spec.document:
        # words, published figures, budgets, places: what may change is as the file has it now
        study.set_user_attr(DOCUMENT, spec.document)
    study.pruner = build_pruner(spec.search.pruner, epochs=spec.training.epochs)
    study.sampler = build_sampler(
        spec.search.sampler,
        seed=spec.training.seed,
        number=len(study.get_trials(deepcopy=False)),
    )
    return study


def _set_metric_name(study: optuna.Study, name: str) -> None:
    """The objective's name, for the dashboard's axes."""
    with experimental_features():
        study.set_metric_names([name])


def _put_aside(database: Database, name: str, home: Home) -> None:
    dated = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    names = database.study_names()
    while dated in names:  # put aside twice within a second
        dated += "x"
    database.rename_study(name, dated)
    home.rename_study(name, dated)


def _check_unchanged(study: optuna.Study, spec: StudySpec, training_set: TrainingSet) -> None:
    _check_file_unchanged(study, spec)
    if study.user_attrs.get(SPLIT) != training_set.fingerprint:
        raise ChangedStudyError(
            f"study {spec.name!r} was started with other images or another split; {_WAYS_ON}"
        )


def _check_file_unchanged(study: optuna.Study, spec: StudySpec) -> None:
    stored = study.user_attrs.get(DOCUMENT)
    if stored is None:
        raise ChangedStudyError(f"study {spec.name!r} was not made by hpsearch; {_WAYS_ON}")
    if changes := spec.differences(stored):
        own = all(change.startswith(f"{FOUND}.") for change in changes)
        other = "other images" if own else "another file"
        raise ChangedStudyError(
            f"study {spec.name!r} was started with {other}: {'; '.join(changes)}; {_WAYS_ON}"
        )
