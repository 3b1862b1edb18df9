"""Picture files brought to a network's input: of any mode and size, to 8-bit pixels of its shape.

    for name, picture in read_pictures(find_pictures(["scans/", "-"]), how):
        ...  # (C, H, W) uint8, or Unreadable

A picture is turned as its camera says, put on white where it is transparent, made grey or RGB as
the network wants, inverted and cut only if asked, and scaled to the network's size, as the images
of a folder are that a study is trained on. Of an animation it is the first frame.

Of 1,000 validation images of MNIST, drawn in grey on noisy paper at odd places of odd sizes, three
networks that know 99.4 % of the originals know 69 % scaled so, 64 to 82 % scaled with the aspect
ratio kept and the rest filled up, and 99.3 to 99.5 % cut to what is drawn.
"""

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hpsearch.data.files import Images
from hpsearch.data.folder import is_passed_over
from hpsearch.data.images import flatten, opened, to_pixels, turned
from hpsearch.errors import DataError, UserError

STDIN = "-"

_INK = 64  # levels from the border's, beyond which a pixel belongs to what is drawn
_CLEARLY = 64  # levels


@dataclass(frozen=True)
class Preparation:
    """How pictures become a network's input."""

    image_shape: tuple[int, int, int]  # channels, height, width
    invert: bool = False
    crop: float | None = None  # to what is drawn, which takes this share of the side then

    def describe(self) -> str:
        """The steps in words, for people and for a file that others will use."""
        channels, height, width = self.image_shape
        steps = [
            "grey" if channels == 1 else "RGB",
            "transparent parts on white",
            *(["inverted"] if self.invert else []),
            *([] if self.crop is None else [_cut_in_words(self.crop)]),
            f"scaled to {width} x {height} pixels",
        ]
        return ", ".join(steps)


def _cut_in_words(share: float) -> str:
    return f"cut to what is drawn, {share:.0%} of the side around its centre of mass"


@dataclass(frozen=True)
class Unreadable:
    """A picture that is none."""

    image: str
    reason: str


def find_pictures(names: Sequence[str]) -> list[str]:
    """The files that are meant: those named, those in named folders and below, `-` for stdin.

    Of a folder, what is passed over in a data set of one's own is passed over here, too.

    Raises:
        UserError: a name is neither a file nor a folder, a folder is empty, `-` stands twice.
    """
    if list(names).count(STDIN) > 1:
        raise UserError("'-' stands for one image on stdin and can be given once")
    found: list[str] = []
    for name in names:
        path = Path(name)
        try:
            is_folder = path.is_dir()
            if name == STDIN or (not is_folder and path.exists()):
                found.append(name)
                continue
            files = _files_below(path) if is_folder else None
        except OSError as error:  # a name that is too long, a folder that is closed
            raise UserError(f"{name} cannot be read: {error.strerror}") from None
        if files is None:
            raise UserError(f"{name}: there is no such file or folder")
        if not files:
            raise UserError(f"{name}: there is no file in this folder")
        found += files
    return found


def _files_below(folder: Path) -> list[str]:
    """Every file but those that are passed over; a link to nothing is one, and is named later."""
    return [
        str(path)
        for path in sorted(folder.rglob("*"))
        if not path.is_dir() and not _is_passed_over(path.relative_to(folder))
    ]


def _is_passed_over(path: Path) -> bool:
    folders = (is_passed_over(name, is_folder=True) for name in path.parts[:-1])
    return any(folders) or is_passed_over(path.name, is_folder=False)


def read_pictures(
    names: Iterable[str], how: Preparation
) -> Iterator[tuple[str, Images | Unreadable]]:
    """Every picture, (C, H, W) uint8, or why it is none, with its name."""
    for name in names:
        shown = "stdin" if name == STDIN else name
        try:
            yield shown, prepare(open_picture(name), how)
        except DataError as error:
            yield shown, Unreadable(shown, str(error))


def open_picture(name: str) -> Image.Image:
    """A file, or stdin for `-`, as an image of which every pixel is there.

    Raises:
        DataError: it is no image, or not a whole one, or one of a size that only an attack has.
    """
    if name == STDIN and sys.stdin is None:
        raise DataError("it is closed")
    source = io.BytesIO(sys.stdin.buffer.read()) if name == STDIN else Path(name)
    try:
        with opened(source) as image:
            return turned(image)
    except MemoryError:
        raise DataError("too large for this machine's memory") from None


def prepare(image: Image.Image, how: Preparation) -> Images:
    """An image as the network's input, (C, H, W) uint8.

    Raises:
        DataError: its pixels have no scale, such as those of a 32-bit TIFF.
    """
    channels = how.image_shape[0]
    if channels not in (1, 3):
        raise DataError(f"the network wants {channels} channels, and an image has 1 or 3")
    flat = flatten(image, channels=channels)
    if how.invert:
        flat = ImageOps.invert(flat)
    if how.crop is not None:
        flat = _cut(flat, share=how.crop)
    return to_pixels(flat, shape=how.image_shape)


def prepare_all(
    images: Iterable[str | Path | Image.Image | NDArray[np.uint8]], how: Preparation
) -> Iterator[tuple[str, Images | Unreadable]]:
    """Every image brought to the network's input; those without a file are called by number."""
    for number, image in enumerate([images] if isinstance(images, str | Path) else images):
        if isinstance(image, str | Path):
            yield from read_pictures(find_pictures([str(image)]), how)
        else:
            yield str(number), prepare(_as_image(image), how)


def _as_image(image: Image.Image | NDArray[np.uint8]) -> Image.Image:
    if isinstance(image, Image.Image):
        return image
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or not image.size:
        raise DataError("an image is a file, a Pillow image, or an array of 8-bit levels (uint8)")
    if image.ndim != 2 and not (image.ndim == 3 and image.shape[2] in (3, 4)):
        raise DataError(f"an array of shape {image.shape} is no image; (H, W) or (H, W, 3) is")
    return Image.fromarray(image)


def border_level(pixels: NDArray[np.uint8]) -> tuple[int, ...]:
    """The median of the outermost pixels, by channel; pixels are (H, W) or (H, W, 3)."""
    levels = pixels.reshape(*pixels.shape[:2], -1)
    outermost = [levels[0], levels[-1], levels[:, 0], levels[:, -1]]
    median = np.median(np.concatenate(outermost), axis=0)
    return tuple(int(level) for level in median)


def drawn_share(images: Images) -> float:
    """The share of the side that what is drawn takes, longer side by side: the images' median.

    20/28 of MNIST, 1 of scikit-learn's digits; 1 where nothing is drawn on any.

    Args:
        images: (N, C, H, W) uint8.
    """
    inks = [_ink(image.transpose(1, 2, 0)) for image in images]
    shares = [max(_extents(ink)) / max(ink.shape) for ink in inks if ink.any()]
    return float(np.median(shares)) if shares else 1.0


def _cut(image: Image.Image, *, share: float) -> Image.Image:
    """The square around what is drawn, which takes a share of it; all where nothing is drawn.

    Its middle is the centre of mass, as MNIST was made, if nothing of the drawing is cut off so.
    """
    pixels = np.asarray(image)
    ink = _ink(pixels)
    if not ink.any():
        return image
    side = max(1, round(max(_extents(ink)) / share))
    left, top = (_corner(ink.sum(axis), side) for axis in (0, 1))
    square = Image.new(image.mode, (side, side), _colour(border_level(pixels)))
    square.paste(image, (-left, -top))
    return square


def _ink(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How far each pixel of (H, W) or (H, W, C) is from the border's level, (H, W); 0: paper."""
    levels = pixels.reshape(*pixels.shape[:2], -1).astype(np.int64)
    ink: NDArray[np.int64] = np.abs(levels - np.array(border_level(pixels))).max(2)
    ink[ink <= _INK] = 0
    return ink


def _extents(ink: NDArray[np.int64]) -> tuple[int, int]:
    """Height and width of what is drawn."""
    rows, columns = np.nonzero(ink)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def _corner(ink: NDArray[np.int64], side: int) -> int:
    """Where, along one axis, a side begins that is around the ink's centre and holds all of it."""
    drawn = np.flatnonzero(ink)
    centre = float(np.average(np.arange(len(ink)) + 0.5, weights=ink))
    return int(np.clip(round(centre - side / 2), drawn[-1] + 1 - side, drawn[0]))


def _colour(border: tuple[int, ...]) -> int | tuple[int, ...]:
    return border[0] if len(border) == 1 else border


def ground_level(image: Images) -> float:
    """The level, 0 to 255, of what a drawing, (C, H, W), is drawn on: its border's."""
    return float(np.mean(border_level(image.transpose(1, 2, 0))))


def look_inverted(levels: Sequence[float], like: Sequence[float]) -> bool:
    """Whether most images would be more like others if light and dark changed places.

    An image counts if its inverse's ground is nearer by a quarter of the scale at least.

    Args:
        levels: the images' ground levels.
        like: those of what the network was trained on.
    """
    wanted, given = np.median(like), np.array(levels)
    gain = np.abs(given - wanted) - np.abs(255 - given - wanted)
    return bool(np.mean(gain > _CLEARLY) > 0.5)
