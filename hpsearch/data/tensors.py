"""Images as tensors that stay where the training is: one gather a batch, no DataLoader.

On the CPU the arrays are mapped from the cache, so that all workers of a machine share one copy; on
a GPU they are copied to it once, as 8-bit pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hpsearch.data.training_set import TrainingSet


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

        The last batch holds the rest. With `drop_single` a rest of one image is left out, because
        batch norm has no variance to take from it in training.
        """
        for batch in torch.split(order, batch_size):
            if drop_single and len(batch) == 1 and batch_size > 1 and len(order) > 1:
                return
            yield self.images[batch].float().div_(255), self.labels[batch]


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
