"""What is recorded of a training: which one it is, and what each of its epochs measured."""

import statistics
from dataclasses import dataclass
from typing import Literal

Objective = Literal["val_accuracy", "val_loss", "val_balanced_accuracy"]
Precision = Literal["fp32", "bf16"]
Layout = Literal["contiguous", "channels-last", "blocked"]
StepKind = Literal["autograd", "written-out", "captured"]
Role = Literal["search", "finalist", "winner"]


@dataclass(frozen=True, order=True)
class TrainingKey:
    """Which training of a study: a trial's own, or one of those after the search."""

    role: Role
    trial: int  # the Optuna trial's number
    seed: int = 0  # the how-manieth seed, from 0; a trial of the search has one only

    def __str__(self) -> str:
        return f"{self.role}-{self.trial}-{self.seed}"


@dataclass(frozen=True)
class Method:
    """How a training's numbers are computed: decides their speed and their last digits."""

    precision: Precision
    layout: Layout  # of the feature maps in memory, see models.layout
    step: StepKind  # see training.steps, training.captured

    def __str__(self) -> str:
        return f"{self.precision}, {self.layout}, {self.step}"

    @classmethod
    def parse(cls, text: str) -> "Method":
        """The method that `str` wrote."""
        return cls(*text.split(", "))  # type: ignore[arg-type]


@dataclass(frozen=True)
class EpochMetrics:
    """One finished epoch. Losses are mean cross-entropies in nats; accuracies are 0 to 1."""

    epoch: int  # counted from 1
    loss: float  # over the epoch's training batches, dropout on, as the weights moved
    accuracy: float
    val_loss: float | None  # None when nothing was held out
    val_accuracy: float | None
    learning_rate: float  # at the epoch's last step
    duration_s: float
    images_per_s: float  # training images over the whole epoch's time, validation included
    # the mean of the classes' recalls; None where an older hpsearch recorded the epoch, too
    val_balanced_accuracy: float | None = None

    def value_of(self, objective: Objective) -> float:
        """The objective's value at this epoch, which must have been validated."""
        value: float | None = getattr(self, objective)
        assert value is not None, "an epoch without validation has no objective"
        return value


def is_maximized(objective: Objective) -> bool:
    """Whether more of the objective is better: accuracies are maximised, losses minimised."""
    return objective != "val_loss"


def is_better(value: float, than: float | None, *, objective: Objective) -> bool:
    """Whether `value` is strictly better: higher for accuracies, lower for val_loss."""
    if than is None:
        return True
    return value > than if is_maximized(objective) else value < than


def best_epoch(epochs: list[EpochMetrics], *, objective: Objective) -> EpochMetrics:
    """The first epoch with the best objective; `epochs` must not be empty."""
    best = epochs[0]
    for candidate in epochs[1:]:
        value, best_value = candidate.value_of(objective), best.value_of(objective)
        if is_better(value, best_value, objective=objective):
            best = candidate
    return best


def sample_std(values: list[float]) -> float | None:
    """The sample standard deviation (n - 1); a single value has none."""
    return statistics.stdev(values) if len(values) > 1 else None


def images_per_second(epochs: list[EpochMetrics]) -> float:
    """Training images over the time of all epochs, of which there is at least one."""
    images = sum(metrics.images_per_s * metrics.duration_s for metrics in epochs)
    return images / sum(metrics.duration_s for metrics in epochs)
