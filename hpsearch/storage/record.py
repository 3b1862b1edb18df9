"""The record of one study: what is written while it runs, and read to show it.

Only the search loop and `evaluate` write; every read is a plain query, so that commands and tests
see what the database holds and nothing else.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, select, update

from hpsearch.errors import UnknownStudyError
from hpsearch.records import EpochMetrics, Objective, Role, TrainingKey, is_maximized
from hpsearch.space import Scalar
from hpsearch.storage.database import Database, utc_now
from hpsearch.storage.tables import epochs, evaluations, readings, runs, starts, trainings

# attributes on Optuna's study and trials, so that any Optuna tool shows them
DOCUMENT = "hpsearch:document"
FINGERPRINT = "hpsearch:fingerprint"  # of the document when it was made: the last to be written
SPLIT = "hpsearch:split"
MODEL_CODE = "hpsearch:model-code"  # of own models: function to SHA-256
FAILURES = "hpsearch:failures"  # of trainings after the search: which one to outcome and reason
OUTCOME = "outcome"
REASON = "reason"
CONFIGURATION = "configuration"

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def is_duplicate(trial: FrozenTrial) -> bool:
    """Whether a trial only repeated a configuration; such a one was neither trained nor counted."""
    return trial.user_attrs.get(OUTCOME) == "duplicate"


def num_finished(study: optuna.Study) -> int:
    """Trials that count towards the budget: complete, pruned and failed, without the repeats."""
    trials = study.get_trials(deepcopy=False, states=FINISHED)
    return sum(not is_duplicate(trial) for trial in trials)


@dataclass(frozen=True)
class FinishedTraining:
    """A training that ran to its end."""

    key: TrainingKey
    configuration: dict[str, Any]
    seed_value: int
    num_parameters: int
    finished: datetime


@dataclass(frozen=True)
class Start:
    """A training begun or continued by a worker."""

    key: TrainingKey
    run: int | None  # that it was in
    method: str  # str(records.Method)
    device: str
    epoch: int  # the first that was trained from then on, counted from 1
    started: datetime


@dataclass(frozen=True)
class Evaluation:
    """The winner's result on the test set with one of its seeds."""

    seed: int
    accuracy: float
    loss: float
    classes: dict[str, dict[str, float]]  # per class: precision, recall, f1, support
    confusion: list[list[int]]  # rows: true class; columns: predicted
    epochs: int
    train_seconds: float
    num_parameters: int
    weights: str
    # the mean of the classes' recalls; None where an older hpsearch tested
    balanced_accuracy: float | None = None


@dataclass(frozen=True)
class TestReading:
    """One finished reading of the test set."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    id: int
    trial: int
    finished: datetime
    evaluations: tuple[Evaluation, ...]


@dataclass(frozen=True)
class Run:
    """One start of `hpsearch run`."""

    id: int
    started: datetime
    last_alive: datetime
    environment: dict[str, Any]


class StudyRecord:
    """One study's rows in our tables, beside the Optuna study itself."""

    def __init__(self, database: Database, study: optuna.Study) -> None:
        self.database = database
        self.study = study
        self.study_id: int = study._study_id

    @classmethod
    def of(cls, database: Database, name: str) -> "StudyRecord":
        """The record of a stored study that hpsearch made.

        Raises:
            UnknownStudyError: there is none of that name.
        """
        study = database.load_study(name)
        if DOCUMENT not in study.user_attrs:
            raise UnknownStudyError(f"study {name!r} was not made by hpsearch")
        return cls(database, database.study_in_memory(name))

    def forget_namesake(self) -> None:
        """Remove what a deleted study left that had this one's number: SQLite gives it again."""
        with self.database.engine.begin() as connection:
            ours = select(readings.c.id).where(readings.c.study_id == self.study_id)
            connection.execute(delete(evaluations).where(evaluations.c.reading_id.in_(ours)))
            for table in (readings, epochs, starts, trainings, runs):
                connection.execute(delete(table).filter_by(study_id=self.study_id))

    @property
    def name(self) -> str:
        """The study's name."""
        return self.study.study_name

    def add_epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        """Record a finished epoch."""
        with self.database.engine.begin() as connection:
            connection.execute(insert(epochs).values(**self._columns(key), **asdict(metrics)))

    def epochs(self, key: TrainingKey) -> list[EpochMetrics]:
        """The recorded epochs of one training, in order."""
        wanted = (epochs.c.role == key.role, epochs.c.trial == key.trial, epochs.c.seed == key.seed)
        return self._query_epochs(*wanted).get(key, [])

    def all_epochs(self, *, role: Role) -> dict[TrainingKey, list[EpochMetrics]]:
        """The recorded epochs of every training in a role."""
        return self._query_epochs(epochs.c.role == role)

    def _query_epochs(self, *wanted: ColumnElement[bool]) -> dict[TrainingKey, list[EpochMetrics]]:
        query = (
            select(epochs)
            .where(epochs.c.study_id == self.study_id, *wanted)
            .order_by(epochs.c.trial, epochs.c.seed, epochs.c.epoch)
        )
        found: dict[TrainingKey, list[EpochMetrics]] = {}
        with self.database.engine.connect() as connection:
            for row in connection.execute(query):
                columns = dict(row._mapping)
                del columns["study_id"]
                key = TrainingKey(columns.pop("role"), columns.pop("trial"), columns.pop("seed"))
                found.setdefault(key, []).append(EpochMetrics(**columns))
        return found

    def add_start(self, key: TrainingKey, *, method: str, device: str, epoch: int) -> None:
        """Record that a worker of the newest run begins or continues a training."""
        run = select(func.max(runs.c.id)).where(runs.c.study_id == self.study_id)
        values = {"run": run.scalar_subquery(), "started": utc_now()}
        facts = {"method": method, "device": device, "epoch": epoch}
        self._insert(starts, {**self._columns(key), **facts, **values})

    def starts(self, *, role: Role) -> list[Start]:
        """The starts of every training in a role, oldest first."""
        return self._query_starts(starts.c.role == role)

    def last_start(self, key: TrainingKey) -> Start | None:
        """The newest start of a training; None if an older hpsearch kept none."""
        wanted = (starts.c.role == key.role, starts.c.trial == key.trial, starts.c.seed == key.seed)
        return next(reversed(self._query_starts(*wanted)), None)

    def _query_starts(self, *wanted: ColumnElement[bool]) -> list[Start]:
        query = (
            select(starts).where(starts.c.study_id == self.study_id, *wanted).order_by(starts.c.id)
        )
        with self.database.engine.connect() as connection:
            return [
                Start(
                    TrainingKey(row.role, row.trial, row.seed),
                    row.run,
                    row.method,
                    row.device,
                    row.epoch,
                    row.started,
                )
                for row in connection.execute(query)
            ]

    def add_training(self, training: FinishedTraining) -> None:
        """Record that a training ran to its end; a run killed just after may do so again."""
        columns = asdict(training)
        del columns["key"]
        key = self._columns(training.key)
        with self.database.engine.begin() as connection:
            connection.execute(delete(trainings).filter_by(**key))
            connection.execute(insert(trainings).values(**key, **columns))

    def note_failure(self, key: TrainingKey, reason: str) -> None:
        """Keep why a training after the search failed; an empty reason: it does no longer."""
        failures = self.failures()
        before = failures.pop(_in_words(key), "")
        if reason:
            failures[_in_words(key)] = reason
        if reason != before:
            self.study.set_user_attr(FAILURES, failures)

    def failures(self) -> dict[str, str]:
        """The trainings after the search whose last try failed, in words, each with its reason."""
        return dict(self.study.user_attrs.get(FAILURES, {}))

    def trainings(self, *, role: Role) -> dict[TrainingKey, FinishedTraining]:
        """The finished trainings in a role."""
        query = select(trainings).where(
            trainings.c.study_id == self.study_id, trainings.c.role == role
        )
        found: dict[TrainingKey, FinishedTraining] = {}
        with self.database.engine.connect() as connection:
            for row in connection.execute(query):
                key = TrainingKey(row.role, row.trial, row.seed)
                found[key] = FinishedTraining(
                    key,
                    row.configuration,
                    row.seed_value,
                    row.num_parameters,
                    row.finished,
                )
        return found

    def finished(self) -> set[TrainingKey]:
        """The trainings that are over: trials that have ended, finalists and winners."""
        trials = self.study.get_trials(deepcopy=False, states=FINISHED)
        return {
            *(TrainingKey("search", trial.number) for trial in trials),
            *self.trainings(role="finalist"),
            *self.trainings(role="winner"),
        }

    def start_reading(self, trial: int) -> int:
        """Record that the test set is about to be read, before it is; returns the reading's id."""
        values = {"study_id": self.study_id, "trial": trial, "started": utc_now()}
        return self._insert(readings, values)

    def finish_reading(self, reading: int, results: list[Evaluation]) -> None:
        """Record what a reading found, all seeds or none."""
        with self.database.engine.begin() as connection:
            for result in results:
                connection.execute(insert(evaluations).values(reading_id=reading, **asdict(result)))
            connection.execute(
                update(readings).where(readings.c.id == reading).values(finished=utc_now())
            )

    def num_readings(self) -> int:
        """How often the test set was opened for this study."""
        query = select(func.count()).where(readings.c.study_id == self.study_id)
        with self.database.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def last_reading(self) -> TestReading | None:
        """The newest finished reading."""
        found = self.readings()
        return found[-1] if found else None

    def readings(self) -> list[TestReading]:
        """Every finished reading, oldest first."""
        query = (
            select(readings)
            .where(readings.c.study_id == self.study_id, readings.c.finished.is_not(None))
            .order_by(readings.c.id)
        )
        with self.database.engine.connect() as connection:
            found = connection.execute(query).all()
            results = _evaluations(connection, [row.id for row in found])
        return [TestReading(r.id, r.trial, r.finished, tuple(results[r.id])) for r in found]

    def start_run(self, environment: dict[str, Any]) -> int:
        """Record the start of a run and what it runs with; returns the run's id."""
        now = utc_now()
        times = {"started": now, "last_alive": now}
        return self._insert(runs, {"study_id": self.study_id, "environment": environment, **times})

    def renew_run(self, run: int) -> None:
        """Record that a run still lives."""
        with self.database.engine.begin() as connection:
            connection.execute(update(runs).where(runs.c.id == run).values(last_alive=utc_now()))

    def runs(self) -> list[Run]:
        """Every run, oldest first."""
        query = select(runs).where(runs.c.study_id == self.study_id).order_by(runs.c.id)
        with self.database.engine.connect() as connection:
            return [
                Run(row.id, row.started, row.last_alive, row.environment)
                for row in connection.execute(query)
            ]

    def _insert(self, table: Table, values: dict[str, Any]) -> int:
        """Insert a row into a table with a numbered `id`, and return its number."""
        statement = insert(table).values(values).returning(table.c.id)
        with self.database.engine.begin() as connection:
            return int(connection.execute(statement).scalar_one())

    def _columns(self, key: TrainingKey) -> dict[str, Any]:
        return {"study_id": self.study_id, **asdict(key)}


def _evaluations(connection: Connection, of: list[int]) -> dict[int, list[Evaluation]]:
    """The evaluations of some readings, by seed."""
    query = select(evaluations).where(evaluations.c.reading_id.in_(of)).order_by(evaluations.c.seed)
    results: dict[int, list[Evaluation]] = {reading: [] for reading in of}
    for row in connection.execute(query):
        columns = dict(row._mapping)
        del columns["id"]
        results[columns.pop("reading_id")].append(Evaluation(**columns))
    return results


def rank_trials(record: StudyRecord, *, objective: Objective) -> list[FrozenTrial]:
    """The complete trials, best first; of equal ones the earlier."""
    trials = record.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    sign = -1 if is_maximized(objective) else 1
    trained = [trial for trial in trials if not is_duplicate(trial) and trial.value is not None]
    return sorted(trained, key=lambda trial: (sign * (trial.value or 0.0), trial.number))


def trials_to_test(record: StudyRecord, *, again: bool) -> dict[int, dict[str, Scalar]]:
    """The complete trials of a fixed set, with their parameters, by number.

    Those that have a test result are left out, unless they are to be tested `again`.
    """
    trials = record.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    tested = set() if again else {reading.trial for reading in record.readings()}
    return {t.number: dict(t.params) for t in trials if t.number not in tested}


def _in_words(key: TrainingKey) -> str:
    return f"{key.role}, trial {key.trial}, seed {key.seed}"
