"""A data set of twenty tiny images in torchvision's layout, and the digits ready to train on."""

import hashlib
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpsearch.catalogue import (
    DATASETS,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    DatasetInfo,
)
from hpsearch.data.training_set import TrainingSet, prepare_training_set
from hpsearch.studytables import Training

TRAIN_PIXELS = np.arange(20 * 16, dtype=np.uint16).astype(np.uint8).reshape(20, 4, 4)
TRAIN_CLASSES = np.arange(20, dtype=np.uint8) % 2
TEST_PIXELS = 255 - TRAIN_PIXELS[:10]
TEST_CLASSES = TRAIN_CLASSES[:10]


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """An IDX file as http://yann.lecun.com/exdb/mnist describes it; 0x08 is unsigned byte."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


TINY_FILES = {
    TRAIN_IMAGES: idx_bytes(TRAIN_PIXELS),
    TRAIN_LABELS: idx_bytes(TRAIN_CLASSES),
    TEST_IMAGES: idx_bytes(TEST_PIXELS),
    TEST_LABELS: idx_bytes(TEST_CLASSES),
}
TINY = DatasetInfo(
    name="tiny",
    title="Tiny",
    image_shape=(1, 4, 4),
    class_names=("even", "odd"),
    num_train=20,
    num_test=10,
    folder="MNIST",
    md5={name: hashlib.md5(content).hexdigest() for name, content in TINY_FILES.items()},
)


def write_tiny(data_dir: Path) -> Path:
    """Write the four files into their folder and return it."""
    folder = data_dir / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, content in TINY_FILES.items():
        (folder / name).write_bytes(content)
    return folder


def prepare_digits(cache: Path, *, subset: int | None = 200) -> TrainingSet:
    """The digits, or some of them: a fifth held out."""
    training = Training(validation=0.2, seed=0, subset=subset)
    return prepare_training_set(DATASETS["digits"], training, data_dir=cache, cache=cache)
