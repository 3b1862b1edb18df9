"""Optuna's storage with one study's trials in memory.

A running search is the only writer of its study (`lease`), so it need not read back what it wrote.
Optuna reads all trials several times at every proposal and every epoch; through its SQL that was
two thirds of the search's own time. Every write still goes to the database, and there first.

What another program writes to the study meanwhile, say a note in optuna-dashboard, stays in the
database and is not seen here.
"""

import copy
from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from hpsearch.storage.trials import (
    SYSTEM_ATTRIBUTES,
    USER_ATTRIBUTES,
    TrialWriter,
    read_trials,
)


class WriteThroughStorage(BaseStorage):
    """A database's Optuna storage that answers for one study from memory."""

    def __init__(self, backend: RDBStorage, study_id: int) -> None:
        self._backend = backend
        self._study_id = study_id
        self._name = backend.get_study_name_from_id(study_id)
        self._directions = backend.get_study_directions(study_id)
        self._user_attrs = backend.get_study_user_attrs(study_id)
        self._system_attrs = backend.get_study_system_attrs(study_id)
        self._writer = TrialWriter(backend.engine)
        self._trials = {trial._trial_id: trial for trial in read_trials(backend.engine, study_id)}
        self._distributions: dict[str, BaseDistribution] = {}  # the first of each name
        for trial in self._trials.values():
            self._distributions = {**trial.distributions, **self._distributions}

    # The study

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        return self._backend.create_new_study(directions, study_name)

    def delete_study(self, study_id: int) -> None:
        self._backend.delete_study(study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self._backend.set_study_user_attr(study_id, key, value)
        self._user_attrs = {**self._user_attrs, key: value}

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._backend.set_study_system_attr(study_id, key, value)
        self._system_attrs = {**self._system_attrs, key: value}

    def get_study_id_from_name(self, study_name: str) -> int:
        if study_name == self._name:
            return self._study_id
        return self._backend.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        assert study_id == self._study_id
        return self._name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self._user_attrs

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._system_attrs

    def get_all_studies(self) -> list[FrozenStudy]:
        return self._backend.get_all_studies()

    # Its trials: written through, and replaced in memory by changed copies, because readers keep
    # the trials that they were given

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        assert study_id == self._study_id
        trial_id = self._backend.create_new_trial(study_id, template_trial)
        self._trials[trial_id] = self._backend.get_trial(trial_id)
        return trial_id

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        trial = self._updatable(trial_id)
        known = self._distributions.setdefault(param_name, distribution)
        check_distribution_compatibility(known, distribution)
        self._writer.add_param(trial_id, param_name, param_value_internal, distribution)
        value = distribution.to_external_repr(param_value_internal)
        trial.params = {**trial.params, param_name: value}
        trial.distributions = {**trial.distributions, param_name: distribution}
        self._trials[trial_id] = trial

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        if not self._backend.set_trial_state_values(trial_id, state, values):
            return False
        trial = self._updatable(trial_id)
        trial.state = state
        if values is not None:
            trial.values = list(values)
        if state == TrialState.RUNNING:
            trial.datetime_start = datetime.now()
        if state.is_finished():
            trial.datetime_complete = datetime.now()
        self._trials[trial_id] = trial
        return True

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        trial = self._updatable(trial_id)
        is_new = step not in trial.intermediate_values
        self._writer.put_intermediate_value(trial_id, step, intermediate_value, is_new=is_new)
        trial.intermediate_values = {**trial.intermediate_values, step: intermediate_value}
        self._trials[trial_id] = trial

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        trial = self._updatable(trial_id)
        is_new = key not in trial.user_attrs
        self._writer.put_attribute(USER_ATTRIBUTES, trial_id, key, value, is_new=is_new)
        trial.user_attrs = {**trial.user_attrs, key: value}
        self._trials[trial_id] = trial

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        trial = self._updatable(trial_id)
        is_new = key not in trial.system_attrs
        self._writer.put_attribute(SYSTEM_ATTRIBUTES, trial_id, key, value, is_new=is_new)
        trial.system_attrs = {**trial.system_attrs, key: value}
        self._trials[trial_id] = trial

    def get_trial(self, trial_id: int) -> FrozenTrial:
        trial = copy.copy(self._trials[trial_id])
        # Optuna's Trial writes into the dicts that it is given
        trial.params, trial.distributions = dict(trial.params), dict(trial.distributions)
        trial.user_attrs, trial.system_attrs = dict(trial.user_attrs), dict(trial.system_attrs)
        trial.intermediate_values = dict(trial.intermediate_values)
        return trial

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        assert study_id == self._study_id
        trials = [t for t in self._trials.values() if states is None or t.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def _updatable(self, trial_id: int) -> FrozenTrial:
        """A copy of a trial that is not finished."""
        trial = self._trials[trial_id]
        self.check_trial_is_updatable(trial_id, trial.state)
        return copy.copy(trial)
