"""A user's own data set: described once, its test images sealed, its parts opened one by one.

    info = describe_own("folder:flowers", OwnImages(size=(64, 64)), folder=Path("studies"))
    training = open_train(info)

Where the data have no test part, a share of each class is sealed before anything else is done with
them, by a seed that is part of the data set's definition. Opening a part finds its files and
labels; pixels are decoded when they are asked for, those of a part that is not opened never.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hpsearch.catalogue import (
    CHANNELS,
    DatasetInfo,
    OwnData,
    OwnKind,
    own_name,
    parse_own,
    title_of,
)
from hpsearch.data.arrays import open_idx, open_npz
from hpsearch.data.folder import open_folder
from hpsearch.data.parts import Indices, Labels, Opened, Selection
from hpsearch.errors import DataError
from hpsearch.studytables import OwnImages
from hpsearch.text import one_line

_SEED = 0  # part of the data set's definition: the sealed images never change
_LEFT = 2  # images of each class that are not sealed, to be trained on and to be held out

_OPENERS = {"folder": open_folder, "npz": open_npz, "idx": open_idx}


class Sealed(NamedTuple):
    """Which images of a data set without a test part are for the test."""

    train: Indices
    test: Indices


def seal(labels: Labels, *, share: float) -> Sealed:
    """A share of each class, at least one image, for the test; two or more are left of three.

    NumPy promises that `RandomState` gives the same numbers in every version.
    """
    random = np.random.RandomState(_SEED)
    test = []
    for label in range(int(labels.max()) + 1):
        own = np.flatnonzero(labels == label)
        assert len(own) > _LEFT, "a class that is too small was refused"
        num = min(max(1, round(share * len(own))), len(own) - _LEFT)
        test.append(random.permutation(own)[:num])
    sealed = np.sort(np.concatenate(test))
    return Sealed(np.setdiff1d(np.arange(len(labels)), sealed), sealed)


def describe_own(name: str, settings: OwnImages, *, folder: Path) -> DatasetInfo:
    """Find out what there is to know of a data set; no pixel is decoded.

    Args:
        name: `folder:PATH`, `npz:PATH` or `idx:PATH`.
        settings: how its images are to be brought to the networks' input.
        folder: where a relative path begins.

    Raises:
        DataError: there is nothing, or not what it should be.
    """
    full = own_name(name, folder=folder)
    parsed = parse_own(full)
    assert parsed is not None
    kind, path = parsed
    opened = _open(kind, path)
    channels, size = _channels_and_size(opened, settings)
    own = OwnData(kind, path, settings.size, settings.test, is_sealed=opened.test is None)
    return DatasetInfo(
        name=full,
        title=title_of(path),
        image_shape=(channels, *size),
        class_names=opened.class_names,
        num_train=len(_train(opened, own).indices),
        num_test=len(_test_labels(opened, own)),
        own=own,
    )


def _open(kind: OwnKind, path: Path) -> Opened:
    if not os.path.exists(path):
        raise DataError(f"there is no {one_line(str(path))}")
    return _OPENERS[kind](path)


def _channels_and_size(opened: Opened, settings: OwnImages) -> tuple[int, tuple[int, int]]:
    surveys = [part.survey() for part in (opened.train, opened.test) if part is not None]
    colour = any(survey.has_colour for survey in surveys)
    channels = CHANNELS[settings.channels or ("colour" if colour else "grey")]
    if settings.size is not None:
        return channels, settings.size
    sizes = {size: first for survey in surveys for size, first in survey.sizes.items()}
    if len(sizes) > 1:
        (one, two), (first, second) = list(sizes)[:2], list(sizes.values())[:2]
        raise DataError(
            f"images have different sizes: {one_line(first)} is {one[0]} x {one[1]}, "
            f"{one_line(second)} is {two[0]} x {two[1]}; choose one with [data] size"
        )
    return channels, next(iter(sizes))


def open_train(info: DatasetInfo) -> Selection:
    """The images that may be trained on.

    Raises:
        DataError: the data are gone, or not what was described.
    """
    assert info.own is not None
    opened = _opened_again(info, info.own)
    return _train(opened, info.own)


def open_test(info: DatasetInfo) -> Selection:
    """The held-out test images; only for `files.read_test`, a test sees to it.

    Raises:
        DataError: as `open_train`.
    """
    assert info.own is not None
    opened = _opened_again(info, info.own)
    if opened.test is not None:
        return Selection(opened.test, np.arange(len(opened.test.labels)))
    return Selection(opened.train, _seal(opened, info.own).test)


def count_test(info: DatasetInfo) -> list[int]:
    """How many test images there are of each class, from the labels alone."""
    assert info.own is not None
    labels = _test_labels(_opened_again(info, info.own), info.own)
    return [int(count) for count in np.bincount(labels, minlength=info.num_classes)]


def is_there(info: DatasetInfo) -> bool:
    """Whether there is anything where the data were."""
    assert info.own is not None
    return os.path.exists(info.own.path)


def fingerprint_own(info: DatasetInfo) -> str:
    """16 hexadecimal digits over what is trained on; the same wherever the data are."""
    selection = open_train(info)
    facts = [info.own and info.own.kind, info.image_shape, info.class_names]
    digest = hashlib.sha256(json.dumps(facts).encode())
    digest.update(selection.labels.tobytes())
    for content in selection.raw():
        digest.update(content)
    return digest.hexdigest()[:16]


def _opened_again(info: DatasetInfo, own: OwnData) -> Opened:
    opened = _open(own.kind, own.path)
    train, test = len(_train(opened, own).indices), len(_test_labels(opened, own))
    then = (info.class_names, info.num_train, info.num_test, own.is_sealed)
    if (opened.class_names, train, test, opened.test is None) != then:
        raise DataError(
            f"{one_line(str(own.path))} is not what it was: {len(opened.class_names)} classes, "
            f"{train:,} training and {test:,} test images instead of {info.num_classes}, "
            f"{info.num_train:,} and {info.num_test:,}, or other names"
        )
    return opened


def _train(opened: Opened, own: OwnData) -> Selection:
    if opened.test is None:
        return Selection(opened.train, _seal(opened, own).train)
    return Selection(opened.train, np.arange(len(opened.train.labels)))


def _test_labels(opened: Opened, own: OwnData) -> Labels:
    if opened.test is None:
        return opened.train.labels[_seal(opened, own).test]
    return opened.test.labels


def _seal(opened: Opened, own: OwnData) -> Sealed:
    labels = opened.train.labels
    counts = np.bincount(labels)
    if counts.min() <= _LEFT:
        rare = int(counts.argmin())
        raise DataError(
            f"class {opened.class_names[rare]!r} of {one_line(str(own.path))} has too few "
            f"images, {counts[rare]}; {_LEFT + 1} are needed to train, to validate and to test"
        )
    return seal(labels, share=own.test_share)
