"""Where trials come from: the sampler's proposals, without repeats, until a space is used up.

A repeat of a configuration that was trained, or is being trained, is told to Optuna as failed with
the outcome `duplicate`, and another is asked for. A sampler that keeps repeating itself is helped
out with the untried configuration that differs least from what it proposed; the grid sampler always
takes the next untried one.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import optuna
from optuna.trial import Trial, TrialState

from hpsearch.configuration import Configuration
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.space import Scalar
from hpsearch.spec import StudySpec
from hpsearch.storage.record import CONFIGURATION, OUTCOME, REASON, is_duplicate

_REPEATS_BEFORE_HELP = 1
_REPEATS_BEFORE_GIVING_UP = 500
_LARGEST_GRID = 100_000  # combinations; more are hardly ever used up


@dataclass(frozen=True)
class Proposal:
    """A trial to train."""

    trial: Trial
    configuration: Configuration


@dataclass(frozen=True)
class Refusal:
    """A trial whose network cannot be built; it is told and counts as pruned."""

    number: int
    reason: str


@dataclass(frozen=True)
class Exhausted:
    """There is nothing left to try."""


class Proposals:
    """The source of one study's trials."""

    def __init__(self, spec: StudySpec, study: optuna.Study) -> None:
        self._spec = spec
        self._study = study
        self._seen: dict[str, int] = {}  # fingerprint of a configuration to its trial
        self._running: list[int] = []  # ids of trials that an earlier run left
        for trial in study.get_trials(deepcopy=False):
            fingerprint = trial.user_attrs.get(CONFIGURATION)
            if trial.state == TrialState.RUNNING:
                self._running.append(trial._trial_id)
            elif fingerprint and trial.state != TrialState.FAIL and not is_duplicate(trial):
                self._seen[fingerprint] = trial.number
        self._untried = self._untried_values() if self._is_grid else None

    @property
    def _is_grid(self) -> bool:
        return self._spec.search.sampler.name == "grid"

    def take_over(self) -> Proposal | Refusal | None:
        """The next trial that an earlier run left running, under its own number."""
        while self._running:
            trial = Trial(self._study, self._running.pop(0))
            admitted = self._admit(trial)
            if admitted is not None:
                return admitted
        return None

    def next(self) -> Proposal | Refusal | Exhausted:
        """A new trial."""
        repeated: Mapping[str, Scalar] = {}
        for repeats in range(_REPEATS_BEFORE_GIVING_UP):
            needs_help = self._is_grid or repeats >= _REPEATS_BEFORE_HELP
            if needs_help and not self._enqueue_untried(repeated) and self._spec.space.is_finite:
                return Exhausted()
            trial = self._study.ask()
            admitted = self._admit(trial)
            if admitted is not None:
                return admitted
            repeated = trial.params
        return Exhausted()

    def _admit(self, trial: Trial) -> Proposal | Refusal | None:
        """Resolve a trial's values; None for a repeat, which is told as one."""
        values = self._spec.space.suggest(trial)
        try:
            configuration = self._spec.configuration(values)
        except InfeasibleConfigurationError as error:
            trial.set_user_attr(OUTCOME, "infeasible")
            trial.set_user_attr(REASON, str(error))
            self._study.tell(trial, state=TrialState.PRUNED)
            return Refusal(trial.number, str(error))
        fingerprint = configuration.fingerprint
        first = self._seen.setdefault(fingerprint, trial.number)
        if first != trial.number:
            trial.set_user_attr(OUTCOME, "duplicate")
            trial.set_user_attr(REASON, f"repeats trial {first}")
            self._study.tell(trial, state=TrialState.FAIL)
            return None
        if CONFIGURATION not in trial.user_attrs:
            trial.set_user_attr(CONFIGURATION, fingerprint)
        return Proposal(trial, configuration)

    def _enqueue_untried(self, repeated: Mapping[str, Scalar]) -> bool:
        """Make the next `ask` give the untried combination nearest to what was repeated.

        False if there is none.
        """
        if self._untried is None:
            self._untried = self._untried_values()
        self._untried = [values for values in self._untried if not self._is_tried(values)]
        if not self._untried:
            return False

        def distance(values: dict[str, Scalar]) -> int:
            return sum(values.get(name) != value for name, value in repeated.items())

        nearest = min(self._untried, key=distance)  # of equals the first, so the seed decides
        self._study.enqueue_trial(self._spec.space.searched(nearest))
        return True

    def _untried_values(self) -> list[dict[str, Scalar]]:
        """Every combination of a finite space in an order that the study's seed decides."""
        space = self._spec.space
        if space.count_at_most(_LARGEST_GRID) is None:
            return []
        values = list(space.grid())
        random.Random(self._spec.training.seed).shuffle(values)
        return values

    def _is_tried(self, values: dict[str, Scalar]) -> bool:
        try:
            return self._spec.configuration(values).fingerprint in self._seen
        except InfeasibleConfigurationError:
            return True
