"""What the search and the trainings after it share: one study, opened, with its workers.

A session plans every training of its study, so that seeds, protocol and file names are set in one
place.
"""

from dataclasses import dataclass

import numpy as np

from hpsearch.configuration import Configuration
from hpsearch.data.training_set import TrainingSet
from hpsearch.dispatcher import Dispatcher, Observer
from hpsearch.executors.messages import Task
from hpsearch.home import Home, atomic_path
from hpsearch.records import Role, TrainingKey
from hpsearch.spec import StudySpec
from hpsearch.storage.record import StudyRecord
from hpsearch.training.plan import Plan


@dataclass(frozen=True)
class Session:
    """A study that this process holds."""

    spec: StudySpec
    record: StudyRecord
    dispatcher: Dispatcher
    training_set: TrainingSet
    home: Home
    observer: Observer
    plain: bool = False  # trainings by PyTorch's own layers and autograd only
    trial_timeout_s: float | None = None  # of a trial of the search, instead of the study file's

    def task(
        self, key: TrainingKey, configuration: Configuration, *, epochs: int | None = None
    ) -> Task:
        """One training of the study; `epochs` runs just so many, whatever validation says."""
        name = self.record.name
        return Task(
            key,
            plan_training(self.spec, key, configuration, self.training_set, epochs=epochs),
            self.home.checkpoint(name, key),
            self.home.weights(name, key) if self._is_tested(key) else None,
            plain=self.plain,
            limit_s=self._limit_s() if key.role == "search" else None,
        )

    def _is_tested(self, key: TrainingKey) -> bool:
        return key.role == "winner" or (self.spec.fixed is not None and key.role == "search")

    def _limit_s(self) -> float | None:
        return self.trial_timeout_s or self.spec.search.trial_timeout

    def keep_traceback(self, key: TrainingKey, text: str) -> str:
        """Write the traceback of a training, if there is one, and say where it is."""
        if not text:
            return ""
        path = self.home.traceback(self.record.name, key)
        with atomic_path(path) as temporary:
            # a file's name in a message need not be UTF-8
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
        return f"; its traceback: {path}"

    def forget_checkpoint(self, key: TrainingKey) -> None:
        """Remove the checkpoints of a training that is over and recorded."""
        self.home.forget_checkpoint(self.record.name, key)


def plan_training(
    spec: StudySpec,
    key: TrainingKey,
    configuration: Configuration,
    training_set: TrainingSet,
    *,
    epochs: int | None = None,
) -> Plan:
    """What decides the numbers of a training; `epochs` runs just so many, as for `Session.task`."""
    protocol = spec.training
    return Plan(
        configuration=configuration,
        training_set=training_set,
        seed=training_seed(spec, key),
        epochs=protocol.epochs,
        stop_after=protocol.epochs if epochs is None else epochs,
        objective=spec.objective,
        early_stopping=protocol.early_stopping if epochs is None else None,
        precision=protocol.precision,
        train_on=spec.final.train_on if spec.final and key.role == "winner" else "train",
        keep=spec.fixed.weights if spec.fixed else "best",
    )


def training_seed(spec: StudySpec, key: TrainingKey) -> int:
    """The seed of a training's weights, shuffling and dropout; every training has its own."""
    roles: dict[Role, int] = {"search": 0, "finalist": 1, "winner": 2}
    # all finalists share their seeds, so that they differ by their configurations only
    trial = key.trial if key.role == "search" else 0
    entropy = [spec.training.seed, roles[key.role], trial, key.seed]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])
