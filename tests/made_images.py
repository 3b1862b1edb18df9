"""Small image data sets of one's own: folders, archives and IDX files, made for a test."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from made_data import idx_bytes
from numpy.typing import NDArray
from PIL import Image

from hpsearch.catalogue import DatasetInfo
from hpsearch.data.own import describe_own
from hpsearch.studytables import OwnImages


def colours(num: int, *, seed: int = 0, size: tuple[int, int] = (6, 5)) -> NDArray[np.uint8]:
    """Images (num, height, width, 3) that are all different."""
    return np.random.default_rng(seed).integers(0, 256, (num, *size, 3), dtype=np.uint8)


def write_folder(path: Path, counts: Mapping[str, int], *, seed: int = 0) -> Path:
    """PNG files `path/CLASS/NUMBER.png` in colour, all different."""
    for place, (name, num) in enumerate(counts.items()):
        (path / name).mkdir(parents=True)
        for number, pixels in enumerate(colours(num, seed=seed * 100 + place)):
            Image.fromarray(pixels).save(path / name / f"{number:04}.png")
    return path


def write_npz(path: Path, **arrays: object) -> Path:
    """An archive of ten training images a class of two, unless an array is given instead."""
    usual = {"x_train": colours(20), "y_train": np.arange(20) % 2}
    given = {**usual, **arrays}
    np.savez(path, **{name: array for name, array in given.items() if array is not None})
    return path


def write_idx(folder: Path, **arrays: NDArray[np.uint8]) -> Path:
    """Files by MNIST's names: of train_images, train_labels, t10k_images, t10k_labels."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        part, what = name.split("_")
        (folder / f"{part}-{what}-idx{array.ndim}-ubyte").write_bytes(idx_bytes(array))
    return folder


def described(name: str, **settings: object) -> DatasetInfo:
    """What is found at an absolute path."""
    return describe_own(name, OwnImages.model_validate(settings), folder=Path("/"))
