"""The training set of a study: decoded once, split, and left in files that every worker maps.

    training_set = prepare_training_set(info, training, data_dir=..., cache=home.cache)

A `TrainingSet` is four paths and some numbers, small enough for a message to a worker.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpsearch.catalogue import DatasetInfo
from hpsearch.data.cached import is_whole, save_array, save_chunks
from hpsearch.data.files import (
    Images,
    Labels,
    ensure_files,
    fingerprint_train,
    has_training_files,
    read_train,
    stream_train,
)
from hpsearch.errors import DataError
from hpsearch.studytables import Training

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Which images are trained on and which are held out, as sorted indices."""

    train: Indices
    validation: Indices


@dataclass(frozen=True)
class TrainingSet:
    """Where a worker finds what it trains on; all files are NumPy's .npy."""

    images: Path  # (N, C, H, W) uint8
    labels: Path  # (N,) int64
    train: Path  # indices, int64
    validation: Path
    fingerprint: str  # of the images, labels and split together
    image_shape: tuple[int, int, int]
    num_classes: int


def split_indices(labels: Labels, training: Training) -> Split:
    """A stratified, seeded split of the training set, or of a stratified subset of it.

    Raises:
        DataError: too few images for a share of every class on either side.
    """
    from sklearn.model_selection import train_test_split

    indices = np.arange(len(labels))
    try:
        if training.subset is not None and training.subset < len(labels):
            indices, _ = train_test_split(
                indices, train_size=training.subset, stratify=labels, random_state=training.seed
            )
        train, validation = train_test_split(
            indices,
            test_size=training.validation,
            stratify=labels[indices],
            random_state=training.seed,
        )
    except ValueError:  # in words of its own arguments
        subset = "" if training.subset is None else f" and training.subset = {training.subset}"
        raise DataError(
            f"training.validation = {training.validation:g}{subset} leave no image of some class "
            f"to train on or to validate on ({np.unique(labels).size} classes, "
            f"{len(labels):,} images)"
        ) from None
    return Split(np.sort(train), np.sort(validation))


def prepare_training_set(
    info: DatasetInfo, training: Training, *, data_dir: Path, cache: Path
) -> TrainingSet:
    """Check, decode and split a data set, or find that this was done before.

    Raises:
        DataError: the data set is missing, damaged or too small for the split, or there is no room
            on the disk for its images.
    """
    ensure_files(info, data_dir=data_dir)
    content = fingerprint_train(info, data_dir=data_dir)
    folder = cache / f"{info.file_stem}-{content}"
    images, labels = folder / "images.npy", folder / "labels.npy"
    if not (is_whole(images) and is_whole(labels)):
        _decode(info, training, images, labels, data_dir=data_dir)
    train, validation = (
        folder / _split_name(training) / f"{part}.npy" for part in ("train", "validation")
    )
    if not (is_whole(train) and is_whole(validation)):
        split = split_indices(np.load(labels), training)
        _check_classes(info, np.load(labels), split)
        save_array(train, split.train)
        save_array(validation, split.validation)
    return TrainingSet(
        images=images.absolute(),
        labels=labels.absolute(),
        train=train.absolute(),
        validation=validation.absolute(),
        fingerprint=_fingerprint(content, Split(np.load(train), np.load(validation))),
        image_shape=info.image_shape,
        num_classes=info.num_classes,
    )


def _decode(
    info: DatasetInfo, training: Training, images: Path, labels: Path, *, data_dir: Path
) -> None:
    """Write images and labels, a chunk of images at a time; nothing if they cannot be split."""
    shape = (info.num_train, *info.image_shape)
    chunks, classes = stream_train(info, data_dir=data_dir)
    if info.own is not None:
        _check_classes(info, classes, split_indices(classes, training))
    _check_room(shape, images)
    save_chunks(images, shape, chunks)
    save_array(labels, classes)


def _check_room(shape: tuple[int, ...], path: Path) -> None:
    existing = next(folder for folder in path.absolute().parents if os.path.exists(folder))
    needed, free = prod(shape), shutil.disk_usage(existing).free
    if needed > free:
        num, channels, height, width = shape
        raise DataError(
            f"{num:,} images of {channels} x {height} x {width} pixels need {needed / 1e9:,.2f} "
            f"GB, and {existing} has {free / 1e9:,.2f} GB left; choose a smaller [data] size, or "
            "another disk with --home"
        )


def _check_classes(info: DatasetInfo, labels: Labels, split: Split) -> None:
    """Refuse a split that leaves a class of one's own data untrained or unvalidated."""
    if info.own is None:
        return
    for part, indices in (
        ("trained on", split.train),
        ("held out for validation", split.validation),
    ):
        missing = np.setdiff1d(np.arange(info.num_classes), labels[indices])
        if len(missing):
            num = int((labels == missing[0]).sum())
            raise DataError(
                f"class {info.class_names[missing[0]]!r} has {num:,} training images, of which "
                f"none is {part}; give more of it, or a larger training.validation"
            )


def find_validation_set(
    info: DatasetInfo, training: Training, *, data_dir: Path, cache: Path, fingerprint: str
) -> tuple[Images, Labels]:
    """The validation images (N, C, H, W) and labels that a study had; nothing is written.

    Raises:
        DataError: neither the cache nor the data folder has the images of that fingerprint.
    """
    for labels in sorted(cache.glob(f"{info.file_stem}-*/labels.npy")):
        folder = labels.parent
        train, validation = (
            folder / _split_name(training) / f"{part}.npy" for part in ("train", "validation")
        )
        if all(map(is_whole, (train, validation, labels, folder / "images.npy"))):
            content = folder.name.removeprefix(f"{info.file_stem}-")
            split = Split(np.load(train), np.load(validation))
            if _fingerprint(content, split) == fingerprint:
                images = np.load(folder / "images.npy", mmap_mode="r")
                return images[split.validation], np.load(labels)[split.validation]
    if not has_training_files(info, data_dir=data_dir):
        if info.own is not None:
            raise DataError(f"there is no {info.own.path} any more")
        raise DataError(f"{info.title} is not in {data_dir}; `hpsearch data get {info.name}`")
    pixels, classes = read_train(info, data_dir=data_dir)
    split = split_indices(classes, training)
    if _fingerprint(fingerprint_train(info, data_dir=data_dir), split) != fingerprint:
        where = info.name if info.own is not None else f"{info.title} in {data_dir}"
        raise DataError(f"{where} is not what the study was trained on")
    return pixels[split.validation], classes[split.validation]


def _split_name(training: Training) -> str:
    return f"split-{training.seed}-{training.validation}-{training.subset or 'all'}"


def _fingerprint(content: str, split: Split) -> str:
    """16 hexadecimal digits over images, labels and split."""
    digest = hashlib.sha256(content.encode())
    for indices in (split.train, split.validation):
        digest.update(indices.tobytes())
    return digest.hexdigest()[:16]
