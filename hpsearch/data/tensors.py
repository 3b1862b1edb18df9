"""Images as tensors that stay where the training is: one gather a batch, no DataLoader.

On the CPU the arrays are mapped from the cache, so that all workers of a machine share one copy; on
a GPU they are copied to it once, as 8-bit pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hpsearch.data.training_set import TrainingSet


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
        count = num_batches(len(order), batch_size) if drop_single else None
        batches = zip(
            torch.split(order, batch_size), torch.split(self.labels[order], batch_size), strict=True
        )
        for indices, labels in islice(batches, count):
            # index_select copies whole images; indexing, pixel by pixel, takes ten times as long
            yield scale_pixels(self.images.index_select(0, indices)), labels


@dataclass(frozen=True)
class DeviceData:
    """A study's training set on one device."""

    train: ImageSet
    validation: ImageSet
    everything: ImageSet  # train and validation together, for the winner's last training


def load_device_data(training_set: TrainingSet, *, device: torch.device) -> DeviceData:
    """Map the arrays, or copy them to a GPU."""
    images, labels = _tensor(training_set.images, device), _tensor(training_set.labels, device)
    train, validation = (
        torch.from_numpy(np.load(path)).to(device)
        for path in (training_set.train, training_set.validation)
    )
    both = torch.cat([train, validation]).sort().values
    parts = (ImageSet(images, labels, indices) for indices in (train, validation, both))
    return DeviceData(*parts)


def _tensor(path: Path, device: torch.device) -> Tensor:
    # "c", copy on write: torch wants a writable array, and nobody writes
    return torch.from_numpy(np.load(path, mmap_mode="c")).to(device)
