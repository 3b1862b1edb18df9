"""What is known of each data set before any file is opened: its shape, classes and files.

Pure data, so that a study file can be checked without importing PyTorch. Loading is `data.files`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hpsearch.errors import DataError


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
