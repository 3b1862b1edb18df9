"""A snapshot made by hand: what figures and the dashboard's plots and files are drawn from."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState, create_trial
from small_studies import epoch, small_study

from hpsearch.figures.snapshot import Snapshot
from hpsearch.home import Home
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.storage.record import Evaluation, FinishedTraining, Run, Start, TestReading

NOON = datetime(2026, 1, 1, 12)


@dataclass
class Making:
    """Trials are added, then the snapshot is taken."""

    home: Home = field(default_factory=lambda: Home(Path("nowhere")))
    name: str = "small"
    trials: list[FrozenTrial] = field(default_factory=list)
    histories: dict[TrainingKey, list[EpochMetrics]] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    trainings: dict[TrainingKey, FinishedTraining] = field(default_factory=dict)
    reading: TestReading | None = None

    def add(self, *accuracies: float, state: TrialState = TrialState.COMPLETE) -> int:
        """A trial with these validation accuracies by epoch, a minute after the last."""
        number = len(self.trials)
        start = NOON + timedelta(minutes=number)
        key = TrainingKey("search", number)
        self.histories[key] = [epoch(n, value) for n, value in enumerate(accuracies, start=1)]
        self.starts.append(Start(key, 1, "fp32, contiguous, autograd", "cpu", 1, start))
        trial = create_trial(
            state=state, value=max(accuracies) if state == TrialState.COMPLETE else None
        )
        trial.number, trial._trial_id = number, 100 + number
        trial.datetime_start = start
        trial.datetime_complete = start + timedelta(seconds=50) if state.is_finished() else None
        self.trials.append(trial)
        return number

    def test(self, trial: int, confusion: list[list[int]], *, seeds: int = 1) -> None:
        """The winner's result on the test set."""
        evaluations = tuple(
            Evaluation(seed, 0.9, 0.3, _CLASSES, confusion, 2, 1.0, 610, "w")
            for seed in range(seeds)
        )
        self.reading = TestReading(1, trial, NOON, evaluations)

    def retrain(self, trial: int, *, seed: int = 0) -> None:
        """The winner's training, with no validation."""
        key = TrainingKey("winner", trial, seed)
        self.histories[key] = [epoch(1, None), epoch(2, None)]
        self.trainings[key] = FinishedTraining(key, {}, 0, 610, NOON + timedelta(hours=1))

    def snapshot(self) -> Snapshot:
        complete = [trial for trial in self.trials if trial.state == TrialState.COMPLETE]
        return Snapshot(
            name=self.name,
            home=self.home,
            document=small_study().document,
            trials=self.trials,
            ranked=sorted(complete, key=lambda trial: -(trial.value or 0.0)),
            histories=self.histories,
            trainings=self.trainings,
            starts=self.starts,
            runs=[Run(1, NOON, NOON + timedelta(hours=1), {})],
            reading=self.reading,
            split="",
        )


_CLASSES = {str(digit): {"precision": 1.0, "recall": 1.0, "f1": 1.0} for digit in range(2)}
