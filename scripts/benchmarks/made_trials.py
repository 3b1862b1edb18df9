"""Trials as a search would have left them, written in bulk: what T5 measures on."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.trial import FixedTrial, TrialState
from sqlalchemy import MetaData, Table, insert

from hpsearch.configuration import Configuration
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.spec import StudySpec
from hpsearch.storage.record import CONFIGURATION, OUTCOME, StudyRecord
from hpsearch.storage.tables import epochs as epochs_table

# how long the trials ran, and how many of 100: all but the longest were pruned. As Hyperband with
# a reduction factor of 3 leaves them, and early stopping after some 25 epochs
_LENGTHS = {1: 55, 3: 25, 9: 10, 25: 10}
_RUNGS = (1, 3, 9)


@dataclass(frozen=True)
class MadeTrial:
    """A trial as a search would have left it."""

    number: int
    state: TrialState
    suggested: FixedTrial
    configuration: Configuration
    epochs: list[EpochMetrics]


def make_trials(spec: StudySpec, *, num_finished: int, num_running: int) -> Iterator[MadeTrial]:
    """Finished trials, then some that still run."""
    generator = random.Random(0)
    for number in range(num_finished + num_running):
        suggested = FixedTrial(spec.space.searched(spec.space.draw(generator)))
        configuration = spec.configuration(spec.space.suggest(suggested))
        [length] = generator.choices(list(_LENGTHS), list(_LENGTHS.values()))
        state = TrialState.COMPLETE if length == max(_LENGTHS) else TrialState.PRUNED
        if number >= num_finished:
            state, length = TrialState.RUNNING, 0
        best = generator.uniform(0.7, 0.9)
        epochs = [make_epoch(epoch, best - 0.1 / epoch) for epoch in range(1, length + 1)]
        yield MadeTrial(number, state, suggested, configuration, epochs)


def make_epoch(epoch: int, accuracy: float) -> EpochMetrics:
    """An epoch that reached this accuracy."""
    return EpochMetrics(epoch, 1 - accuracy, accuracy, 1 - accuracy, accuracy, 1e-3, 1.0, 5e4)


def write_trials(record: StudyRecord, trials: Sequence[MadeTrial]) -> None:
    """Write the trials in one transaction; Optuna's own `add_trials` takes 66 ms for each."""
    record.start_run({"trials": len(trials), "command": ["hpsearch", "run"]})
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for trial in trials:
        for table, columns in _optuna_rows(trial):
            # the only study of its database: an id is a number counted from 1
            rows[table].append({"trial_id": trial.number + 1, **columns})
        key = {"study_id": record.study_id, **asdict(TrainingKey("search", trial.number))}
        rows[epochs_table.name] += [{**key, **asdict(metrics)} for metrics in trial.epochs]
    with record.database.engine.begin() as connection:
        for name, table_rows in rows.items():
            table_there = Table(name, MetaData(), autoload_with=connection)
            connection.execute(insert(table_there), table_rows)


def _optuna_rows(trial: MadeTrial) -> Iterator[tuple[str, dict[str, Any]]]:
    """What Optuna 5 stores of a trial: tables and columns."""
    start, is_finished = datetime(2026, 1, 1), trial.state.is_finished()
    times = {"datetime_start": start, "datetime_complete": start if is_finished else None}
    yield "trials", {"study_id": 1, "number": trial.number, "state": trial.state.name, **times}
    params, distributions = trial.suggested.params, trial.suggested.distributions
    for name, distribution in distributions.items():
        stored, text = (
            distribution.to_internal_repr(params[name]),
            distribution_to_json(distribution),
        )
        columns = {"param_name": name, "param_value": stored, "distribution_json": text}
        yield "trial_params", columns
    values = [metrics.value_of("val_accuracy") for metrics in trial.epochs]
    if is_finished:  # made curves only rise: the last value is the best
        yield "trial_values", {"objective": 0, "value": values[-1], "value_type": "FINITE"}
    for step, value in enumerate(values, start=1):
        columns = {"step": step, "intermediate_value": value, "intermediate_value_type": "FINITE"}
        yield "trial_intermediate_values", columns
    reached = [values[epoch - 1] for epoch in _RUNGS if epoch <= len(values)]
    rungs = {f"completed_rung_{rung}": value for rung, value in enumerate(reached)}
    for key, kept in {"tpe:relative_params:0": json.dumps(params), **rungs}.items():
        yield "trial_system_attributes", {"key": key, "value_json": json.dumps(kept)}
    outcome = {OUTCOME: trial.state.name.lower()} if is_finished else {}
    for key, word in {CONFIGURATION: trial.configuration.fingerprint, **outcome}.items():
        yield "trial_user_attributes", {"key": key, "value_json": json.dumps(word)}
