"""Images as tensors that stay where the training is: one gather a batch, no DataLoader.

On the CPU the arrays are mapped from the cache, so that all workers of a machine share one copy and
a set that is larger than the memory can be trained on. To a GPU they are copied once, as 8-bit
pixels; where these would take more than half of its free memory, they stay mapped on the host, and
each batch is copied.
"""

import mmap
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hpsearch.data.training_set import TrainingSet

# without it Linux maps no file privately that is larger than the memory; Python has no name for it
_MAP_NORESERVE = 0x4000 if sys.platform == "linux" else 0
_SHARE_OF_FREE = 0.5  # of a GPU's free memory that the images may take


def num_batches(num_images: int, batch_size: int) -> int:
    """Batches of a training pass: the last holds the rest, unless this is a single image."""
    full, rest = divmod(num_images, batch_size)
    return full + (rest > 1 or (rest == 1 and full == 0))


def scale_pixels(images: Tensor) -> Tensor:
    """8-bit pixels as networks see them: float, 0 to 1."""
    return images.float().div_(255)


@dataclass(frozen=True)
class ImageSet:
    """Some of a data set's images and their labels."""

    images: Tensor  # (N, C, H, W) uint8, the whole data set
    labels: Tensor  # (N,) int64
    indices: Tensor  # (n,) int64, those that belong to this set
    device: torch.device | None = None  # of the batches; None: where the images are

    def __len__(self) -> int:
        return len(self.indices)

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """The indices in a random order, drawn on the CPU so that every device sees the same."""
        order = torch.randperm(len(self), generator=generator)
        return self.indices[order.to(self.indices.device)]

    def batches(
        self, order: Tensor, batch_size: int, *, drop_single: bool = True
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches along `order`: images (B, C, H, W) float in [0, 1], labels (B,).

        With `drop_single` there are `num_batches`: batch norm has no variance to take from a rest
        of one image in training.
        """
        device = self.device or self.images.device
        count = num_batches(len(order), batch_size) if drop_single else None
        batches = zip(
            torch.split(order, batch_size), torch.split(self.labels[order], batch_size), strict=True
        )
        for indices, labels in islice(batches, count):
            # index_select copies whole images; indexing, pixel by pixel, takes ten times as long
            batch = self.images.index_select(0, indices).to(device)  # as 8-bit pixels
            yield scale_pixels(batch), labels.to(device)


@dataclass(frozen=True)
class DeviceData:
    """A study's training set on one device."""

    train: ImageSet
    validation: ImageSet
    everything: ImageSet  # train and validation together, for the winner's last training


def load_device_data(training_set: TrainingSet, *, device: torch.device) -> DeviceData:
    """Map the arrays, or copy them to a GPU that has room for them."""
    images, labels = _mapped(training_set.images), _mapped(training_set.labels)
    where = device if fits(images.nbytes, device) else torch.device("cpu")
    train, validation = (
        torch.from_numpy(np.load(path)).to(where)
        for path in (training_set.train, training_set.validation)
    )
    both = torch.cat([train, validation]).sort().values
    images, labels = images.to(where), labels.to(where)
    parts = (ImageSet(images, labels, indices, device) for indices in (train, validation, both))
    return DeviceData(*parts)


class DataCache:
    """The training set that was last asked for, on one device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._loaded: dict[TrainingSet, DeviceData] = {}

    def load(self, training_set: TrainingSet) -> DeviceData:
        """Load a training set, or return it as it was loaded."""
        if training_set not in self._loaded:
            self._loaded.clear()
            self._loaded[training_set] = load_device_data(training_set, device=self._device)
        return self._loaded[training_set]


def fits(num_bytes: int, device: torch.device) -> bool:
    """Whether images are to be copied to a device: they take half of its free memory at most."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return num_bytes <= _SHARE_OF_FREE * free


def _mapped(path: Path) -> Tensor:
    """A .npy file as a tensor: pages that are written to are this process' own copies."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        assert version == (1, 0), "data.training_set writes these"
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        flags = mmap.MAP_PRIVATE | _MAP_NORESERVE
        pages = mmap.mmap(file.fileno(), 0, flags, mmap.PROT_READ | mmap.PROT_WRITE)
        array = np.frombuffer(pages, dtype, offset=file.tell()).reshape(shape)
    return torch.from_numpy(array)
