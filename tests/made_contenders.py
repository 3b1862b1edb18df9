"""Tested studies made by hand: records and kept outputs of networks that never were."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import optuna
import torch
from numpy.typing import ArrayLike, NDArray
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import create_trial

from hpsearch.catalogue import DATASETS
from hpsearch.data.files import Labels
from hpsearch.home import Home
from hpsearch.measures import measure
from hpsearch.predictions import Logits, Predictions, missed, save_predictions
from hpsearch.records import EpochMetrics, Role, TrainingKey
from hpsearch.storage.database import Database
from hpsearch.storage.record import DOCUMENT, Evaluation, StudyRecord

LABELS: Labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])


def add_search(
    database: Database,
    home: Home,
    name: str,
    predicted: Sequence[ArrayLike],
    *,
    dataset: str = "digits",
    labels: Labels = LABELS,
) -> StudyRecord:
    """A search whose winner's networks, one a seed, took the test images for these classes.

    Without any it has not been tested.
    """
    record = _new_study(database, name, {"dataset": dataset})
    if predicted:
        add_reading(record, home, 3, dict(enumerate(predicted)), role="winner", labels=labels)
    return record


def add_fixed_set(
    database: Database, home: Home, name: str, predicted: Mapping[str, Sequence[ArrayLike]]
) -> StudyRecord:
    """A fixed set; every seed of every configuration is a trial with a reading of its own."""
    tables: dict[str, Any] = {configuration: {} for configuration in predicted}
    record = _new_study(database, name, {"dataset": "digits", "configurations": tables})
    distributions = {
        "configuration": CategoricalDistribution(tuple(predicted)),
        "seed": IntDistribution(0, 9),
    }
    jobs = sorted((k, c, p) for c, parts in predicted.items() for k, p in enumerate(parts))
    for number, (seed, configuration, answers) in enumerate(jobs):
        params = {"configuration": configuration, "seed": seed}
        trial = create_trial(params=params, distributions=distributions, value=0.5)
        record.study.add_trial(trial)
        add_reading(record, home, number, {0: answers}, role="search")
    return record


def _new_study(database: Database, name: str, document: dict[str, Any]) -> StudyRecord:
    study = optuna.create_study(study_name=name, storage=database.storage, direction="maximize")
    study.set_user_attr(DOCUMENT, document)
    return StudyRecord(database, study)


def add_reading(
    record: StudyRecord,
    home: Home,
    trial: int,
    predicted: Mapping[int, ArrayLike],
    *,
    role: Role,
    labels: Labels = LABELS,
    trained: bool = False,
) -> None:
    """A trial's networks by seed: two epochs each, a finished reading, and the outputs of it.

    Those that are `trained` have their epochs already.
    """
    names = DATASETS[record.study.user_attrs[DOCUMENT]["dataset"]].class_names
    logits = {seed: one_hot(answers, len(names)) for seed, answers in predicted.items()}
    results = []
    for seed, outputs in logits.items():
        for number in () if trained else (1, 2):  # 100 images in 1 s, 100 in 4 s
            metrics = EpochMetrics(number, 0.5, 0.5, None, None, 0.1, number**2, 100 / number**2)
            record.add_epoch(TrainingKey(role, trial, seed), metrics)
        result = measure(torch.from_numpy(outputs), torch.from_numpy(labels), class_names=names)
        results.append(Evaluation(seed, **asdict(result), epochs=2, train_seconds=5.0 + seed,
                                  num_parameters=610, weights="w"))  # fmt: skip
    reading = record.start_reading(trial)
    wrong = missed(labels, logits)
    images = np.zeros((len(wrong), 1, 8, 8), np.uint8)
    path = home.predictions(record.name, reading)
    save_predictions(path, Predictions(labels, logits, wrong, images))
    record.finish_reading(reading, results)


def one_hot(predicted: ArrayLike, num_classes: int) -> Logits:
    """Outputs that are largest for the given classes."""
    outputs: NDArray[np.float32] = np.eye(num_classes, dtype=np.float32)[np.asarray(predicted)]
    return outputs
