import sys
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from made_data import prepare_digits
from psutil import swap_memory, virtual_memory
from torch import Tensor

from hpsearch.data import tensors
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
        assert flags == "rw-p", "private: written pages are copied, all others are shared"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file may be too large to map")
def test_images_that_the_memory_cannot_hold_are_mapped(tmp_path: Path) -> None:
    num = 2 * (virtual_memory().total + swap_memory().total) // (3 * 64 * 64)
    shape = (num, 3, 64, 64)
    with (tmp_path / "images.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + prod(shape))  # a hole, of no blocks
    for name, labels in (("labels", np.zeros(num, np.int8)), ("train", [0]), ("validation", [1])):
        np.save(tmp_path / f"{name}.npy", np.asarray(labels, None if name == "labels" else int))
    paths = (tmp_path / f"{name}.npy" for name in ("images", "labels", "train", "validation"))
    data = load_device_data(TrainingSet(*paths, "", (3, 64, 64), 1), device=CPU)
    assert data.train.images.shape == shape
    assert int(data.train.images[-1].sum()) == 0


def test_images_that_a_device_has_no_room_for_are_copied_batch_by_batch(
    training_set: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With PyTorch's device without memory in the place of a GPU."""
    device = torch.device("meta")
    monkeypatch.setattr(tensors, "fits", lambda num_bytes, device: False)
    part = load_device_data(training_set, device=device).train
    assert {part.images.device.type, part.labels.device.type, part.indices.device.type} == {"cpu"}
    order = part.shuffled(torch.Generator().manual_seed(0))
    for images, labels in part.batches(order, 64):
        assert (images.device.type, labels.device.type) == ("meta", "meta")


@pytest.mark.parametrize(("num_bytes", "fits"), [(500, True), (501, False)])
def test_half_of_a_gpus_free_memory_is_for_the_images(
    monkeypatch: pytest.MonkeyPatch, num_bytes: int, fits: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 8000))
    assert tensors.fits(num_bytes, torch.device("cuda")) is fits
    assert tensors.fits(num_bytes, CPU), "a CPU maps what it has no memory for"


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
