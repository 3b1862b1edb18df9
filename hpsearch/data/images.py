"""One image file, or one array of pixels, brought to the networks' input by Pillow.

How an image is brought to its shape: a photograph is turned as its EXIF data say, what is
transparent is laid on white, 16 bits a pixel become 8, grey becomes three equal channels or colour
becomes its luma (ITU-R 601), and the whole image is scaled, not cropped, to the size.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
    with _opened(path) as image:
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
    from PIL import ImageOps

    with _opened(path) as image:
        if image.format in _TURNED_FORMATS:
            ImageOps.exif_transpose(image, in_place=True)
        return fit_pixels(image, shape=shape)


def fit_pixels(image: "Image", *, shape: tuple[int, int, int]) -> Pixels:
    """An opened image as (C, H, W) uint8 of this shape.

    Raises:
        DataError: its pixels have 32 bits, whose range nobody can tell.
    """
    from PIL.Image import Resampling

    channels, height, width = shape
    image = _on_white(_in_8_bits(image)).convert("L" if channels == 1 else "RGB")
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


@contextmanager
def _opened(path: Path) -> Iterator["Image"]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            yield image
    except MemoryError:
        raise
    except Exception as error:  # a decoder's answer to broken bytes can be any
        reason = "no format that Pillow knows" if _is_unknown(error) else one_line(str(error))
        raise DataError(
            f"{one_line(str(path))} cannot be read as an image "
            f"({reason or type(error).__name__}); mend it or take it away"
        ) from None


def _is_unknown(error: Exception) -> bool:
    from PIL import UnidentifiedImageError

    return isinstance(error, UnidentifiedImageError)
