"""Curves and confusion matrices as SVG, which a browser shows as a picture: no browser draws them.

On white paper, as the page around a picture may be light or dark.
"""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from hpsearch.figures.theme import BLUE, VERMILLION
from hpsearch.records import EpochMetrics
from hpsearch.text import one_line

_INK, _GRID, _PAPER = "#222222", "#d9d9d9", "#ffffff"
_WIDTH, _HEIGHT, _LEFT, _TOP = 320, 220, 62, 80  # of a panel, and around it, in pixels
_CELL = 46
_NUM_TICKS = 5


class _Panel(NamedTuple):
    """One measure by epoch."""

    name: str
    lines: list[tuple[str, list[tuple[float, float]]]]  # colour, points


def curves_svg(title: str, trainings: Sequence[Sequence[EpochMetrics]]) -> str:
    """Accuracy beside loss, of each training and, where it had one, of its validation."""
    panels = [_panel("accuracy", trainings), _panel("loss", trainings)]
    width, height = 2 * (_LEFT + _WIDTH) + 20, _TOP + _HEIGHT + 44
    body = [_text(_LEFT, 22, title, size=15)]
    for number, (name, color) in enumerate((("training", BLUE), ("validation", VERMILLION))):
        x = _LEFT + 110 * number
        body.append(_line([(x, 42), (x + 22, 42)], color))
        body.append(_text(x + 28, 46, name))
    for number, panel in enumerate(panels):
        body += _axes(panel, left=_LEFT + number * (_LEFT + _WIDTH))
    return _svg(width, height, title, body)


def _panel(measure: str, trainings: Sequence[Sequence[EpochMetrics]]) -> _Panel:
    lines = []
    for epochs in trainings:
        for color, name in ((BLUE, measure), (VERMILLION, f"val_{measure}")):
            points = [(float(m.epoch), getattr(m, name)) for m in epochs]
            known = [(epoch, value) for epoch, value in points if value is not None]
            if known:
                lines.append((color, known))
    return _Panel(measure, lines)


def _axes(panel: _Panel, *, left: float) -> Iterator[str]:
    epochs = [epoch for _, points in panel.lines for epoch, _ in points]
    values = [value for _, points in panel.lines for _, value in points]
    low, high = min(values), max(values)
    high = high if high > low else low + 1e-3  # a single value: a line has to be somewhere
    last = max(*epochs, 2.0)

    def place(epoch: float, value: float) -> tuple[float, float]:
        x = left + (epoch - 1) / (last - 1) * _WIDTH
        return x, _TOP + (high - value) / (high - low) * _HEIGHT

    for number in range(_NUM_TICKS):
        share = number / (_NUM_TICKS - 1)
        value = low + share * (high - low)
        _, y = place(1, value)
        yield _line([(left, y), (left + _WIDTH, y)], _GRID, width=1)
        yield _text(left - 6, y + 4, f"{value:.4g}", anchor="end")
    for epoch in sorted({1, round((1 + last) / 2), round(last)}):
        yield _text(place(epoch, low)[0], _TOP + _HEIGHT + 18, str(epoch), anchor="middle")
    yield _text(left + _WIDTH / 2, _TOP + _HEIGHT + 36, "epoch", anchor="middle")
    yield _text(left, _TOP - 6, panel.name)
    for color, points in panel.lines:
        yield _line([place(*point) for point in points], color)
        if len(points) == 1:
            x, y = place(*points[0])
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>'


def confusion_svg(title: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Rows are true classes, columns predicted ones; the bluer, the larger the share of the row."""
    left, top = 24 + 7.5 * max(map(len, names)), 84 + 5.5 * max(map(len, names))
    size = _CELL * len(names)
    body = [_text(12, 22, title, size=15), _text(left, 46, "columns: predicted; rows: true")]
    for column, name in enumerate(names):
        x, y = left + column * _CELL + _CELL / 2 + 4, top - 8
        body.append(_text(x, y, name, turn=-45))
    for row, (name, line) in enumerate(zip(names, counts, strict=True)):
        y = top + row * _CELL
        body.append(_text(left - 8, y + _CELL / 2 + 4, name, anchor="end"))
        body += _cells(line, left=left, y=y)
    return _svg(left + size + 50, top + size + 12, title, body)


def _cells(line: Sequence[int], *, left: float, y: float) -> Iterator[str]:
    total = max(sum(line), 1)
    for column, count in enumerate(line):
        x, share = left + column * _CELL, count / total
        yield (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{_CELL - 1}" height="{_CELL - 1}" '
            f'fill="{_shade(share)}"/>'
        )
        if count:
            ink = _PAPER if share > 0.5 else _INK
            yield _text(x + _CELL / 2, y + _CELL / 2 + 4, f"{count}", anchor="middle", color=ink)


def _shade(share: float) -> str:
    """From nearly white to the palette's blue, the square root so that small shares are seen."""
    ends = ((0xF2, 0x00), (0xF5, 0x72), (0xF8, 0xB2))
    return "#" + "".join(f"{round(a + (b - a) * share**0.5):02x}" for a, b in ends)


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    anchor: str = "start",
    color: str = _INK,
    turn: int = 0,
) -> str:
    turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" '
        f'text-anchor="{anchor}"{turned}>{escape(one_line(text))}</text>'
    )


def _line(points: Sequence[tuple[float, float]], color: str, *, width: float = 2) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"/>'


def _svg(width: float, height: float, title: str, body: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="system-ui, sans-serif">',
            f"<title>{escape(one_line(title))}</title>",
            f'<rect width="100%" height="100%" fill="{_PAPER}"/>',
            *body,
            "</svg>\n",
        ]
    )
