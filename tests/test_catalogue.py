import hashlib
from pathlib import Path

import pytest
import torchvision.datasets
from sklearn.datasets import load_digits

from hpsearch.catalogue import DATASETS, dataset_info
from hpsearch.errors import DataError


def test_the_data_sets_are_those_of_the_issue() -> None:
    assert list(DATASETS) == ["mnist", "fashion-mnist", "kmnist", "digits"]
    assert all(info.name == name for name, info in DATASETS.items())


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist"])
def test_torchvision_knows_the_data_set_by_its_folder(name: str) -> None:
    info = dataset_info(name)
    assert info.folder is not None
    assert issubclass(getattr(torchvision.datasets, info.folder), torchvision.datasets.MNIST)
    assert info.image_shape == (1, 28, 28)
    assert (info.num_train, info.num_test) == (60_000, 10_000)


def test_the_classes_are_named_in_label_order() -> None:
    # torchvision's lists; for MNIST it says "0 - zero"
    assert dataset_info("mnist").class_names == tuple("0123456789")
    fashion, kmnist = torchvision.datasets.FashionMNIST.classes, torchvision.datasets.KMNIST.classes
    assert list(dataset_info("fashion-mnist").class_names) == fashion
    assert list(dataset_info("kmnist").class_names) == kmnist
    assert all(info.num_classes == 10 for info in DATASETS.values())


def test_the_digits_are_scikit_learns_and_need_no_file() -> None:
    digits, info = load_digits(), dataset_info("digits")
    assert info.num_train + info.num_test == len(digits.images)
    assert info.image_shape == (1, *digits.images.shape[1:])
    assert info.class_names == tuple(str(name) for name in digits.target_names)
    assert info.folder is None


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_checksums_are_those_of_the_real_files(name: str, data_dir: Path) -> None:
    info = dataset_info(name)
    assert info.folder is not None
    assert len(info.md5) == 4
    for file, md5 in info.md5.items():
        content = (data_dir / info.folder / "raw" / file).read_bytes()
        assert hashlib.md5(content).hexdigest() == md5


def test_an_unknown_data_set_is_answered_with_those_there_are() -> None:
    with pytest.raises(DataError, match=r"'cifar'.*mnist, fashion-mnist, kmnist, digits"):
        dataset_info("cifar")
