"""Images and labels as arrays: a NumPy archive by Keras' names, or the four IDX files of MNIST.

The images are read in chunks from where they lie, compressed or not, and never all at once. No
pickle is loaded.
"""

import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpsearch.catalogue import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from hpsearch.data.images import flatten, to_pixels
from hpsearch.data.parts import Images, Indices, Labels, Opened, Survey, images_a_chunk
from hpsearch.errors import DataError
from hpsearch.text import one_line

_IDX_HEADERS = {"images": (0x803, 4), "labels": (0x801, 2)}  # magic number, 32-bit numbers
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# RuntimeError: an archive with a password; NotImplementedError: of another compression
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class ArrayPart:
    """Images in one array, (N, H, W) or (N, H, W, C) uint8, with their labels."""

    where: str  # for people
    shape: tuple[int, ...]
    labels: Labels
    pixels: Callable[[], AbstractContextManager[IO[bytes]]]  # a file that stands at the first pixel

    def survey(self) -> Survey:
        """See `parts.Part`."""
        height, width = self.shape[1:3]
        return Survey({(height, width): self.where}, self.shape[3:] == (3,))

    def raw(self, indices: Indices) -> Iterator[bytes]:
        """See `parts.Part`."""
        for rows in self._rows(indices):
            yield rows.tobytes()

    def decode(self, indices: Indices, *, shape: tuple[int, int, int]) -> Iterator[Images]:
        """See `parts.Part`."""
        for rows in self._rows(indices):
            images = rows[:, np.newaxis] if rows.ndim == 3 else np.moveaxis(rows, -1, 1)
            if images.shape[1:] == shape:
                yield np.ascontiguousarray(images)
            else:
                yield np.stack([_fit(image, shape) for image in images])

    def _rows(self, indices: Indices) -> Iterator[NDArray[np.uint8]]:
        """Those rows of the array, some at a time; the file is read once, from front to end."""
        row_bytes = prod(self.shape[1:])
        step = images_a_chunk(row_bytes)
        with self.pixels() as file:
            for start in range(0, self.shape[0], step):
                num = min(step, self.shape[0] - start)
                content = file.read(num * row_bytes)
                if len(content) < num * row_bytes:
                    raise DataError(f"{self.where} is cut off")
                rows = np.frombuffer(content, np.uint8).reshape(num, *self.shape[1:])
                wanted = indices[slice(*np.searchsorted(indices, [start, start + num]))] - start
                if len(wanted):
                    yield rows[wanted]


def _fit(image: Images, shape: tuple[int, int, int]) -> Images:
    from PIL import Image

    opened = Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1).copy())
    return to_pixels(flatten(opened, channels=shape[0]), shape=shape)


def open_npz(path: Path) -> Opened:
    """A NumPy archive with x_train, y_train and, if there are any, x_test, y_test, class_names.

    Raises:
        DataError: it is not one, or an array is not as it should be.
    """
    with _damage_told(path):
        if not zipfile.is_zipfile(path):
            raise DataError(f"{_name(path)} is not a NumPy archive, as np.savez writes it")
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
        train, test = (_npz_part(path, names, part) for part in ("train", "test"))
        if train is None:
            raise DataError(f"{_name(path)} has no x_train; it has {', '.join(sorted(names))}")
        given = _npz_class_names(path) if "class_names" in names else None
    return _opened(path, train, test, given)


def _npz_part(path: Path, names: set[str], part: str) -> ArrayPart | None:
    x, y = f"x_{part}", f"y_{part}"
    if not {x, y} & names:
        return None
    for name in (x, y):
        if name not in names:
            raise DataError(f"{_name(path)} has {x if name == y else y}, but no {name}")
    images, labels = _npy_header(path, x), _npy_header(path, y)
    where = f"{x} of {_name(path)}"
    if images.dtype != np.uint8:
        raise DataError(
            f"{where} has {_kind(images.dtype)}; whole numbers of 8 bits, 0 to 255, are wanted "
            "(uint8)"
        )
    _check_shape(images.shape, where)
    if images.is_fortran:
        raise DataError(f"{where} is in Fortran's order; save np.ascontiguousarray of it")
    where_labels = f"{y} of {_name(path)}"
    if labels.dtype.kind not in "iu":
        raise DataError(
            f"{where_labels} has {_kind(labels.dtype)}; labels are whole numbers from 0"
        )
    if labels.shape not in ((images.shape[0],), (images.shape[0], 1)):
        raise DataError(
            f"{where_labels} has shape {labels.shape}; one label for each of the "
            f"{images.shape[0]:,} images is wanted"
        )
    return ArrayPart(where, images.shape, _labels(_npz_array(path, y), where_labels), _npy(path, x))


def _npz_class_names(path: Path) -> tuple[str, ...]:
    header, where = _npy_header(path, "class_names"), f"class_names of {_name(path)}"
    if header.dtype.kind != "U" or len(header.shape) != 1:
        raise DataError(f"{where} is not a list of texts, but {_kind(header.dtype)}")
    names = tuple(str(name) for name in _npz_array(path, "class_names"))
    if len(set(names)) < len(names) or not all(name and name.isprintable() for name in names):
        raise DataError(f"{where} has a name twice, or one that is empty or cannot be printed")
    return names


class _ArrayHeader(NamedTuple):
    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[np.generic]


def _npy_header(path: Path, name: str) -> _ArrayHeader:
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        return _read_npy_header(file)


def _read_npy_header(file: IO[bytes]) -> _ArrayHeader:
    version = np.lib.format.read_magic(file)
    if version not in _NPY_HEADERS:
        raise ValueError(f"version {version} of NumPy's format")
    return _ArrayHeader(*_NPY_HEADERS[version](file))


def _npy(path: Path, name: str) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        with (
            _damage_told(path),
            zipfile.ZipFile(path) as archive,
            archive.open(f"{name}.npy") as file,
        ):
            _read_npy_header(file)
            yield file

    return opened


def _npz_array(path: Path, name: str) -> NDArray[np.generic]:
    with np.load(path, allow_pickle=False) as archive:
        array: NDArray[np.generic] = archive[name]
        return array


def _kind(dtype: np.dtype[np.generic]) -> str:
    return "Python objects" if dtype.hasobject else f"numbers of type {dtype}"


def open_idx(path: Path) -> Opened:
    """A folder with MNIST's four files, or with those two for training.

    Raises:
        DataError: a file is missing, or not as it should be.
    """
    if not os.path.isdir(path):
        raise DataError(f"{_name(path)} is not a folder")
    train = _idx_part(path, TRAIN_IMAGES, TRAIN_LABELS)
    if train is None:
        hint = "; unpack the .gz files" if any(path.glob("*.gz")) else ""
        raise DataError(f"{_name(path)} has no {TRAIN_IMAGES} and {TRAIN_LABELS}{hint}")
    return _opened(path, train, _idx_part(path, TEST_IMAGES, TEST_LABELS), None)


def _idx_part(folder: Path, images: str, labels: str) -> ArrayPart | None:
    there = [name for name in (images, labels) if os.path.isfile(folder / name)]
    if not there:
        return None
    if len(there) == 1:
        raise DataError(f"{_name(folder)} has {there[0]}, but not its other half")
    with _damage_told(folder):
        shape = _idx_shape(folder / images, "images")
        (num_labels,) = _idx_shape(folder / labels, "labels")
        where = _name(folder / images)
        _check_shape(shape, where)
        if num_labels != shape[0]:
            raise DataError(f"{where} has {shape[0]:,} images, and {labels} {num_labels:,} labels")
        found = np.fromfile(folder / labels, np.uint8, offset=8)
        return ArrayPart(where, shape, found.astype(np.int64), _idx_pixels(folder / images))


def _idx_shape(path: Path, what: str) -> tuple[int, ...]:
    magic, num = _IDX_HEADERS[what]
    with path.open("rb") as file:
        header = file.read(4 * num)
    numbers = struct.unpack(f">{num}I", header) if len(header) == 4 * num else (0,)
    if numbers[0] != magic:
        raise DataError(f"{_name(path)} is not an IDX file of {what} in 8 bits")
    size, wanted = path.stat().st_size, 4 * num + prod(numbers[1:])
    if size != wanted:
        raise DataError(f"{_name(path)} has {size:,} bytes, not {wanted:,} as its header says")
    return numbers[1:]


def _idx_pixels(path: Path) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        with _damage_told(path), path.open("rb") as file:
            file.seek(16)
            yield file

    return opened


def _check_shape(shape: tuple[int, ...], where: str) -> None:
    if 0 in shape:
        raise DataError(f"{where} has shape {shape}, and so no pixel")
    if not (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3))):
        raise DataError(
            f"{where} has shape {shape}; (images, height, width) is wanted, or (images, height, "
            "width, channels) with 1 or 3 channels"
        )


def _labels(array: NDArray[np.generic], where: str) -> Labels:
    if array.dtype.kind == "i" and array.size and int(array.min()) < 0:
        raise DataError(f"{where} has the label {array.min()}; labels are whole numbers from 0")
    return array.reshape(-1).astype(np.int64)


def _opened(
    path: Path, train: ArrayPart, test: ArrayPart | None, given: tuple[str, ...] | None
) -> Opened:
    """Check labels against each other and against the class names."""
    present = np.unique(train.labels)
    wanted = len(present) if given is None else len(given)
    for label in range(wanted):
        if label >= len(present) or present[label] != label:
            raise DataError(
                f"{_name(path)}: there is no training image of label {label}, but of "
                f"{present[-1]}; {_are(wanted, given)}"
            )
    if test is not None and test.labels.max() >= wanted:
        raise DataError(
            f"{_name(path)}: there is a test image of label {test.labels.max()}; "
            f"{_are(wanted, given)}"
        )
    if len(present) > wanted:
        raise DataError(
            f"{_name(path)}: there is a training image of label {present[wanted]}; "
            f"{_are(wanted, given)}"
        )
    if wanted < 2:
        raise DataError(f"{_name(path)} has one class only; two or more are wanted")
    if test is not None and test.shape[1:] != train.shape[1:]:
        raise DataError(
            f"{_name(path)}: the test images are {test.shape[1:]}, those for training "
            f"{train.shape[1:]}"
        )
    return Opened(given or tuple(str(label) for label in range(wanted)), train, test)


def _are(num: int, given: tuple[str, ...] | None) -> str:
    why = "" if given is None else f", as there are {num} class names"
    return f"labels are 0 to {num - 1} without a gap{why}"


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{_name(path)} cannot be read: {error.strerror or error}") from None
    except (*_DAMAGE, ValueError) as error:
        raise DataError(f"{_name(path)} is damaged: {one_line(str(error))}") from None


def _name(path: Path) -> str:
    return one_line(str(path))
