"""Lists: study files and stored studies, data sets."""

import os
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hpsearch.catalogue import DATASETS, DatasetInfo
from hpsearch.data.files import raw_folder
from hpsearch.errors import MissingDatabaseError, StudyFileError
from hpsearch.home import Home
from hpsearch.report.status import study_status
from hpsearch.report.terminal import print_table
from hpsearch.storage.database import open_database
from hpsearch.storage.record import DOCUMENT, StudyRecord
from hpsearch.studyfiles import study_files
from hpsearch.studyparser import load_study_file


@dataclass(frozen=True)
class StudyRow:
    """A study file, a stored study, or both."""

    study: str
    file: str | None
    stored: bool
    state: str  # of the stored study, or what is wrong with the file
    best: float | None  # of a search
    test: float | None  # likewise
    description: str


def list_studies(url: str, *, home: Home) -> list[StudyRow]:
    """Every study that can be run or looked at, by name."""
    rows = {name: _from_file(name, path) for name, path in study_files().items()}
    with suppress(MissingDatabaseError), closing(open_database(url, create=False)) as database:
        for name in database.study_names():
            study = database.load_study(name)
            if DOCUMENT in study.user_attrs:
                rows[name] = _from_record(StudyRecord(database, study), rows.get(name), home=home)
    return [rows[name] for name in sorted(rows)]


def _from_file(name: str, path: Path) -> StudyRow:
    try:
        description, state = load_study_file(path).description, "not run yet"
    except StudyFileError as error:
        description, state = "", f"cannot be run: {error}"
    return StudyRow(name, str(path), False, state, None, None, description)


def _from_record(record: StudyRecord, file: StudyRow | None, *, home: Home) -> StudyRow:
    status = study_status(record, home=home)
    counts = status.trials
    if status.kind == "fixed set":
        state = f"{status.networks_tested} of {status.target} networks tested"
    else:
        finished = counts.complete + counts.pruned + counts.failed
        state = f"{finished} of {status.target} trials"
    running = f", running as process {status.owner.pid}" if status.owner else ""
    return StudyRow(
        study=status.study,
        file=file.file if file else None,
        stored=True,
        state=f"{state}{running}",
        best=status.best.value if status.best and status.kind == "search" else None,
        test=status.test.accuracy_mean if status.test else None,
        description=record.study.user_attrs[DOCUMENT]["description"],
    )


def print_studies(console: Console, rows: list[StudyRow]) -> None:
    """The list as a table."""
    print_table(
        console,
        ["study", "state", "best", "test accuracy", "description"],
        [
            [row.study, row.state, _rounded(row.best), _rounded(row.test), row.description]
            for row in rows
        ],
    )


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(value, 4)


@dataclass(frozen=True)
class DatasetRow:
    """A data set that a study may name."""

    name: str
    title: str
    image_shape: tuple[int, int, int]
    num_classes: int
    num_train: int
    num_test: int
    where: str


def list_datasets(data_dir: Path) -> list[DatasetRow]:
    """Every data set, and whether its files are there."""
    return [
        DatasetRow(
            info.name,
            info.title,
            info.image_shape,
            info.num_classes,
            info.num_train,
            info.num_test,
            _where(info, data_dir),
        )
        for info in DATASETS.values()
    ]


def _where(info: DatasetInfo, data_dir: Path) -> str:
    if info.folder is None:
        return "ships with scikit-learn"
    folder = raw_folder(info, data_dir=data_dir)
    return str(folder) if os.path.isdir(folder) else "to be downloaded"


def print_datasets(console: Console, rows: list[DatasetRow]) -> None:
    """The list as a table."""
    print_table(
        console,
        ["name", "title", "image", "classes", "training images", "test images", "files"],
        [
            [
                row.name,
                row.title,
                " x ".join(map(str, row.image_shape)),
                row.num_classes,
                row.num_train,
                row.num_test,
                row.where,
            ]
            for row in rows
        ],
    )
