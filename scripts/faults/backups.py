"""Copies of the database made by SQLite's own means while the search writes to it."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from faults.checker import check_copy
from faults.row import Row
from faults.scenario import Ground, places
from faults.study import Study, open_read_only
from faults.subject import Subject
from hpsearch.storage.database import open_database
from hpsearch.storage.record import StudyRecord


@dataclass(frozen=True)
class Backups:
    """`.backup` and `VACUUM INTO` in turn; a search is carried on from one of the copies."""

    faults: int = 40
    trials: int = 16
    epochs: int = 100
    sample: int = 3

    name: ClassVar = "backups"

    def run(self, ground: Ground) -> Row:
        """Copy, check each copy, and go on from one made halfway."""
        study = Study(ground.folder / "copied", self.trials, self.epochs)
        makers = (_backup, _vacuum_into)
        copies: list[Path] = []
        with Subject(study) as subject:
            subject.start()
            for place in places(ground.random, total_epochs=study.total_epochs, count=self.faults):
                if not subject.reach(place):
                    break
                make: Callable[[Path, Path], None] = makers[len(copies) % len(makers)]
                copies.append(ground.folder / f"copy-{len(copies)}.db")
                subject.struck()
                make(study.database, copies[-1])
            subject.finish()
        for copy in copies:
            found = [*check_copy(copy, max_epochs=study.epochs), *_check_record(copy, study)]
            subject.broken += [f"{copy.name}: {sentence}" for sentence in found]
        restored = self._carry_on(copies[len(copies) // 2], ground)
        row = subject.row(self.name, faults=len(copies), sample=self.sample, remark="one restored")
        row.broken.extend(f"restored: {sentence}" for sentence in restored)
        return row

    def _carry_on(self, copy: Path, ground: Ground) -> list[str]:
        """Run a study to its end from a copy of its database, in a home that has nothing else."""
        study = Study(ground.folder / "restored", self.trials, self.epochs)
        study.home.root.mkdir(parents=True)
        shutil.copy(copy, study.database)
        with Subject(study) as subject:
            subject.start()
            subject.finish()
        return subject.row(self.name, faults=0, sample=self.sample).broken


def _backup(database: Path, copy: Path) -> None:
    with (
        closing(open_read_only(database)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def _vacuum_into(database: Path, copy: Path) -> None:
    with closing(open_read_only(database)) as source:
        source.execute("VACUUM INTO ?", [str(copy)])


def _check_record(copy: Path, study: Study) -> list[str]:
    """What hpsearch itself finds in a copy must be what SQL finds."""
    with closing(open_database(f"sqlite:///{copy}", create=False)) as database:
        record = StudyRecord.of(database, study.name)
        recorded = {key.trial: len(e) for key, e in record.all_epochs(role="search").items()}
        known = {trial.number for trial in record.study.trials}
    return [] if recorded.keys() <= known else ["epochs of trials that Optuna does not know"]
