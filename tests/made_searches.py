"""Searches made by hand, trial after trial: snapshots whose trials have ids of their own."""

from dataclasses import dataclass, field
from pathlib import Path

from made_snapshots import (
    COMPLETE,
    made_epochs,
    made_reading,
    made_run,
    made_snapshot,
    made_start,
    made_training,
    made_trial,
    search,
)
from optuna.trial import FrozenTrial, TrialState

from hpsearch.figures.snapshot import Snapshot
from hpsearch.home import Home
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.storage.record import FinishedTraining, Start, TestReading


@dataclass
class MadeSearch:
    """Trials are added, then a snapshot is taken."""

    home: Home = field(default_factory=lambda: Home(Path("no-such-folder")))
    trials: list[FrozenTrial] = field(default_factory=list)
    histories: dict[TrainingKey, list[EpochMetrics]] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    trainings: dict[TrainingKey, FinishedTraining] = field(default_factory=dict)
    reading: TestReading | None = None

    def add(self, *accuracies: float, state: TrialState = COMPLETE) -> None:
        """A trial with these validation accuracies by epoch, a minute after the last."""
        number = len(self.trials)
        start_s = 60 * number
        value = max(accuracies) if state == COMPLETE else None
        trial = made_trial(number, state, value, start_s=start_s, end_s=start_s + 50)
        trial._trial_id = 100 + number
        self.trials.append(trial)
        self.histories[search(number)] = made_epochs(*accuracies)
        self.starts.append(made_start(number, start_s))

    def retrain(self, trial: int, *, seed: int = 0) -> None:
        """The winner's training, with no validation."""
        key = TrainingKey("winner", trial, seed)
        self.histories[key] = made_epochs(None, None)
        self.trainings[key] = made_training(key, 3600)

    def test(self, trial: int, *confusions: list[list[int]]) -> None:
        """The winner's result on the test set, a matrix a seed."""
        self.reading = made_reading(*confusions, trial=trial)

    def snapshot(self) -> Snapshot:
        return made_snapshot(
            self.trials,
            self.histories,
            home=self.home,
            starts=self.starts,
            trainings=self.trainings,
            runs=[made_run(1, 0, 3600)],
            reading=self.reading,
        )
