"""The plots that the dashboard has not itself, small enough to be kept in its database.

What is drawn is `figures`'; here are fewer points, shorter numbers, a title, and the height of the
dashboard's cards.
"""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import plotly.graph_objects as go

from hpsearch.figures import confusion, curves, intermediate, saved, timeline
from hpsearch.figures.snapshot import Snapshot

MOST_POINTS = 2_000  # of a plot; 20 to 40 bytes each
_MOST_BARS = 500
_HEIGHT = 430  # pixels; the dashboard's cards are 450 high
_TOP = 90  # of them for the title and two lines of legend
_DIGITS = 5  # of a number

Maker = Callable[[Snapshot], go.Figure | None]


def _intermediate(snapshot: Snapshot) -> go.Figure | None:
    info = intermediate.get_intermediate_info(snapshot)
    return intermediate.plot_intermediate(info, most_points=MOST_POINTS) if info.curves else None


def _timeline(snapshot: Snapshot) -> go.Figure | None:
    info = timeline.get_timeline_info(snapshot)
    newest = info._replace(spans=info.spans[-_MOST_BARS:])
    return timeline.plot_timeline(newest) if info.spans else None


def _saved(snapshot: Snapshot) -> go.Figure | None:
    info = saved.get_saved_info(snapshot)
    newest = info._replace(rows=info.rows[-_MOST_BARS:])
    return saved.plot_saved(newest) if info.rows else None


def _confusion(snapshot: Snapshot) -> go.Figure | None:
    info = confusion.get_confusion_info(snapshot)
    return None if info is None else confusion.plot_confusion(info, is_small=True)


def _curves(snapshot: Snapshot) -> go.Figure | None:
    info = curves.get_curves_info(snapshot)
    if info is None or not any(info.trainings.values()):
        return None
    points = sum(4 * len(epochs) for epochs in info.trainings.values())
    every = -(-points // MOST_POINTS)  # of long trainings, every other epoch or so
    thinned = {key: epochs[::every] for key, epochs in info.trainings.items()}
    return curves.plot_curves(info._replace(trainings=thinned))


# by the id that the dashboard knows a plot by: it must not change
PLOTS: Mapping[str, tuple[str, Maker]] = MappingProxyType(
    {
        "hpsearch-intermediate": ("Every trial by epoch, pruned ones in grey", _intermediate),
        "hpsearch-timeline": ("Timeline by worker", _timeline),
        "hpsearch-saved": ("What pruning and early stopping saved", _saved),
        "hpsearch-winner-curves": (
            "Trainings of the best trial, or of the winner",
            _curves,
        ),
        "hpsearch-confusion": ("Confusion matrix of the test", _confusion),
    }
)


def study_plots(snapshot: Snapshot) -> dict[str, str]:
    """The plots that can be drawn by now, as Plotly's JSON by id."""
    made = {name: (title, make(snapshot)) for name, (title, make) in PLOTS.items()}
    return {
        name: figure_json(figure, title=title)
        for name, (title, figure) in made.items()
        if figure is not None
    }


def figure_json(figure: go.Figure, *, title: str) -> str:
    """A figure in the size of a card, with its title, and no digit that nobody sees."""
    figure.update_layout(
        title={"text": title, "x": 0, "xref": "paper", "y": 0.98, "yref": "container"},
        margin={"t": _TOP},
        height=_HEIGHT,
    )
    return json.dumps(_short(json.loads(figure.to_json())), separators=(",", ":"))


def _short(value: Any) -> Any:
    if isinstance(value, float):
        short = float(f"{value:.{_DIGITS}g}")
        return int(short) if short.is_integer() else short
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list) else value
