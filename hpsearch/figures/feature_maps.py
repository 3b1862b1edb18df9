"""What a first convolution makes of some images: its feature maps."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hpsearch.figures.figure import NoFigure, Picture, Pixels, Shown, StudyFigure
from hpsearch.figures.gallery import as_pixels, grey_pixels, plot_gallery

NAME, TITLE = "feature-maps", "Feature maps of the first convolution"
MOST_MAPS = 32
_COLUMNS = 8


class FeatureMaps(NamedTuple):
    """One image and what the layer makes of it, activation included."""

    number: int  # in the validation set, from 0
    class_name: str
    image: NDArray[np.uint8]  # (C, H, W)
    maps: NDArray[np.floating]  # (filters, h, w)


def mosaic(info: FeatureMaps, *, most_maps: int = MOST_MAPS) -> Pixels:
    """The image, enlarged, beside its maps in rows of eight; every map on its own scale."""
    maps = info.maps[:most_maps]
    _, height, width = maps.shape
    rows = -(-len(maps) // _COLUMNS)
    grid = np.full((rows * (height + 1) - 1, _COLUMNS * (width + 1) - 1), 128, np.uint8)
    for index, values in enumerate(maps):
        top, left = (
            place * (side + 1)
            for place, side in zip(divmod(index, _COLUMNS), (height, width), strict=True)
        )
        grid[top : top + height, left : left + width] = grey_pixels(values)
    image = as_pixels(info.image)
    image = image if image.ndim == 2 else image.mean(2).astype(np.uint8)
    side = (round(image.shape[1] * len(grid) / len(image)), len(grid))
    large = np.asarray(Image.fromarray(image).resize(side, Image.Resampling.NEAREST))
    gap = np.full((len(grid), 4), 128, np.uint8)
    return np.concatenate([large, gap, grid], axis=1)


def feature_maps_figure(layer: str, images: Sequence[FeatureMaps] | str) -> Shown:
    """The maps of some images; a text says why there are none."""
    if isinstance(images, str):
        return NoFigure(NAME, TITLE, images)
    shown = min(MOST_MAPS, len(images[0].maps))
    pictures = tuple(
        Picture(
            mosaic(info),
            f"{info.class_name}, validation image {info.number}",
            f"{info.class_name}, validation image {info.number}, and {shown} feature maps of it",
        )
        for info in images
    )
    note = (
        f"Layer {layer} with its activation: {shown} of {len(images[0].maps)} maps of each image, "
        "black to white from the least to the largest value of each map. The images are of the "
        "validation set; the test set is not opened for this."
    )
    rows: list[tuple[object, ...]] = [
        (info.number, info.class_name, number, float(m.min()), float(m.mean()), float(m.max()))
        for info in images
        for number, m in enumerate(info.maps, start=1)
    ]
    columns = ("validation image", "class", "map", "least", "mean", "largest")
    plot = plot_gallery(pictures, columns=1, cell=960)
    alt = f"{len(images)} images beside their feature maps in layer {layer}."
    return StudyFigure(NAME, TITLE, alt, plot, columns, rows, note, 0, pictures)
