"""What a part of a user's own data, for training or for the test, looks like to `data.own`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]  # (N, C, H, W)
Labels = NDArray[np.int64]  # (N,)
Indices = NDArray[np.int64]  # ascending

CHUNK_BYTES = 16 * 2**20  # of pixels that are in memory at a time


class Survey(NamedTuple):
    """What images a part has, as far as can be told before they are decoded."""

    sizes: dict[tuple[int, int], str]  # height and width -> the first image of that size
    has_colour: bool


class Part(Protocol):
    """Images and labels in files; the images are decoded only when they are asked for."""

    @property
    def labels(self) -> Labels:
        """Of all images, in order."""

    def survey(self) -> Survey:
        """Sizes and colours of all images, without their pixels.

        Raises:
            DataError: one is not an image.
        """

    def raw(self, indices: Indices) -> Iterator[bytes]:
        """What the files hold of those images, in some hundred thousand bytes at a time."""

    def decode(self, indices: Indices, *, shape: tuple[int, int, int]) -> Iterator[Images]:
        """Those images, each of this shape, some at a time.

        Raises:
            DataError: one is broken.
        """


class Opened(NamedTuple):
    """A user's own data set: its files found and checked, no pixel decoded."""

    class_names: tuple[str, ...]
    train: Part  # or all there is
    test: Part | None


def images_a_chunk(image_bytes: int) -> int:
    """How many images of this size are in memory at a time."""
    return max(1, CHUNK_BYTES // max(1, image_bytes))


@dataclass(frozen=True)
class Selection:
    """Some images of a part."""

    part: Part
    indices: Indices

    @property
    def labels(self) -> Labels:
        """Of these images, in order."""
        return self.part.labels[self.indices]

    def raw(self) -> Iterator[bytes]:
        """As `Part.raw`."""
        return self.part.raw(self.indices)

    def decode(self, *, shape: tuple[int, int, int]) -> Iterator[Images]:
        """As `Part.decode`."""
        return self.part.decode(self.indices, shape=shape)
