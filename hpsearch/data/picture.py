"""Pictures of a data set's samples, with their class names: in file order, and class by class."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hpsearch.catalogue import DatasetInfo
from hpsearch.data.files import Images, Labels
from hpsearch.home import atomic_path

_CELL = 112  # pixels of a picture's side, its margin included
_GRID_CELL = 64
_MARGIN = 4
_CAPTION = 18


def save_samples(
    path: Path, images: Images, labels: Labels, *, info: DatasetInfo, columns: int = 5
) -> None:
    """Save the first images as a square PNG contact sheet, each over its class name.

    Args:
        path: the file to write.
        images: (N, C, H, W) uint8, grey or RGB.
        labels: (N,) int64.
        info: the data set, for the class names.
        columns: pictures a row, and rows.
    """
    sheet = _white(columns * _CELL, columns * (_CELL + _CAPTION), channels=images.shape[1])
    draw = ImageDraw.Draw(sheet)
    for index in range(min(columns * columns, len(images))):
        x, y = index % columns * _CELL, index // columns * (_CELL + _CAPTION)
        _paste(sheet, images[index], x, y, cell=_CELL)
        draw.text((x + _MARGIN, y + _CELL - 2), info.class_names[labels[index]], fill=0)
    _save(sheet, path)


def save_class_grid(
    path: Path, images: Images, labels: Labels, *, info: DatasetInfo, columns: int = 10
) -> None:
    """Save a PNG with one row a class: its name, then the first images that the set has of it.

    Args:
        path: the file to write.
        images: (N, C, H, W) uint8, grey or RGB.
        labels: (N,) int64.
        info: the data set, for the class names.
        columns: pictures a row, if there are so many.
    """
    measure = ImageDraw.Draw(_white(1, 1))
    left = 2 * _MARGIN + max(round(measure.textlength(name)) for name in info.class_names)
    sheet = _white(
        left + columns * _GRID_CELL, info.num_classes * _GRID_CELL, channels=images.shape[1]
    )
    draw = ImageDraw.Draw(sheet)
    for label, name in enumerate(info.class_names):
        y = label * _GRID_CELL
        draw.text((_MARGIN, y + _GRID_CELL // 2), name, fill=0, anchor="lm")
        for column, index in enumerate(np.flatnonzero(labels == label)[:columns]):
            _paste(sheet, images[index], left + column * _GRID_CELL, y, cell=_GRID_CELL)
    _save(sheet, path)


def _white(width: int, height: int, *, channels: int = 1) -> Image.Image:
    return Image.new("L" if channels == 1 else "RGB", (width, height), color="white")


def _paste(sheet: Image.Image, image: Images, x: int, y: int, *, cell: int) -> None:
    """Put an image, (C, H, W), into the middle of the cell whose corner is given."""
    side = cell - 2 * _MARGIN
    scale = side / max(image.shape[1:])
    height, width = (max(1, round(length * scale)) for length in image.shape[1:])
    sample = Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1).copy())
    left, top = x + _MARGIN + (side - width) // 2, y + _MARGIN + (side - height) // 2
    sheet.paste(sample.resize((width, height), Image.Resampling.NEAREST), (left, top))


def _save(sheet: Image.Image, path: Path) -> None:
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")
