"""The study that the faults are injected into: networks on scikit-learn's digits, offline.

Every trial trains to its last epoch, nothing is pruned and no configuration can come twice, so that
what the finished database must hold is known beforehand. An epoch takes some tens of milliseconds.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hpsearch.home import Home

_DOCUMENT = """
dataset = "digits"
model = "mlp"

[training]
epochs = {epochs}
validation = 0.2

[search]
sampler = "random"
pruner = "none"
trials = {trials}

[space]
batch_size = [8, 32]
learning_rate = {{ low = 1e-4, high = 1e-2, log = true }}
"dense.units" = [16, 32]
dropout = [0.0, 0.2]

[final]
finalists = 1
seeds = 1
"""
# states and recorded epochs of all trials, those without a number or an epoch included
_PROGRESS = """
SELECT number, state, (
    SELECT count(*) FROM hpsearch_epochs AS e
    WHERE e.study_id = t.study_id AND e.role = 'search' AND e.trial = t.number
) FROM trials AS t
"""


@dataclass(frozen=True)
class Study:
    """A study, and the folder that holds its file and everything that its search writes."""

    folder: Path
    trials: int
    epochs: int  # of every trial

    name: ClassVar = "faults"

    @property
    def file(self) -> Path:
        """The study file."""
        return self.folder / f"{self.name}.toml"

    @property
    def home(self) -> Home:
        """Where its search keeps its files."""
        return Home(self.folder / "runs")

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.home.root / "hpsearch.db"

    @property
    def total_epochs(self) -> int:
        """Of all trials together."""
        return self.trials * self.epochs

    def write(self) -> None:
        """Write the study file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file.write_text(_DOCUMENT.format(epochs=self.epochs, trials=self.trials))


@dataclass(frozen=True)
class Progress:
    """How far a study is, as its database says."""

    states: dict[int, str]  # by trial
    epochs: dict[int, int]

    @property
    def total_epochs(self) -> int:
        """Recorded epochs of all trials."""
        return sum(self.epochs.values())

    @property
    def running(self) -> list[int]:
        """Trials under way."""
        return [trial for trial, state in self.states.items() if state == "RUNNING"]


def read_progress(study: Study) -> Progress:
    """Look without disturbing; there is nothing to see before the first run has made its tables."""
    try:
        with closing(open_read_only(study.database)) as connection:
            rows = connection.execute(_PROGRESS).fetchall()
    except sqlite3.OperationalError as error:
        if "unable to open" in str(error) or "no such table" in str(error):
            return Progress({}, {})
        raise
    states = {number: state for number, state, _ in rows}
    return Progress(states, {number: epochs for number, _, epochs in rows})


def open_read_only(database: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
