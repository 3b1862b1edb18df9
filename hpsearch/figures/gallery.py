"""Small images with captions: pictures for a page, and all of them as one plot for elsewhere."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from hpsearch.figures.figure import Picture, Pixels
from hpsearch.figures.theme import themed

_FILLED = 0.92  # of a cell's width
_LINE, _GAP = 14, 10  # pixels of a line of a caption, and below it


def grey_pixels(values: NDArray[np.floating], *, symmetric: bool = False) -> Pixels:
    """Values as grey from the least, black, to the largest, white.

    With `symmetric` 0 is the middle grey, as for weights, and the largest hundredth of them, either
    way, is as black or white as the rest.
    """
    low, high = float(values.min()), float(values.max())
    if symmetric:
        high = float(np.quantile(np.abs(values), 0.99))
        low = -high
    if high <= low:
        return np.full(values.shape, 128 if symmetric else 0, np.uint8)
    scaled: Pixels = np.round((values.clip(low, high) - low) / (high - low) * 255).astype(np.uint8)
    return scaled


def as_pixels(image: NDArray[np.uint8]) -> Pixels:
    """A (C, H, W) image as (H, W), or (H, W, 3) where it has colours."""
    return image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)


def plot_gallery(pictures: Sequence[Picture], *, columns: int = 8, cell: int = 96) -> go.Figure:
    """The pictures in rows, each as wide as a cell of so many pixels, over its caption."""
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    # of a cell's width, as the axes have it
    tall = max(picture.pixels.shape[0] / picture.pixels.shape[1] for picture in pictures)
    lines = max(picture.caption.count("\n") + 1 for picture in pictures)
    row_height = tall + (lines * _LINE + _GAP) / cell
    figure = go.Figure()
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        _add_picture(figure, picture, top=row * row_height, left=column, tall=tall)
    hidden = {"visible": False, "showgrid": False, "zeroline": False, "fixedrange": True}
    figure.update_layout(
        xaxis={**hidden, "range": [0, columns]},
        yaxis={**hidden, "range": [rows * row_height, 0], "scaleanchor": "x"},
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
    )
    return themed(figure, height=int(rows * row_height * cell) + _GAP, legend=False)


def _add_picture(
    figure: go.Figure, picture: Picture, *, top: float, left: float, tall: float
) -> None:
    is_grey = picture.pixels.ndim == 2
    rgb = np.stack([picture.pixels] * 3, -1) if is_grey else picture.pixels
    side = _FILLED / picture.pixels.shape[1]
    figure.add_image(
        z=rgb,
        x0=left + (1 - _FILLED) / 2 + side / 2,
        y0=top + side / 2,
        dx=side,
        dy=side,
        hovertemplate=f"{picture.alt}<extra></extra>",
    )
    figure.add_annotation(
        x=left + 0.5,
        y=top + tall * _FILLED,
        text=picture.caption.replace("\n", "<br>"),
        showarrow=False,
        yanchor="top",
        font={"size": 10},
    )
