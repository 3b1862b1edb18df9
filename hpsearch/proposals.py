"""Where trials come from: the sampler's proposals, without repeats, until a space is used up.

A repeat of a configuration that was trained, or is being trained, is told to Optuna as failed with
the outcome `duplicate`, and another is asked for. A sampler that keeps repeating itself is helped
out with the untried configuration that differs least from what it proposed; the grid sampler always
takes the next untried one.
"""

import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import optuna
from optuna.trial import Trial, TrialState

from hpsearch.configuration import Configuration
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.samplers import build_sampler
from hpsearch.space import Scalar
from hpsearch.spec import StudySpec
from hpsearch.storage.record import CONFIGURATION, OUTCOME, REASON, is_duplicate
from hpsearch.studyparser import LARGEST_GRID

_BEGUN_ANEW = ("random", "tpe", "grid")  # samplers that are made for every trial
_REPEATS_BEFORE_HELP = 1
_DRAWS_BEFORE_GIVING_UP = 1_000  # of random configurations of a space too large to list


@dataclass(frozen=True)
class Proposal:
    """A trial to train."""

    trial: Trial
    configuration: Configuration
    taken_over: bool = False  # an earlier run left it, perhaps with epochs


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
        self._seen: dict[str, int] = {}  # identity of a configuration to its trial
        self._running: list[int] = []  # ids of trials that an earlier run left
        for trial in study.get_trials(deepcopy=False):
            identity = trial.user_attrs.get(CONFIGURATION)
            if trial.state == TrialState.RUNNING:
                self._running.append(trial._trial_id)
            elif identity and trial.state != TrialState.FAIL and not is_duplicate(trial):
                self._seen[identity] = trial.number

    @property
    def is_exhausted(self) -> bool:
        """Whether every different configuration of a space that can be listed was tried."""
        return self._untried is not None and not self._untried and not self._running

    @cached_property
    def _untried(self) -> dict[str, dict[str, Scalar]] | None:
        """What is left of a space that can be listed, by identity, in the seed's order.

        A fixed set keeps its own order.
        """
        space = self._spec.space
        if space.count_at_most(LARGEST_GRID) is None:
            return None
        combinations = list(space.grid())
        if self._spec.fixed is None:
            random.Random(self._spec.training.seed).shuffle(combinations)
        untried: dict[str, dict[str, Scalar]] = {}
        for values in combinations:
            with contextlib.suppress(InfeasibleConfigurationError):
                untried.setdefault(self._spec.identity(values), values)
        return {key: values for key, values in untried.items() if key not in self._seen}

    def take_over(self) -> Proposal | Refusal | None:
        """The next trial that an earlier run left running, under its own number."""
        while self._running:
            trial = Trial(self._study, self._running.pop(0))
            admitted = self._admit(trial)
            if isinstance(admitted, Proposal):
                return replace(admitted, taken_over=True)
            if admitted is not None:
                return admitted
        return None

    def next(self) -> Proposal | Refusal | Exhausted:
        """A new trial."""
        is_grid = self._spec.search.sampler.name == "grid"
        repeated: Mapping[str, Scalar] = {}
        repeats = 0
        while True:
            needs_help = is_grid or repeats >= _REPEATS_BEFORE_HELP
            if self.is_exhausted or (needs_help and not self._enqueue_untried(repeated)):
                return Exhausted()
            trial = self._ask()
            admitted = self._admit(trial)
            if admitted is not None:
                return admitted
            repeated, repeats = trial.params, repeats + 1

    def _ask(self) -> Trial:
        """A trial whose values depend on the seed, its number, and the trials before it.

        So a search that was interrupted proposes what it would have proposed. The samplers that are
        slow to begin anew draw fresh numbers in each run.
        """
        settings = self._spec.search.sampler
        if settings.name in _BEGUN_ANEW:
            number, seed = self._next_number, self._spec.training.seed
            self._study.sampler = build_sampler(settings, seed=seed, number=number)
        return self._study.ask()

    @property
    def _next_number(self) -> int:
        return len(self._study.get_trials(deepcopy=False))

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
        identity = self._spec.identity(values)
        first = self._seen.setdefault(identity, trial.number)
        if first != trial.number:
            trial.set_user_attr(OUTCOME, "duplicate")
            trial.set_user_attr(REASON, f"repeats trial {first}")
            self._study.tell(trial, state=TrialState.FAIL)
            return None
        if self._untried is not None:
            self._untried.pop(identity, None)
        if CONFIGURATION not in trial.user_attrs:
            trial.set_user_attr(CONFIGURATION, identity)
        return Proposal(trial, configuration)

    def _enqueue_untried(self, repeated: Mapping[str, Scalar]) -> bool:
        """Make the next `ask` give a configuration that was not tried; False if there is none."""
        values = self._nearest_untried(repeated) if self._untried else self._random_untried()
        if values is None:
            return False
        self._study.enqueue_trial(self._spec.space.searched(values))
        return True

    def _nearest_untried(self, repeated: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The one that differs from what was repeated in the fewest parameters."""
        assert self._untried

        def distance(values: dict[str, Scalar]) -> int:
            return sum(values.get(name) != value for name, value in repeated.items())

        return min(self._untried.values(), key=distance)  # of equals the first: the seed decides

    def _random_untried(self) -> dict[str, Scalar] | None:
        """One drawn from a space that is too large to list."""
        generator = random.Random(f"{self._spec.training.seed} {self._next_number}")
        for _ in range(_DRAWS_BEFORE_GIVING_UP):
            values = self._spec.space.draw(generator)
            with contextlib.suppress(InfeasibleConfigurationError):
                if self._spec.identity(values) not in self._seen:
                    return values
        return None
