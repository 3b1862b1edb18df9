"""A network's first layer: a convolution's kernels, or a dense layer's weights as images."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpsearch.figures.figure import NoFigure, Picture, Shown, StudyFigure
from hpsearch.figures.gallery import grey_pixels, plot_gallery

NAME, TITLE = "filters", "First layer"
MOST_FILTERS = 64


class FirstLayer(NamedTuple):
    """The weights of the first layer that has any."""

    name: str
    kind: Literal["conv", "dense"]
    weights: NDArray[np.floating]  # (units, C, H, W): kernels, or weights by pixel of the image


def _pictures(layer: FirstLayer) -> tuple[Picture, ...]:
    """A picture a unit, all on one scale: black is the most negative weight, middle grey is 0."""
    shown = layer.weights[:MOST_FILTERS].mean(1)
    grey = grey_pixels(shown, symmetric=True)
    word = "Kernel" if layer.kind == "conv" else "Weights of unit"
    return tuple(
        Picture(pixels, str(number), f"{word} {number} of layer {layer.name}")
        for number, pixels in enumerate(grey, start=1)
    )


def filters_figure(layer: FirstLayer | str) -> Shown:
    """The first layer's weights; a text says why there are none."""
    if isinstance(layer, str):
        return NoFigure(NAME, TITLE, layer)
    units, channels, height, width = layer.weights.shape
    pictures = _pictures(layer)
    what = f"kernels of {height} x {width}" if layer.kind == "conv" else "units' weights by pixel"
    note = (
        f"Layer {layer.name}: {len(pictures)} of {units} {what}, of the first seed; "
        "all on one scale, where middle grey is 0, lighter is positive, and the largest hundredth "
        "is cut off."
    )
    if channels > 1:
        note += " Means over the image's channels."
    rows: list[tuple[object, ...]] = [
        (unit + 1, channel + 1, y, x, float(layer.weights[unit, channel, y, x]))
        for unit in range(len(pictures))
        for channel in range(channels)
        for y in range(height)
        for x in range(width)
    ]
    columns = ("unit", "channel", "row", "column", "weight")
    alt = f"{len(pictures)} {what} of layer {layer.name} as grey images."
    plot = plot_gallery(pictures, columns=16, cell=60)
    return StudyFigure(NAME, TITLE, alt, plot, columns, rows, note, 0, pictures)
