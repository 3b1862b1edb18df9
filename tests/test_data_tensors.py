from pathlib import Path

import numpy as np
import pytest
import torch
from made_data import prepare_digits
from torch import Tensor

from hpsearch.data.tensors import ImageSet, load_device_data
from hpsearch.data.training_set import TrainingSet

CPU = torch.device("cpu")
MAPS = Path("/proc/self/maps")


@pytest.fixture
def training_set(tmp_path: Path) -> TrainingSet:
    return prepare_digits(tmp_path)


def made_set(size: int) -> ImageSet:
    """Images whose every pixel is their number."""
    numbers = torch.arange(256, dtype=torch.uint8)
    images = numbers.reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous()
    return ImageSet(images, torch.arange(256), torch.arange(size))


def mapped_file(tensor: Tensor) -> tuple[str, str]:
    """Access flags and path of the mapping that holds the tensor, from the kernel."""
    for line in MAPS.read_text().splitlines():
        span, flags, *_, path = line.split(maxsplit=5)
        first, last = (int(address, 16) for address in span.split("-"))
        if first <= tensor.data_ptr() < last:
            return flags, path.strip()
    raise AssertionError("in no mapping")


@pytest.mark.skipif(not MAPS.exists(), reason="needs Linux's /proc")
def test_images_and_labels_are_mapped_from_the_cache_not_copied(training_set: TrainingSet) -> None:
    data = load_device_data(training_set, device=CPU)
    for tensor, path in ((data.train.images, training_set.images),):
        flags, mapped = mapped_file(tensor)
        assert mapped == str(path)
        assert flags == "r--s", "shared, and not counted as memory that may be written to"


def test_the_three_sets_hold_the_same_images(training_set: TrainingSet) -> None:
    data = load_device_data(training_set, device=CPU)
    places = {part.images.data_ptr() for part in (data.train, data.validation, data.everything)}
    assert len(places) == 1


def test_writing_to_the_images_leaves_the_file_as_it_is(training_set: TrainingSet) -> None:
    before = training_set.images.read_bytes()
    load_device_data(training_set, device=CPU).train.images.fill_(1)
    assert training_set.images.read_bytes() == before
    assert load_device_data(training_set, device=CPU).train.images.max() == 255


def test_everything_is_train_and_validation_together(training_set: TrainingSet) -> None:
    data = load_device_data(training_set, device=CPU)
    assert (len(data.train), len(data.validation), len(data.everything)) == (160, 40, 200)
    both = {*data.train.indices.tolist(), *data.validation.indices.tolist()}
    assert both == set(data.everything.indices.tolist())
    np.testing.assert_array_equal(data.train.indices, np.load(training_set.train))


def test_a_batch_has_pixels_from_0_to_1_and_the_labels_of_its_images() -> None:
    order = torch.tensor([255, 0, 51])
    ((images, labels),) = made_set(256).batches(order, 3)
    assert images.shape == (3, 1, 2, 2)
    assert images.dtype == torch.float32
    torch.testing.assert_close(images[:, 0, 0, 0], torch.tensor([1.0, 0.0, 0.2]))
    assert labels.tolist() == [255, 0, 51]


@pytest.mark.parametrize(
    ("size", "batch_size", "sizes"),
    [
        (10, 5, [5, 5]),
        (10, 4, [4, 4, 2]),
        (10, 100, [10]),
        (9, 4, [4, 4]),  # one image has no variance for batch norm
        (3, 1, [1, 1, 1]),
        (1, 4, [1]),
    ],
)
def test_the_last_batch_holds_the_rest_unless_it_is_a_single_image(
    size: int, batch_size: int, sizes: list[int]
) -> None:
    images = made_set(size)
    batches = list(images.batches(images.indices, batch_size))
    assert [len(labels) for _, labels in batches] == sizes


def test_a_shuffle_is_a_permutation_that_its_seed_decides() -> None:
    images = ImageSet(made_set(256).images, torch.arange(256), torch.arange(0, 200, 2))
    one, same, other = (images.shuffled(torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert one.tolist() == same.tolist() != other.tolist()
    assert one.tolist() != images.indices.tolist()
    assert sorted(one.tolist()) == images.indices.tolist()
