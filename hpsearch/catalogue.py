"""What is known of each data set before any file is opened: its shape, classes and files.

Pure data, so that a study file can be checked without importing PyTorch. Loading is `data.files`.
A user's own data set is described by `data.own`, once; its description is kept in the study's
document, from which `dataset_of` takes it again, wherever the files are by then.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from hpsearch.errors import DataError

OwnKind = Literal["folder", "npz", "idx"]
Channels = Literal["grey", "colour"]
CHANNELS: Mapping[str, int] = MappingProxyType({"grey": 1, "colour": 3})
OWN_NAMES = tuple(f"{kind}:PATH" for kind in get_args(OwnKind))

# the key of a study's document under which the description of its own data set is kept
FOUND = "found"


@dataclass(frozen=True)
class OwnData:
    """Where a user's own images are, and how they are brought to the networks' input."""

    kind: OwnKind
    path: Path  # absolute
    size: tuple[int, int] | None  # height and width that all are resized to; None: as they are
    test_share: float  # of each class, where the data have no test part of their own
    is_sealed: bool  # whether the test images are such a share


@dataclass(frozen=True)
class DatasetInfo:
    """One data set that a study file may name."""

    name: str
    title: str
    image_shape: tuple[int, int, int]  # channels, height, width
    class_names: tuple[str, ...]
    num_train: int
    num_test: int
    folder: str | None = None  # torchvision's folder and class name; None: ships with scikit-learn
    # MD5 of the uncompressed IDX files; a file without an entry is checked by its header only
    md5: Mapping[str, str] = field(default_factory=dict)
    own: OwnData | None = None  # of a user's own data set

    @property
    def file_stem(self) -> str:
        """The name as files have it."""
        return self.name if self.own is None else re.sub(r"[^A-Za-z0-9_-]", "_", self.title)

    @property
    def num_classes(self) -> int:
        """The number of classes, the width of a network's output."""
        return len(self.class_names)


TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"

_DIGITS = tuple("0123456789")
_SHAPE = (1, 28, 28)

DATASETS: Mapping[str, DatasetInfo] = MappingProxyType(
    {
        info.name: info
        for info in (
            DatasetInfo(
                name="mnist",
                title="MNIST",
                image_shape=_SHAPE,
                class_names=_DIGITS,
                num_train=60_000,
                num_test=10_000,
                folder="MNIST",
                md5={
                    TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
                    TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
                    TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
                    TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
                },
            ),
            DatasetInfo(
                name="fashion-mnist",
                title="Fashion-MNIST",
                image_shape=_SHAPE,
                class_names=(
                    "T-shirt/top",
                    "Trouser",
                    "Pullover",
                    "Dress",
                    "Coat",
                    "Sandal",
                    "Shirt",
                    "Sneaker",
                    "Bag",
                    "Ankle boot",
                ),
                num_train=60_000,
                num_test=10_000,
                folder="FashionMNIST",
                md5={
                    TRAIN_IMAGES: "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                    TRAIN_LABELS: "9018921c3c673c538a1fc5bad174d6f9",
                    TEST_IMAGES: "8181f5470baa50b63fa0f6fddb340f0a",
                    TEST_LABELS: "15d484375f8d13e6eb1aabb0c3f46965",
                },
            ),
            DatasetInfo(
                name="kmnist",
                title="Kuzushiji-MNIST",
                image_shape=_SHAPE,
                class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
                num_train=60_000,
                num_test=10_000,
                folder="KMNIST",
            ),
            # Kept at its own 8 x 8 pixels: enlarging would invent pixels and cost twelve times the
            # work. scikit-learn names no test set: 360 of the 1,797 images are sealed (data.files).
            DatasetInfo(
                name="digits",
                title="scikit-learn digits",
                image_shape=(1, 8, 8),
                class_names=_DIGITS,
                num_train=1_437,
                num_test=360,
            ),
        )
    }
)


def dataset_info(name: str) -> DatasetInfo:
    """The data set of this name.

    Raises:
        DataError: there is none.
    """
    if name not in DATASETS:
        raise DataError(f"no data set {name!r}; there are {', '.join(DATASETS)}")
    return DATASETS[name]


def parse_own(name: str) -> tuple[OwnKind, Path] | None:
    """Kind and path of `folder:PATH`, `npz:PATH` or `idx:PATH`; None for any other name.

    Raises:
        DataError: the path is empty.
    """
    for kind in get_args(OwnKind):
        if name.startswith(f"{kind}:"):
            path = name.removeprefix(f"{kind}:")
            if not path or "\0" in path:
                raise DataError(f"{name!r} has no path; write {kind}:PATH")
            return kind, Path(path)
    return None


def own_name(name: str, *, folder: Path) -> str:
    """The name with an absolute path; a relative one begins at `folder`."""
    parsed = parse_own(name)
    assert parsed is not None
    kind, path = parsed
    return f"{kind}:{os.path.abspath(folder / path.expanduser())}"


def title_of(path: Path) -> str:
    """What a data set of one's own is called: its folder's name, or its file's without `.npz`."""
    return path.stem if path.suffix == ".npz" else path.name or str(path)


def found_of(info: DatasetInfo) -> dict[str, Any]:
    """What was found out about own data, as JSON can hold it: `dataset_of` reads it again."""
    assert info.own is not None
    return {
        "image_shape": list(info.image_shape),
        "class_names": list(info.class_names),
        "num_train": info.num_train,
        "num_test": info.num_test,
        "is_sealed": info.own.is_sealed,
    }


def dataset_of(document: Mapping[str, Any]) -> DatasetInfo:
    """The data set of a study, from the document that was stored with it; no file is opened.

    Raises:
        DataError: there is none of that name.
    """
    name = document["dataset"]
    own = parse_own(name)
    if own is None:
        return dataset_info(name)
    (kind, path), settings, found = own, document["data"], document[FOUND]
    channels, height, width = found["image_shape"]
    size = settings["size"]
    return DatasetInfo(
        name=name,
        title=title_of(path),
        image_shape=(channels, height, width),
        class_names=tuple(found["class_names"]),
        num_train=found["num_train"],
        num_test=found["num_test"],
        own=OwnData(
            kind=kind,
            path=path,
            size=None if size is None else (height, width),
            test_share=settings["test"],
            is_sealed=found["is_sealed"],
        ),
    )
