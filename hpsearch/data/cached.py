"""Decoded arrays on the disk, each with its SHA-256 beside it; a damaged one counts as none."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpsearch.data.parts import Images
from hpsearch.home import atomic_path


def is_whole(path: Path) -> bool:
    """Whether an array is there as it was written."""
    try:
        return _sum_file(path).read_text(encoding="ascii") == _digest(path)
    except (OSError, UnicodeDecodeError):
        return False


def save_array(path: Path, array: NDArray[np.uint8] | NDArray[np.int64]) -> None:
    """Write an array whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
    _keep_sum(path)


def save_chunks(path: Path, shape: tuple[int, ...], chunks: Iterable[Images]) -> None:
    """An array of bytes written piece by piece.

    Through a memory map a full disk would end the process instead of raising an error.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        num = 0
        for chunk in chunks:
            file.write(chunk.tobytes())
            num += len(chunk)
        assert num == shape[0], "the data were counted before"
    _keep_sum(path)


def _keep_sum(path: Path) -> None:
    with atomic_path(_sum_file(path)) as temporary:
        temporary.write_text(_digest(path), encoding="ascii")


def _sum_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
