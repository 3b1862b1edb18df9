"""Texts in the cells of a heatmap, each in the ink that can be read on its cell's colour.

Plotly's own choice between a dark and a light ink falls below a contrast of 4.5 to 1 on the colours
in the middle of a scale; black or white never does.
"""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.colors import sample_colorscale, unlabel_rgb

Scale = str | list[list[float | str]]

_BLACK, _WHITE = "#000000", "#FFFFFF"


def cell_texts(
    heatmap: go.Heatmap, *, scale: Scale, limits: tuple[float, float], size: int
) -> list[go.Scatter]:
    """The texts of a heatmap on categories, as two traces to be drawn above it.

    Args:
        heatmap: its `x`, `y`, `z` and `text` are read.
        scale: a name of Plotly's, or colours by share.
        limits: the values at the scale's ends.
        size: of the letters, in pixels.
    """
    low, high = limits
    inks: dict[str, tuple[list[str], list[str], list[str]]] = {
        _BLACK: ([], [], []),
        _WHITE: ([], [], []),
    }
    for name, values, texts in zip(heatmap.y, heatmap.z, heatmap.text, strict=True):
        shares = [min(1.0, max(0.0, (value - low) / (high - low))) for value in values]
        colors = sample_colorscale(scale, shares)
        for other, color, text in zip(heatmap.x, colors, texts, strict=True):
            if text:
                for column, value in zip(inks[ink_on(color)], (other, name, text), strict=True):
                    column.append(value)
    return [
        go.Scatter(
            x=x,
            y=y,
            text=text,
            mode="text",
            textfont={"color": ink, "size": size},
            hoverinfo="skip",
            showlegend=False,
        )
        for ink, (x, y, text) in inks.items()
        if text
    ]


def ink_on(color: str) -> str:
    """Black or white, whichever has the higher contrast with a colour of the form rgb(r, g, b)."""
    luminance = _luminance(unlabel_rgb(color))
    return _BLACK if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else _WHITE


def _luminance(levels: Sequence[float]) -> float:
    """Relative luminance by WCAG 2, of red, green and blue from 0 to 255."""
    shares = [level / 255 for level in levels]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def square_axis(number: int, *, reverse: bool = False) -> dict[str, object]:
    """The settings of an axis of categories that ends where the cells do."""
    ends = [-0.5, number - 0.5]
    return {"type": "category", "showgrid": False, "range": ends[::-1] if reverse else ends}
