"""What a worker is told to train: plain data, without PyTorch, so that the search can build it."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from hpsearch.configuration import Configuration
from hpsearch.data.training_set import TrainingSet
from hpsearch.records import Objective
from hpsearch.studytables import EarlyStopping, Weights


@dataclass(frozen=True)
class Plan:
    """One training, complete: with the device's kind and the code it decides every number."""

    configuration: Configuration
    training_set: TrainingSet
    seed: int
    epochs: int  # the schedule's horizon
    stop_after: int  # epochs to run at most; the horizon, or fewer when the best count is known
    objective: Objective
    early_stopping: EarlyStopping | None
    precision: Literal["fp32", "bf16", "auto"]
    train_on: Literal["train", "train+validation"]
    keep: Weights = "best"  # which epoch's weights are the result; "last" where none is validated

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits; a checkpoint of another plan is not continued."""
        parts = (
            self.configuration.fingerprint,
            self.training_set.fingerprint,
            self.seed,
            self.epochs,
            self.stop_after,
            self.objective,
            self.early_stopping,
            self.precision,
            self.train_on,
            self.keep,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
