"""What a data set holds: its classes counted, its training pixels measured."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpsearch.catalogue import DatasetInfo
from hpsearch.data.files import Images, Labels, count_test_classes
from hpsearch.data.training_set import split_indices
from hpsearch.studytables import Training

_CHUNK = 4096  # images counted at a time


@dataclass(frozen=True)
class ClassCount:
    """The images of one class in each part."""

    label: int
    name: str
    train: int  # without those held out for validation
    validation: int
    test: int


@dataclass(frozen=True)
class PixelStatistics:
    """One channel of all training images, validation included: levels from 0 to 255."""

    channel: int
    min: int
    max: int
    mean: float
    std: float  # over all pixels, dividing by their number
    scaled_mean: float  # of levels divided by 255, as networks see them
    scaled_std: float
    zero_share: float  # of pixels at level 0


@dataclass(frozen=True)
class DatasetSummary:
    """A data set under one split."""

    name: str
    title: str
    image_shape: tuple[int, int, int]
    validation: float  # the share held out
    seed: int  # of the split
    subset: int | None  # so many training images only
    classes: tuple[ClassCount, ...]
    pixels: tuple[PixelStatistics, ...]  # by channel


def summarize_dataset(
    info: DatasetInfo, training: Training, images: Images, labels: Labels, *, data_dir: Path
) -> DatasetSummary:
    """Count and measure; of the test set only the labels are looked at.

    Args:
        info: the data set, whose files must have been checked.
        training: the protocol that splits the training set.
        images: (N, C, H, W) uint8, the whole training set.
        labels: (N,) int64.
        data_dir: where the test labels are.

    Raises:
        DataError: too few images for the split.
    """
    split = split_indices(labels, training)
    train, validation = Counter(labels[split.train]), Counter(labels[split.validation])
    test = count_test_classes(info, data_dir=data_dir)
    return DatasetSummary(
        name=info.name,
        title=info.title,
        image_shape=info.image_shape,
        validation=training.validation,
        seed=training.seed,
        subset=training.subset,
        classes=tuple(
            ClassCount(label, name, train[label], validation[label], test[label])
            for label, name in enumerate(info.class_names)
        ),
        pixels=tuple(
            measure_pixels(images[:, channel], channel=channel)
            for channel in range(images.shape[1])
        ),
    )


def measure_pixels(levels: NDArray[np.uint8], *, channel: int = 0) -> PixelStatistics:
    """The statistics of one channel, (N, H, W), exactly: from how often each level occurs."""
    counts = np.zeros(256, dtype=np.int64)
    for start in range(0, len(levels), _CHUNK):
        counts += np.bincount(levels[start : start + _CHUNK].ravel(), minlength=256)
    occurring = np.flatnonzero(counts)
    shares = counts / counts.sum()
    values = np.arange(256)
    mean = float(shares @ values)
    std = float(np.sqrt(shares @ (values - mean) ** 2))
    return PixelStatistics(
        channel=channel,
        min=int(occurring[0]),
        max=int(occurring[-1]),
        mean=mean,
        std=std,
        scaled_mean=mean / 255,
        scaled_std=std / 255,
        zero_share=float(shares[0]),
    )
