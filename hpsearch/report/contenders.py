"""What can be compared: tested networks, several of one kind together, as a contender.

    found = load_contenders(database, ["cnn-fashion", "d4-mlps:2x128"], home=home)
    for contender in found.contenders:
        ...

A contender is the tested winner of a search, its newest reading of the test set, or a configuration
of a fixed set, `STUDY:CONFIGURATION`, whose trials are tested one by one. Its networks differ by
their seed alone. Nothing is read but the database and the outputs that were kept (`predictions`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from hpsearch.catalogue import dataset_of
from hpsearch.data.files import Labels
from hpsearch.errors import DataError, NothingToShowError, UnknownStudyError, UserError
from hpsearch.fixedset import CONFIGURATION, SEED
from hpsearch.home import Home
from hpsearch.predictions import load_predictions
from hpsearch.records import Role, TrainingKey, images_per_second, sample_std
from hpsearch.report.status import carry_on, document_of
from hpsearch.storage.database import Database
from hpsearch.storage.record import Evaluation, StudyRecord, TestReading

# of a fixed set: in its document, and in its trials' parameters
CONFIGURATIONS = "configurations"


@dataclass(frozen=True)
class Answers:
    """What a network answered on the test set, in the test set's order."""

    labels: Labels  # (N,) true classes
    predicted: Labels  # (N,) the class it took each image for


@dataclass(frozen=True)
class Network:
    """One trained and tested network."""

    seed: int  # which of its contender's, from 0
    evaluation: Evaluation
    answers: Answers | str  # a text says why they are not there
    images_per_s: float  # of its training


@dataclass(frozen=True)
class Spread:
    """A figure over a contender's networks."""

    mean: float
    std: float | None  # the sample standard deviation; None for a single network


@dataclass(frozen=True)
class Contender:
    """Networks of one configuration, alike but for their seeds."""

    label: str  # STUDY, or STUDY:CONFIGURATION
    study: str
    configuration: str | None  # its name in a fixed set
    dataset: str
    class_names: tuple[str, ...]  # in label order
    networks: tuple[Network, ...]  # by seed, at least one

    @cached_property
    def accuracy(self) -> Spread:
        """On the test set."""
        return _spread(network.evaluation.accuracy for network in self.networks)

    @cached_property
    def loss(self) -> Spread:
        """On the test set: mean cross-entropy, nats."""
        return _spread(network.evaluation.loss for network in self.networks)

    @property
    def train_seconds(self) -> float:
        """Of training, the mean of its networks."""
        return _spread(network.evaluation.train_seconds for network in self.networks).mean

    @property
    def images_per_s(self) -> float:
        """Images trained on a second, the mean of its networks."""
        return _spread(network.images_per_s for network in self.networks).mean

    @property
    def num_parameters(self) -> int:
        """Trainable ones of each network."""
        return self.networks[0].evaluation.num_parameters

    @property
    def representative(self) -> Network:
        """The network of median accuracy; of an even number the lower of the middle two."""
        ranked = sorted(self.networks, key=lambda n: (n.evaluation.accuracy, n.seed))
        return ranked[(len(ranked) - 1) // 2]

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """(classes, classes): of the images of a class (row), the share taken for each (column).

        The mean over the networks; a class without test images has shares of 0.
        """
        counts = np.array([network.evaluation.confusion for network in self.networks], np.float64)
        totals = counts.sum(axis=2, keepdims=True)
        shares: NDArray[np.float64] = (counts / np.maximum(totals, 1)).mean(axis=0)
        return shares


class Found(NamedTuple):
    """What was asked for, and what of it has nothing to compare yet."""

    contenders: list[Contender]
    untested: list[str]  # configurations of sets that were named as a whole


def load_contenders(database: Database, names: Sequence[str], *, home: Home) -> Found:
    """The contenders of these names; a fixed set's stands for all of its configurations.

    Raises:
        UnknownStudyError: there is no such study, or it has no such configuration.
        NothingToShowError: one has not been tested yet.
        UserError: fewer than two contenders, or one twice.
    """
    found = [load_contender(database, name, home=home) for name in names]
    contenders = [contender for part in found for contender in part.contenders]
    labels = [contender.label for contender in contenders]
    for label in labels:
        if labels.count(label) > 1:
            raise UserError(f"{label!r} is named twice; a contender is not compared with itself")
    if len(contenders) < 2:
        raise UserError(
            f"{', '.join(labels)} is one contender only; name at least two, or a fixed set with "
            "two tested configurations (`hpsearch studies` lists the studies)"
        )
    return Found(contenders, [label for part in found for label in part.untested])


def load_contender(database: Database, name: str, *, home: Home) -> Found:
    """What one name stands for.

    Raises:
        UserError: as `load_contenders`, but for their number.
    """
    study, colon, configuration = name.partition(":")  # no study's name has a colon
    record = StudyRecord.of(database, study)
    known = document_of(record).get(CONFIGURATIONS)
    if known is None:
        if colon:
            raise UnknownStudyError(
                f"{name!r}: study {study!r} is a search, it has no configurations to name"
            )
        return Found([_winner(record, home=home)], [])
    if colon and configuration not in known:
        raise UnknownStudyError(
            f"{study!r} has no configuration {configuration!r}; {_near(configuration, known)}"
        )
    return _configurations(record, [configuration] if colon else list(known), home=home)


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=3, cutoff=0.4)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"


def _winner(record: StudyRecord, *, home: Home) -> Contender:
    reading = record.last_reading()
    if reading is None:
        raise NothingToShowError(
            f"study {record.name!r} has not been tested yet; "
            f"`hpsearch test --study {record.name}` does it"
        )
    return _contender(record, None, _networks(record, reading, role="winner", home=home))


def _configurations(record: StudyRecord, wanted: list[str], *, home: Home) -> Found:
    """Those configurations of a fixed set, and which of them have no tested network."""
    parts = _networks_by_configuration(record, wanted, home=home)
    contenders = [_contender(record, name, parts[name]) for name in wanted if parts[name]]
    untested = [f"{record.name}:{name}" for name in wanted if not parts[name]]
    if not contenders:
        what = f"configuration {untested[0]!r}" if len(wanted) == 1 else f"study {record.name!r}"
        does_it = _way_to_test(record, wanted)
        raise NothingToShowError(f"{what} has not been tested yet; `{does_it}` does it")
    return Found(contenders, untested)


def _way_to_test(record: StudyRecord, wanted: list[str]) -> str:
    """The command that tests some configurations, or trains them first."""
    complete = record.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if any(trial.params.get(CONFIGURATION) in wanted for trial in complete):
        return f"hpsearch test --study {record.name}"
    return carry_on(record) or f"hpsearch run --study {record.name}"


def _networks_by_configuration(
    record: StudyRecord, wanted: list[str], *, home: Home
) -> dict[str, list[Network]]:
    trials = record.study.get_trials(deepcopy=False)
    newest = {reading.trial: reading for reading in record.readings()}
    parts: dict[str, list[Network]] = {name: [] for name in wanted}
    for number, reading in sorted(newest.items()):
        params = trials[number].params
        if params[CONFIGURATION] in parts:
            parts[params[CONFIGURATION]] += _networks(
                record, reading, role="search", home=home, seed=int(params[SEED])
            )
    return parts


def _contender(
    record: StudyRecord, configuration: str | None, networks: Iterable[Network]
) -> Contender:
    dataset = dataset_of(document_of(record))
    return Contender(
        label=record.name if configuration is None else f"{record.name}:{configuration}",
        study=record.name,
        configuration=configuration,
        dataset=dataset.name,
        class_names=dataset.class_names,
        networks=tuple(sorted(networks, key=lambda network: network.seed)),
    )


def _networks(
    record: StudyRecord,
    reading: TestReading,
    *,
    role: Role,
    home: Home,
    seed: int | None = None,
) -> Iterator[Network]:
    """A reading's networks, numbered by their own seeds or by the one that is given."""
    kept: dict[int, Answers] = {}
    missing = ""
    try:
        kept = _answers(record, reading, home=home)
    except DataError as error:
        missing = f"{error}; `hpsearch test --study {record.name} --again` would keep the answers"
    for evaluation in reading.evaluations:
        key = TrainingKey(role, reading.trial, evaluation.seed)
        yield Network(
            seed=evaluation.seed if seed is None else seed,
            evaluation=evaluation,
            answers=kept.get(evaluation.seed, missing),
            images_per_s=images_per_second(record.epochs(key)),
        )


def _answers(record: StudyRecord, reading: TestReading, *, home: Home) -> dict[int, Answers]:
    """What was kept of a reading, by seed, which must be of its evaluations."""
    path = home.predictions(record.name, reading.id)
    predictions = load_predictions(path)
    for evaluation in reading.evaluations:
        logits = predictions.logits.get(evaluation.seed)
        shape = (int(np.sum(evaluation.confusion)), len(evaluation.confusion))
        if logits is None or logits.shape != shape or predictions.labels.shape != shape[:1]:
            raise DataError(
                f"{path} is not the test's of study {record.name!r}: outputs of shape {shape} "
                f"for seed {evaluation.seed} are missing in it"
            )
    return {
        seed: Answers(predictions.labels, logits.argmax(1))
        for seed, logits in predictions.logits.items()
    }


def _spread(values: Iterable[float]) -> Spread:
    figures = list(values)
    return Spread(float(np.mean(figures)), sample_std(figures))
