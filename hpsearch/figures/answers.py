"""What networks answered on the test set, as it was kept: the mistakes among it.

The probability of a class is the mean over seeds of the softmax of the outputs, and the answer is
the class of the highest. The test set itself is not opened: the images of what was not easy were
kept with the answers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from hpsearch.errors import DataError
from hpsearch.figures.confusion import NOT_TESTED
from hpsearch.figures.snapshot import Snapshot
from hpsearch.predictions import Predictions, load_predictions
from hpsearch.storage.record import TestReading

NO_IMAGES = (
    "The answers were kept by an older hpsearch, without the images; "
    "hpsearch test --again would read the test set once more and keep them."
)
NO_MISTAKES = "All test images were classified rightly."


class Mistake(NamedTuple):
    """A test image that the seeds together took for something else."""

    number: int  # in the test set, from 0
    true: int  # labels
    predicted: int
    probability: float  # of the predicted class
    true_probability: float
    image: NDArray[np.uint8]  # (C, H, W)


class Answers(NamedTuple):
    """The mistakes, the most confident first."""

    mistakes: list[Mistake]
    reason: str  # why there are none


def read_answers(snapshot: Snapshot, readings: Sequence[TestReading]) -> Answers:
    """Load what was kept of some readings of the test set, whose networks answer together."""
    if not readings:
        return Answers([], NOT_TESTED)
    try:
        kept = [
            load_predictions(snapshot.home.predictions(snapshot.name, reading.id))
            for reading in readings
        ]
    except DataError as error:
        return Answers([], f"The answers on the test set are not there: {error}.")
    return get_answers(_merged(kept))


def _merged(kept: Sequence[Predictions]) -> Predictions:
    """The answers of networks of different seeds as those of one reading."""
    images = {
        int(index): image
        for one in kept
        for index, image in zip(one.wrong, one.wrong_images, strict=True)
    }
    wrong = sorted(images)
    return Predictions(
        labels=kept[0].labels,
        logits=dict(enumerate(logits for one in kept for logits in one.logits.values())),
        wrong=np.array(wrong, np.int64),
        wrong_images=np.array([images[index] for index in wrong], np.uint8),
    )


def get_answers(predictions: Predictions) -> Answers:
    """The images that the mean over seeds gets wrong, sorted by its confidence."""
    if not predictions.logits:
        return Answers([], NOT_TESTED)
    outputs = [logits.astype(np.float64) for logits in predictions.logits.values()]
    probabilities = np.mean([softmax(logits, axis=1) for logits in outputs], axis=0)
    predicted = probabilities.argmax(1)
    wrong = np.flatnonzero(predicted != predictions.labels)
    if not len(wrong):
        return Answers([], NO_MISTAKES)
    if not len(predictions.wrong):
        return Answers([], NO_IMAGES)
    places = {int(index): place for place, index in enumerate(predictions.wrong)}
    mistakes = [
        Mistake(
            number=int(i),
            true=int(predictions.labels[i]),
            predicted=int(predicted[i]),
            probability=float(probabilities[i, predicted[i]]),
            true_probability=float(probabilities[i, predictions.labels[i]]),
            image=predictions.wrong_images[places[int(i)]],
        )
        for i in wrong
    ]
    return Answers(sorted(mistakes, key=lambda m: (-m.probability, m.number)), "")
