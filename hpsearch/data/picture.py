"""A picture of a data set's samples, with their class names."""

from pathlib import Path

from PIL import Image, ImageDraw

from hpsearch.catalogue import DatasetInfo
from hpsearch.data.files import Images, Labels
from hpsearch.home import atomic_path

_CELL = 112  # pixels of a picture's side
_CAPTION = 18


def save_samples(
    path: Path, images: Images, labels: Labels, *, info: DatasetInfo, columns: int = 5
) -> None:
    """Save the first images as a square PNG contact sheet, each over its class name.

    Args:
        path: the file to write.
        images: (N, 1, H, W) uint8.
        labels: (N,) int64.
        info: the data set, for the class names.
        columns: pictures a row, and rows.
    """
    sheet = Image.new("L", (columns * _CELL, columns * (_CELL + _CAPTION)), color=255)
    draw = ImageDraw.Draw(sheet)
    for index in range(min(columns * columns, len(images))):
        x, y = index % columns * _CELL, index // columns * (_CELL + _CAPTION)
        sample = Image.fromarray(images[index, 0]).resize(
            (_CELL - 8, _CELL - 8), Image.Resampling.NEAREST
        )
        sheet.paste(sample, (x + 4, y + 4))
        draw.text((x + 4, y + _CELL - 2), info.class_names[labels[index]], fill=0)
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")
