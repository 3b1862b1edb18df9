"""All figures of a study, in the order in which they tell its story.

    snapshot = read_snapshot(record, home=home)
    for shown in study_figures(snapshot):
        if isinstance(shown, StudyFigure):
            shown.plot  # a plotly Figure, with shown.title, shown.alt, shown.note, shown.csv()
        else:
            shown.reason  # why there is none, a sentence

What needs the winner's weights or the training images is in `inspection`, as it needs PyTorch.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from hpsearch.figures import (
    class_scores,
    confused_pairs,
    confusion,
    curves,
    history,
    importances,
    intermediate,
    parallel,
    saved,
    slices,
    timeline,
)
from hpsearch.figures.answers import read_answers
from hpsearch.figures.confused_pairs import pair_images_figure
from hpsearch.figures.figure import Shown
from hpsearch.figures.snapshot import Snapshot, view_of
from hpsearch.figures.wrong_images import wrong_images_figure
from hpsearch.storage.record import TestReading

Maker = Callable[[Snapshot], Shown]

SEARCH: Mapping[str, Maker] = MappingProxyType(
    {
        history.NAME: history.history_figure,
        intermediate.NAME: intermediate.intermediate_figure,
        parallel.NAME: parallel.parallel_figure,
        importances.NAME: importances.importances_figure,
        slices.NAME: slices.slices_figure,
        timeline.NAME: timeline.timeline_figure,
        saved.NAME: saved.saved_figure,
    }
)
TESTED: Mapping[str, Maker] = MappingProxyType(
    {
        confusion.NAME: confusion.confusion_figure,
        class_scores.NAME: class_scores.class_scores_figure,
        confused_pairs.NAME: confused_pairs.pairs_figure,
    }
)


def search_figures(snapshot: Snapshot) -> list[Shown]:
    """What the search did."""
    return [make(snapshot) for make in SEARCH.values()]


def winner_figures(snapshot: Snapshot) -> list[Shown]:
    """How the winner was trained, and what it does on the test set."""
    readings = [] if snapshot.reading is None else [snapshot.reading]
    return [curves.curves_figure(snapshot), *_tested_figures(snapshot, readings)]


def configuration_figures(
    snapshot: Snapshot, trials: Sequence[int], readings: Sequence[TestReading]
) -> list[Shown]:
    """How a fixed set's trials of one configuration were trained, and what they do when tested."""
    return [
        curves.configuration_curves(snapshot, trials),
        *_tested_figures(view_of(snapshot, readings), readings),
    ]


def _tested_figures(snapshot: Snapshot, readings: Sequence[TestReading]) -> list[Shown]:
    answers = read_answers(snapshot, readings)
    return [
        *(make(snapshot) for make in TESTED.values()),
        pair_images_figure(snapshot, answers),
        wrong_images_figure(answers, snapshot.class_names),
    ]


def study_figures(snapshot: Snapshot, *, names: Sequence[str] | None = None) -> list[Shown]:
    """Every figure that needs no PyTorch, or those of `SEARCH` that are named."""
    if names is None:
        return [*search_figures(snapshot), *winner_figures(snapshot)]
    return [SEARCH[name](snapshot) for name in names]
