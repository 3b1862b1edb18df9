"""A data set's summary, for people."""

from rich.console import Console

from hpsearch.data.summary import DatasetSummary, PixelStatistics
from hpsearch.report.terminal import print_table


def print_summary(console: Console, summary: DatasetSummary) -> None:
    """Classes counted in each part, with totals, and the training pixels' statistics."""
    parts = ("train", "validation", "test")
    rows = [[c.label, c.name, *(getattr(c, part) for part in parts)] for c in summary.classes]
    totals = [sum(getattr(c, part) for c in summary.classes) for part in parts]
    shape = " x ".join(map(str, summary.image_shape))
    console.print(f"{summary.title}: images of {shape}, {_split(summary)}", soft_wrap=True)
    print_table(console, ["class", "name", *parts], [*rows, ["", "all", *totals]])
    console.print("\npixels of all training images, 0 to 255, and scaled to [0, 1]:")
    print_table(
        console,
        ["channel", "min", "max", "mean", "std", "scaled mean", "scaled std", "share of zeros"],
        [
            [p.channel, p.min, p.max, *(round(value, 4) for value in _fractions(p))]
            for p in summary.pixels
        ],
    )


def _fractions(pixels: PixelStatistics) -> tuple[float, ...]:
    return pixels.mean, pixels.std, pixels.scaled_mean, pixels.scaled_std, pixels.zero_share


def _split(summary: DatasetSummary) -> str:
    of = "" if summary.subset is None else f" of {summary.subset:,} training images"
    return f"{summary.validation * 100:g} %{of} held out, stratified, seed {summary.seed}"
