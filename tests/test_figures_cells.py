"""Texts in cells: which ink, and where."""

import plotly.graph_objects as go
import pytest
from plotly.colors import sample_colorscale, unlabel_rgb

from hpsearch.figures.cells import cell_texts, ink_on
from hpsearch.figures.theme import SCALE


def contrast(one: str, other: str) -> float:
    """By the definitions of WCAG 2.2."""

    def luminance(color: str) -> float:
        if color.startswith("#"):
            levels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        else:
            levels = [level / 255 for level in unlabel_rgb(color)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in levels]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_has_the_contrast_that_the_standard_says() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize(
    "scale", [SCALE, [[0.0, "#0072B2"], [0.5, "#F2F2F2"], [1.0, "#D55E00"]]], ids=["one", "two"]
)
def test_every_text_has_a_contrast_of_four_and_a_half_to_one(scale: object) -> None:
    for color in sample_colorscale(scale, [n / 200 for n in range(201)]):
        assert contrast(ink_on(color), color) >= 4.5


def test_each_text_stands_in_its_own_cell_and_empty_ones_nowhere() -> None:
    heatmap = go.Heatmap(
        x=["a", "b"], y=["a", "b"], z=[[0.0, 1.0], [9.0, -9.0]], text=[["aa", "ab"], ["", "bb"]]
    )
    black, white = cell_texts(heatmap, scale=SCALE, limits=(0, 1), size=10)
    assert list(zip(black.y, black.x, black.text, strict=True)) == [("a", "b", "ab")]
    cells = list(zip(white.y, white.x, white.text, strict=True))
    assert cells == [("a", "a", "aa"), ("b", "b", "bb")]
