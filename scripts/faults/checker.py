"""What a study's database must hold, however its search was disturbed.

    findings = check_study(study)            # of a finished study
    findings += replay_sample(study, 5)      # trained again without disturbance, bit for bit

Plain SQL, apart from the replay: what the search itself believes to have written does not count.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.study import Study, open_read_only
from hpsearch.replay import replay_trial
from hpsearch.storage.database import open_database
from hpsearch.storage.record import StudyRecord

BY_CONTRACT = ("worker-lost", "timeout")  # outcomes that a fault may lead to
_FINISHED = ("COMPLETE", "PRUNED", "FAIL")


@dataclass
class Findings:
    """What is wrong, a sentence each; and how many trials ended as the contract allows."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    wrong_epochs: list[str] = field(default_factory=list)
    by_contract: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """Everything that is wrong."""
        return [*self.lost, *self.duplicated, *self.wrong_epochs]


@dataclass(frozen=True)
class StoredTrial:
    """One row of Optuna's trials with all that belongs to it."""

    number: int
    state: str
    value: float | None
    attributes: dict[str, Any]
    reported: dict[int, float]  # Optuna's intermediate values
    epochs: dict[int, float]  # val_accuracy by epoch, in our table

    @property
    def outcome(self) -> str | None:
        """The search's word for how it ended."""
        return self.attributes.get("outcome")


def check_study(study: Study) -> Findings:
    """Check the database of a finished study."""
    stored = read_trials(study.database)
    # a repeat was neither trained nor counted
    trials = [trial for trial in stored if trial.outcome != "duplicate"]
    finished = [trial for trial in trials if trial.state in _FINISHED]
    by_contract = [trial for trial in finished if trial.outcome in BY_CONTRACT]
    findings = Findings(
        lost=[*_missing(stored), *_lost(trials)],
        duplicated=[*_repeats("number", [trial.number for trial in stored]), *_same(trials)],
        wrong_epochs=[*_orphaned_epochs(study.database)],
        by_contract=[f"trial {trial.number}: {trial.outcome}" for trial in by_contract],
    )
    for trial in trials:
        findings.wrong_epochs += _wrong_epochs(trial, max_epochs=study.epochs)
    surplus = len(trials) - study.trials
    findings.duplicated += ["a trial more than was asked for"] * max(0, surplus)
    findings.lost += ["a trial less than was asked for"] * max(0, -surplus - len(findings.lost))
    return findings


def check_copy(database: Path, *, max_epochs: int) -> list[str]:
    """Check a copy of the database of a search under way; trials may be running in it."""
    trials = read_trials(database)
    found = [*_missing(trials), *_same(trials), *_orphaned_epochs(database)]
    found += _repeats("number", [trial.number for trial in trials])
    for trial in trials:
        found += _wrong_epochs(trial, max_epochs=max_epochs)
    return found


def read_trials(database: Path) -> list[StoredTrial]:
    """Every trial of the one study in a database."""
    with closing(open_read_only(database)) as connection:
        reported = _pairs(
            connection,
            "SELECT trial_id, step, intermediate_value FROM trial_intermediate_values",
        )
        attributes = _pairs(
            connection, "SELECT trial_id, key, value_json FROM trial_user_attributes"
        )
        epochs = _pairs(
            connection,
            "SELECT trial, epoch, val_accuracy FROM hpsearch_epochs WHERE role = 'search'",
        )
        rows = connection.execute(
            "SELECT t.trial_id, number, state, value FROM trials AS t "
            "LEFT JOIN trial_values AS v ON v.trial_id = t.trial_id ORDER BY t.trial_id"
        ).fetchall()
    return [
        StoredTrial(
            number,
            state,
            value,
            {key: json.loads(text) for key, text in attributes.get(id, {}).items()},
            reported.get(id, {}),
            epochs.get(number, {}),
        )
        for id, number, state, value in rows
    ]


def _pairs(connection: sqlite3.Connection, query: str) -> dict[int, dict[Any, Any]]:
    """Rows of (owner, key, value) as a dict of each owner."""
    found: dict[int, dict[Any, Any]] = {}
    for owner, key, value in connection.execute(query):
        found.setdefault(owner, {})[key] = value
    return found


def _missing(trials: list[StoredTrial]) -> Iterator[str]:
    numbers = {trial.number for trial in trials}
    for number in range(max(numbers, default=-1) + 1):
        if number not in numbers:
            yield f"trial {number} is missing"


def _lost(trials: list[StoredTrial]) -> Iterator[str]:
    for trial in trials:
        if trial.state not in _FINISHED:
            yield f"trial {trial.number} is {trial.state}"
        elif trial.state != "COMPLETE" and trial.outcome not in BY_CONTRACT:
            reason = trial.attributes.get("reason", "no reason")
            yield f"trial {trial.number} is {trial.state}: {trial.outcome}, {reason}"


def _same(trials: list[StoredTrial]) -> Iterator[str]:
    configurations = [trial.attributes.get("configuration") for trial in trials]
    # one that has none yet was only just made
    yield from _repeats("configuration", [c for c in configurations if c is not None])


def _repeats(what: str, values: Iterable[object]) -> Iterator[str]:
    for value, count in Counter(values).items():
        for _ in range(count - 1):
            yield f"{what} {value} is there more than once"


def _orphaned_epochs(database: Path) -> Iterator[str]:
    query = """
    SELECT trial, epoch FROM hpsearch_epochs
    WHERE role = 'search' AND trial NOT IN (SELECT number FROM trials)
    """
    with closing(open_read_only(database)) as connection:
        for trial, epoch in connection.execute(query):
            yield f"trial {trial} is not there, but has an epoch {epoch}"


def _wrong_epochs(trial: StoredTrial, *, max_epochs: int) -> Iterator[str]:
    """Gaps, epochs too few or too many, and where Optuna's table says something else than ours."""
    label = f"trial {trial.number}"
    num_expected = max_epochs if trial.state == "COMPLETE" else max(trial.epochs, default=0)
    for epoch in sorted({*range(1, num_expected + 1), *trial.epochs, *trial.reported}):
        if epoch not in trial.epochs:
            yield f"{label}: epoch {epoch} is missing"
        elif epoch > max_epochs:
            yield f"{label}: epoch {epoch} is beyond its end"
        elif epoch not in trial.reported:
            # while a trial is running, its newest epoch may be in our table only
            if trial.state != "RUNNING" or epoch != num_expected:
                yield f"{label}: epoch {epoch} is missing in Optuna's table"
        elif trial.reported[epoch] != trial.epochs[epoch]:
            yield (
                f"{label}: epoch {epoch} has {trial.reported[epoch]} in Optuna's table, "
                f"{trial.epochs[epoch]} in ours"
            )
    if trial.state == "COMPLETE" and trial.value != max(trial.epochs.values(), default=None):
        yield f"{label}: its value is {trial.value}, which is not that of its best epoch"


def replay_sample(study: Study, count: int) -> Iterator[str]:
    """Train the trials that were begun most often again, and name the epochs that differ."""
    url = study.home.database_url
    with closing(open_database(url, create=False)) as database:
        record = StudyRecord.of(database, study.name)
        for trial in _most_disturbed(record)[:count]:
            replay = replay_trial(
                record, trial, data_dir=study.folder, home=study.home, device="cpu"
            )
            for difference in replay.differences:
                yield (
                    f"trial {trial}: epoch {difference.epoch} has {difference.figure} "
                    f"{difference.recorded}, undisturbed {difference.replayed}"
                )
            if not replay.exact or replay.is_same != (not replay.differences):
                yield f"trial {trial}: the undisturbed training cannot be compared with it"


def _most_disturbed(record: StudyRecord) -> list[int]:
    starts = Counter(start.key.trial for start in record.starts(role="search"))
    return [trial for trial, _ in starts.most_common()]
