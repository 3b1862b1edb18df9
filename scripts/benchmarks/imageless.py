"""A study whose images nobody opens: for T5 and T6, which train nothing."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hpsearch.data.training_set import TrainingSet
from hpsearch.home import Home
from hpsearch.spec import StudySpec
from hpsearch.storage.database import open_database
from hpsearch.storage.record import StudyRecord
from hpsearch.study import open_study, prepare_study

_NOWHERE = Path()
NO_IMAGES = TrainingSet(_NOWHERE, _NOWHERE, _NOWHERE, _NOWHERE, "none", (1, 28, 28), 10)


@contextmanager
def open_imageless(home: Home, spec: StudySpec) -> Iterator[StudyRecord]:
    """The study as `hpsearch run` has it, made where it is not there."""
    with closing(open_database(home.database_url, create=True)) as database:
        open_study(database, spec, NO_IMAGES, home=home, restart=False)
        yield StudyRecord(database, prepare_study(database, spec, NO_IMAGES))
