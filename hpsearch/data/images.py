"""One image file, or one array of pixels, brought to the networks' input by Pillow.

How an image is brought to its shape: a photograph is turned as its EXIF data say, what is
transparent is laid on white, 16 bits a pixel become 8, grey becomes three equal channels or colour
becomes its luma (ITU-R 601), and the whole image is scaled, not cropped, to the size.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpsearch.errors import DataError
from hpsearch.text import one_line

if TYPE_CHECKING:  # a search that finds its images decoded does not need Pillow
    from PIL.Image import Image

Pixels = NDArray[np.uint8]

_GREY_MODES = ("1", "L", "LA", "La")
_16_BITS = "I;16"  # of which there are several byte orders
_32_BITS = ("I", "F")
# whose EXIF data stand before the pixels; Pillow would decode a PNG to find its own
_TURNED_FORMATS = ("JPEG", "MPO", "TIFF")
_ORIENTATION = 0x0112
_LYING = 5  # from this orientation on, height and width are exchanged


class Header(NamedTuple):
    """What an image says of itself before it is decoded."""

    height: int
    width: int
    is_grey: bool


def read_header(path: Path) -> Header:
    """Size and colour of an image file, without decoding its pixels.

    Raises:
        DataError: it is not an image.
    """
    with _named(path), opened(path) as image:
        width, height = image.size
        if image.format in _TURNED_FORMATS and image.getexif().get(_ORIENTATION, 1) >= _LYING:
            width, height = height, width
        is_grey = image.mode in _GREY_MODES or image.mode.startswith(_16_BITS)
        return Header(height, width, is_grey)


def read_pixels(path: Path, *, shape: tuple[int, int, int]) -> Pixels:
    """An image file as (C, H, W) uint8 of this shape.

    Raises:
        DataError: it is broken, or not an image.
    """
    with _named(path), opened(path) as image:
        return to_pixels(flatten(turned(image), channels=shape[0]), shape=shape)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"{one_line(str(path))}: {error}; mend it or take it away") from None


@contextmanager
def opened(source: Path | BinaryIO) -> Iterator["Image"]:
    """An image, not decoded yet; an error of its decoder within the block is told as ours.

    Raises:
        DataError: it is broken, not an image, or of a size that only an attack has.
        MemoryError: it is too large for this machine.
    """
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():  # of odd metadata nobody needs to hear
        warnings.simplefilter("ignore")
        try:
            with Image.open(source) as image:
                yield image
        except (DataError, MemoryError):
            raise
        except UnidentifiedImageError:
            raise DataError("not an image of a format that Pillow reads") from None
        except Image.DecompressionBombError:
            raise DataError("too many pixels for an image") from None
        except Exception as error:  # a decoder's answer to broken bytes can be any
            reason = error.strerror if isinstance(error, OSError) else None
            told = one_line(reason or str(error)) or type(error).__name__
            raise DataError(f"cannot be read: {told}") from None


def turned(image: "Image") -> "Image":
    """The image as its camera was held, in memory of its own."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(image) if image.format in _TURNED_FORMATS else image.copy()


def flatten(image: "Image", *, channels: int) -> "Image":
    """The image in grey or RGB with 8 bits a channel, on white where it is transparent.

    Raises:
        DataError: its pixels have 32 bits, whose range nobody can tell.
    """
    return _on_white(_in_8_bits(image)).convert("L" if channels == 1 else "RGB")


def to_pixels(image: "Image", *, shape: tuple[int, int, int]) -> Pixels:
    """A flat image scaled to (C, H, W) uint8 of this shape."""
    from PIL.Image import Resampling

    channels, height, width = shape
    if image.size != (width, height):
        image = image.resize((width, height), Resampling.BILINEAR)
    pixels = np.asarray(image)
    # in one piece: stacked views would keep the channels last in memory
    return np.ascontiguousarray(pixels[np.newaxis] if channels == 1 else np.moveaxis(pixels, -1, 0))


def _in_8_bits(image: "Image") -> "Image":
    from PIL import Image

    if image.mode in _32_BITS:
        raise DataError("its pixels have 32 bits; save it with 8 or 16")
    if not image.mode.startswith(_16_BITS):
        return image
    return Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))


def _on_white(image: "Image") -> "Image":
    from PIL import Image

    if not image.has_transparency_data:
        return image
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image.convert("RGBA"))
    return paper.convert("RGB")
