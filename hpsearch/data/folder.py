"""A folder of images, one folder a class: `PATH/CLASS/*` or `PATH/train/CLASS/*` with `PATH/test`.

Class names and files are taken in the order of their names' characters, the same on every machine.
Hidden files and those that commonly lie beside images (`Thumbs.db`, `*.txt`, ...) are passed over;
anything else that is not an image is named and refused, for it may be one that is missing.
"""

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from hpsearch.data.images import read_header, read_pixels
from hpsearch.data.parts import Images, Indices, Labels, Opened, Survey, images_a_chunk
from hpsearch.errors import DataError
from hpsearch.text import one_line

_BESIDE_IMAGES = frozenset(
    (".csv", ".db", ".html", ".ini", ".json", ".log", ".md", ".txt", ".xml", ".yaml", ".yml")
)


@dataclass(frozen=True)
class FilesPart:
    """Image files with their labels."""

    files: tuple[Path, ...]
    labels: Labels

    def survey(self) -> Survey:
        """See `parts.Part`."""
        sizes: dict[tuple[int, int], str] = {}
        has_colour = False
        for path in self.files:
            header = read_header(path)
            sizes.setdefault((header.height, header.width), str(path))
            has_colour |= not header.is_grey
        return Survey(sizes, has_colour)

    def raw(self, indices: Indices) -> Iterator[bytes]:
        """See `parts.Part`."""
        for index in indices:
            content = _content(self.files[index])
            yield len(content).to_bytes(8, "big")  # so that no two files are like two others
            yield content

    def decode(self, indices: Indices, *, shape: tuple[int, int, int]) -> Iterator[Images]:
        """See `parts.Part`."""
        step = images_a_chunk(prod(shape))
        for start in range(0, len(indices), step):
            chunk = indices[start : start + step]
            yield np.stack([read_pixels(self.files[index], shape=shape) for index in chunk])


def open_folder(path: Path) -> Opened:
    """The classes and files of a folder.

    Raises:
        DataError: it is not a folder of at least two folders of images.
    """
    if not os.path.isdir(path):
        raise DataError(f"{_name(path)} is not a folder")
    entries = {entry.name: Path(entry) for entry in _entries(path)}
    parts = [name for name in ("train", "test") if name in entries and _has_folders(entries[name])]
    if not parts:
        class_names = _class_names(path)
        return Opened(class_names, _part(path, class_names), None)
    if "train" not in parts:
        raise DataError(f"{_name(path)} has a folder test of classes, but no folder train")
    for name, entry in entries.items():
        if name not in parts:
            raise DataError(
                f"{_name(entry)} is neither train nor test; validation images are held out of "
                "train, so move it there or take it away"
            )
    class_names = _class_names(path / "train")
    train = _part(path / "train", class_names)
    return Opened(class_names, train, _test_part(path / "test", class_names, path=path))


def _test_part(folder: Path, class_names: tuple[str, ...], *, path: Path) -> FilesPart | None:
    if not os.path.isdir(folder):
        return None
    differing = set(_class_names(folder)) ^ set(class_names)
    if differing:
        name = min(differing)
        there, missing = ("train", "test") if name in class_names else ("test", "train")
        raise DataError(f"{_name(path)}: class {name!r} is in {there}, but not in {missing}")
    return _part(folder, class_names)


def _class_names(folder: Path) -> tuple[str, ...]:
    names = []
    for entry in _entries(folder):
        if not entry.is_dir():
            raise DataError(f"{_name(Path(entry))} is in no class; every class is a folder")
        names.append(entry.name)
    names.sort()
    if len(names) < 2:
        what = f"one class only, {names[0]!r}" if names else "no folder in it"
        raise DataError(f"{_name(folder)} has {what}; a folder for each of two classes or more")
    seen: dict[str, str] = {}
    for name in names:
        if not name.isprintable():
            raise DataError(f"{_name(folder)}: the class name {name!r} cannot be printed")
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise DataError(
                f"{_name(folder)}: the classes {other!r} and {name!r} differ in case only; "
                "rename one, or put their images together"
            )
    return tuple(names)


def _part(folder: Path, class_names: tuple[str, ...]) -> FilesPart:
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
        found = _image_files(folder / name)
        files += found
        labels += [label] * len(found)
    return FilesPart(tuple(files), np.array(labels, np.int64))


def _image_files(folder: Path) -> list[Path]:
    paths = []
    for entry in _entries(folder):
        if entry.is_dir():
            raise DataError(f"{_name(Path(entry))} is a folder within a class; flatten it")
        if not entry.is_file():
            raise DataError(f"{_name(Path(entry))} is not a file")
        paths.append(Path(entry))
    if not paths:
        raise DataError(f"class {_name(folder)} has no image")
    return sorted(paths)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, without what is hidden or commonly lies beside images."""
    try:
        with os.scandir(folder) as entries:
            return [e for e in entries if not is_passed_over(e.name, is_folder=e.is_dir())]
    except OSError as error:
        raise DataError(f"{_name(folder)} cannot be read: {error.strerror}") from None


def is_passed_over(name: str, *, is_folder: bool) -> bool:
    """Whether what has this name is hidden, or is a file that commonly lies beside images."""
    is_beside = not is_folder and os.path.splitext(name)[1].lower() in _BESIDE_IMAGES
    return name.startswith(".") or is_beside


def _has_folders(path: Path) -> bool:
    return os.path.isdir(path) and any(entry.is_dir() for entry in _entries(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{_name(path)} cannot be read: {error.strerror}") from None


def _name(path: Path) -> str:
    return one_line(str(path))
