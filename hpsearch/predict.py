"""Classify images with a trained network.

    found = classify(classifier, images)  # (N, C, H, W) uint8 -> one Prediction an image

Reading files is `pictures`; loading the network, `trained`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hpsearch.data.files import Images
from hpsearch.data.tensors import scale_pixels
from hpsearch.data.training_set import find_validation_set
from hpsearch.errors import DataError
from hpsearch.home import Home
from hpsearch.pictures import Preparation, Unreadable, drawn_share, ground_level, look_inverted
from hpsearch.report.status import stored_spec
from hpsearch.storage.record import SPLIT, StudyRecord
from hpsearch.trained import Classifier

_BATCH = 512  # images
_COMPARED = 200  # validation images that say how the training images look


@dataclass(frozen=True)
class Prediction:
    """What a network takes one image for."""

    image: str  # its file
    label: str  # the likeliest class
    probability: float
    probabilities: dict[str, float]  # of every class, in label order; they add up to 1

    def likeliest(self, count: int) -> list[tuple[str, float]]:
        """The first classes by probability."""
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])
        return ranked[:count]


def classify(classifier: Classifier, images: Images, *, names: Iterable[str]) -> list[Prediction]:
    """Classify images, the mean of the seeds' probabilities deciding.

    Args:
        classifier: the network or networks.
        images: (N, C, H, W) uint8, of the network's own C, H and W.
        names: of the images.
    """
    shares = probabilities(classifier, images)
    return [
        _prediction(name, row, classifier.class_names)
        for name, row in zip(names, shares.tolist(), strict=True)
    ]


def probabilities(classifier: Classifier, images: Images) -> NDArray[np.float64]:
    """The probability of every class for every image, (N, classes).

    Args:
        classifier: the network or networks.
        images: (N, C, H, W) uint8.
    """
    if not len(images):
        return np.zeros((0, len(classifier.class_names)))
    with torch.inference_mode():
        batches = torch.split(torch.from_numpy(np.ascontiguousarray(images)), _BATCH)
        logits = torch.cat([classifier(scale_pixels(batch)) for batch in batches])
        shares: NDArray[np.float64] = logits.double().softmax(1).numpy()
    return shares


def _prediction(name: str, row: list[float], class_names: tuple[str, ...]) -> Prediction:
    shares = dict(zip(class_names, row, strict=True))
    label = max(shares, key=shares.__getitem__)
    return Prediction(name, label, shares[label], shares)


@dataclass(frozen=True)
class Answers:
    """What became of many pictures."""

    predictions: list[Prediction]  # in the pictures' order, without those that are none
    unreadable: list[Unreadable]
    ground_levels: list[float]  # of the images, see `pictures.ground_level`


def classify_all(
    classifier: Classifier, pictures: Iterable[tuple[str, Images | Unreadable]]
) -> Answers:
    """Classify pictures as they come in, some hundred at a time."""
    answers = Answers([], [], [])
    names: list[str] = []
    images: list[Images] = []
    for name, picture in pictures:
        if isinstance(picture, Unreadable):
            answers.unreadable.append(picture)
            continue
        names.append(name)
        images.append(picture)
        answers.ground_levels.append(ground_level(picture))
        if len(images) == _BATCH:
            answers.predictions.extend(classify(classifier, np.stack(images), names=names))
            names, images = [], []
    if images:
        answers.predictions.extend(classify(classifier, np.stack(images), names=names))
    return answers


def describe_network(classifier: Classifier) -> str:
    """Whose answer it is, in words."""
    seeds = ", ".join(map(str, classifier.seeds))
    if len(classifier.seeds) == 1:
        who = f"the network of seed {seeds}"
    else:
        who = f"the mean probability of the networks of seeds {seeds}"
    return f"{who}, trial {classifier.trial} of {classifier.study}"


def prepare_for(
    classifier: Classifier, trained_on: Images | None, *, invert: bool, crop: bool
) -> Preparation:
    """How pictures are brought to a network's input; cut so that they fill it as its own did.

    Raises:
        DataError: they are to be cut, and the training images are not at hand.
    """
    if not crop:
        return Preparation(classifier.image_shape, invert=invert)
    if trained_on is None:
        raise DataError("--crop goes by the training images, which are not at hand (--data-dir)")
    return Preparation(classifier.image_shape, invert=invert, crop=drawn_share(trained_on))


def find_training_images(record: StudyRecord, *, home: Home, data_dir: Path) -> Images | None:
    """Some of a study's validation images, (N, C, H, W), to see how its images look; no download.

    None where they are not at hand.
    """
    spec = stored_spec(record)
    try:
        images, _ = find_validation_set(
            spec.dataset,
            spec.training,
            data_dir=data_dir,
            cache=home.cache,
            fingerprint=record.study.user_attrs.get(SPLIT, ""),
        )
    except DataError:
        return None
    return images[:_COMPARED]


def look_inverted_beside(answers: Answers, trained_on: Images | None) -> bool:
    """Whether light and dark look exchanged since the training; no where nobody can say."""
    if not answers.ground_levels or trained_on is None:
        return False
    return look_inverted(answers.ground_levels, [ground_level(image) for image in trained_on])
