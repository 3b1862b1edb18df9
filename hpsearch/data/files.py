"""A data set's files: downloaded through torchvision, checked, decoded.

The sets of torchvision are uncompressed IDX files in `DATA_DIR/<Name>/raw`. Every file is checked
before use: by MD5 where it is known (MNIST, Fashion-MNIST), else by its header and size. What is a
user's own is found and checked by `data.own`.
"""

import contextlib
import hashlib
import os
import struct
import sys
import tempfile
from collections.abc import Iterator
from http.client import HTTPException
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpsearch.catalogue import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    DatasetInfo,
)
from hpsearch.data.own import count_test, fingerprint_own, is_there, open_test, open_train
from hpsearch.data.parts import Images as Images
from hpsearch.data.parts import Labels as Labels
from hpsearch.data.parts import Selection
from hpsearch.errors import DataError

_FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
_DIGITS_TEST_SHARE = 360  # images; a fifth
_DIGITS_SEED = 0  # part of the data set's definition: the sealed images never change
_MOST_IN_MEMORY = 2**28  # bytes of one's own images that are read whole; more go to a file


def raw_folder(info: DatasetInfo, *, data_dir: Path) -> Path:
    """Where torchvision keeps the files of this data set."""
    assert info.folder is not None
    return data_dir / info.folder / "raw"


def ensure_files(info: DatasetInfo, *, data_dir: Path) -> None:
    """Download what is missing and check all that is there.

    Raises:
        DataError: the download failed, or a file is not what it should be.
    """
    if info.own is not None:
        open_train(info)
    if info.folder is None:
        return
    folder = raw_folder(info, data_dir=data_dir)
    # os.path's answer is no where Path's is an error: a name too long, a folder closed to us
    if any(not os.path.exists(folder / name) for name in _FILES):
        _download(info, data_dir)
    for name in _FILES:
        check_file(info, folder / name)


def _download(info: DatasetInfo, data_dir: Path) -> None:
    from torchvision import datasets  # slow to import, and needed on a machine's first run only

    assert info.folder is not None
    folder = raw_folder(info, data_dir=data_dir)
    new = [path for path in (folder, folder.parent, data_dir) if not os.path.exists(path)]
    try:
        # torchvision prints its progress on stdout, which belongs to the command's result
        with contextlib.redirect_stdout(sys.stderr):
            getattr(datasets, info.folder)(str(data_dir), train=True, download=True)
    except (OSError, RuntimeError, HTTPException) as error:
        for path in new:  # made by the download and left empty
            if os.path.isdir(path) and not any(path.iterdir()):
                path.rmdir()
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{info.title} is not in {folder} and cannot be downloaded "
            f"({reason.rstrip(':')}); put {', '.join(_FILES)} there, "
            "or try a study that needs no download: --study cnn-digits"
        ) from None


def has_training_files(info: DatasetInfo, *, data_dir: Path) -> bool:
    """Whether the training images and labels are there, and what they should be; no download.

    Raises:
        DataError: a file is there and is not what it should be.
    """
    if info.own is not None:
        return is_there(info)
    if info.folder is None:
        return True
    paths = [raw_folder(info, data_dir=data_dir) / name for name in (TRAIN_IMAGES, TRAIN_LABELS)]
    if not all(os.path.exists(path) for path in paths):
        return False
    for path in paths:
        check_file(info, path)
    return True


def check_file(info: DatasetInfo, path: Path) -> None:
    """Check one IDX file.

    Raises:
        DataError: it is truncated, or another file than it should be.
    """
    remedy = "delete it and run `hpsearch data get " + info.name + "` to download it again"
    if not os.path.isfile(path):  # a pipe would never end
        raise DataError(f"{path} cannot be read: it is not a file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    expected = _expected_header(info, path.name)
    size = len(expected) + prod(struct.unpack(f">{len(expected) // 4 - 1}I", expected[4:]))
    if len(content) != size:
        raise DataError(f"{path} has {len(content):,} bytes, not {size:,}; {remedy}")
    if not content.startswith(expected):
        raise DataError(f"{path} is not the IDX file that it should be; {remedy}")
    if "labels" in path.name and max(content[len(expected) :]) >= info.num_classes:
        raise DataError(f"{path} has labels beyond {info.num_classes - 1}; {remedy}")
    md5 = info.md5.get(path.name)
    if md5 is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise DataError(f"{path} is damaged (its MD5 is not {md5}); {remedy}")


def _expected_header(info: DatasetInfo, name: str) -> bytes:
    """An IDX header: two zero bytes, type unsigned byte, dimensions and their sizes, big-endian."""
    num = info.num_train if name.startswith("train") else info.num_test
    sizes = (num, *info.image_shape[1:]) if "images" in name else (num,)
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, 8, len(sizes), *sizes)


def read_train(info: DatasetInfo, *, data_dir: Path) -> tuple[Images, Labels]:
    """The training images and labels; the files must have been checked."""
    if info.own is not None:
        return _read_own(info, open_train(info))
    return _read(info, data_dir, train=True)


def stream_train(info: DatasetInfo, *, data_dir: Path) -> tuple[Iterator[Images], Labels]:
    """The training images some at a time, never all of one's own in memory, and all labels.

    Raises:
        DataError: on the way, an image is broken.
    """
    if info.own is not None:
        selection = open_train(info)
        return selection.decode(shape=info.image_shape), selection.labels
    images, labels = read_train(info, data_dir=data_dir)
    return iter([images]), labels


def read_test(info: DatasetInfo, *, data_dir: Path) -> tuple[Images, Labels]:
    """The held-out test images and labels. Only `evaluate` may call this; a test sees to it."""
    if info.own is not None:
        return _read_own(info, open_test(info))
    return _read(info, data_dir, train=False)


def count_test_classes(info: DatasetInfo, *, data_dir: Path) -> list[int]:
    """How many test images there are of each class, from the labels alone: no image is read."""
    if info.own is not None:
        return count_test(info)
    if info.folder is None:
        return _count_digits_not_trained_on()
    labels = _read_idx(info, raw_folder(info, data_dir=data_dir) / TEST_LABELS)
    return [int(count) for count in np.bincount(labels, minlength=info.num_classes)]


def _count_digits_not_trained_on() -> list[int]:
    from sklearn.datasets import load_digits

    _, trained_on = _read_digits(train=True)
    return [int(count) for count in np.bincount(load_digits().target) - np.bincount(trained_on)]


def _read_own(info: DatasetInfo, selection: Selection) -> tuple[Images, Labels]:
    """The images of one's own in memory or, where they are many, in a file without a name."""
    shape = (len(selection.indices), *info.image_shape)
    if prod(shape) <= _MOST_IN_MEMORY:
        return np.concatenate(list(selection.decode(shape=info.image_shape))), selection.labels
    with tempfile.TemporaryFile() as file:
        for images in selection.decode(shape=info.image_shape):
            file.write(images.tobytes())
        file.flush()
        return np.memmap(file, np.uint8, "c", shape=shape), selection.labels


def _read(info: DatasetInfo, data_dir: Path, *, train: bool) -> tuple[Images, Labels]:
    if info.folder is None:
        return _read_digits(train=train)
    folder = raw_folder(info, data_dir=data_dir)
    images, labels = (TRAIN_IMAGES, TRAIN_LABELS) if train else (TEST_IMAGES, TEST_LABELS)
    pixels = _read_idx(info, folder / images).reshape(-1, *info.image_shape)
    return pixels, _read_idx(info, folder / labels).astype(np.int64)


def _read_idx(info: DatasetInfo, path: Path) -> NDArray[np.uint8]:
    """The checked file's own bytes; torchvision would prefer a processed copy, if there is one."""
    offset = len(_expected_header(info, path.name))
    return np.fromfile(path, dtype=np.uint8, offset=offset)


def _read_digits(*, train: bool) -> tuple[Images, Labels]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # 17 grey levels, 0 to 16
    parts = train_test_split(
        images[:, np.newaxis],
        digits.target.astype(np.int64),
        test_size=_DIGITS_TEST_SHARE,
        stratify=digits.target,
        random_state=_DIGITS_SEED,
    )
    return (parts[0], parts[2]) if train else (parts[1], parts[3])


def fingerprint_train(info: DatasetInfo, *, data_dir: Path) -> str:
    """16 hexadecimal digits over the training files; the same on every machine."""
    if info.own is not None:
        return fingerprint_own(info)
    if info.folder is None:
        images, labels = read_train(info, data_dir=data_dir)
        parts = [images.tobytes(), labels.tobytes()]
    else:
        folder = raw_folder(info, data_dir=data_dir)
        parts = [(folder / name).read_bytes() for name in (TRAIN_IMAGES, TRAIN_LABELS)]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]
