"""The pairs of classes that a network confuses most, either way, with images of each pair."""

from typing import NamedTuple

import plotly.graph_objects as go

from hpsearch.figures.answers import Answers
from hpsearch.figures.confusion import NOT_TESTED, ConfusionInfo, get_confusion_info
from hpsearch.figures.figure import NoFigure, Picture, Shown, StudyFigure
from hpsearch.figures.gallery import plot_gallery
from hpsearch.figures.snapshot import Snapshot
from hpsearch.figures.theme import BLUE, SKY, themed
from hpsearch.figures.wrong_images import COLUMNS, picture_of, row_of

NAME, TITLE = "confused-pairs", "Most confused pairs"
IMAGES_NAME, IMAGES_TITLE = "confused-images", "Images of the most confused pairs"
MOST_PAIRS = 8
_IMAGES_A_PAIR = 8
_PAIRS_WITH_IMAGES = 3


class Pair(NamedTuple):
    """Two classes, the one that is taken for the other more often first."""

    first: str
    second: str
    first_as_second: int  # over all seeds
    second_as_first: int
    share: float  # of both classes' images


def get_pairs_info(confusion: ConfusionInfo | None) -> list[Pair]:
    """The pairs that are confused at all, the most often first."""
    if confusion is None:
        return []
    counts, names = confusion.counts, confusion.names
    pairs = []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            there, back = (i, j) if counts[i][j] >= counts[j][i] else (j, i)
            total = counts[i][j] + counts[j][i]
            share = total / max(sum(counts[i]) + sum(counts[j]), 1)
            pairs.append(
                Pair(names[there], names[back], counts[there][back], counts[back][there], share)
            )
    wrong = [pair for pair in pairs if pair.first_as_second]
    return sorted(wrong, key=lambda pair: -(pair.first_as_second + pair.second_as_first))


def plot_pairs(pairs: list[Pair], *, seeds: int) -> go.Figure:
    """Bars of two parts, one for either way."""
    shown = list(reversed(pairs))
    labels = [f"{pair.first} / {pair.second}" for pair in shown]
    figure = go.Figure()
    parts = (
        ("first taken for second", BLUE, [pair.first_as_second / seeds for pair in shown]),
        ("second taken for first", SKY, [pair.second_as_first / seeds for pair in shown]),
    )
    for name, color, values in parts:
        figure.add_bar(
            x=values,
            y=labels,
            orientation="h",
            name=name,
            marker_color=color,
            hovertemplate="%{y}: %{x:.1f}",
        )
    figure.update_layout(barmode="stack", xaxis_title="test images a seed")
    return themed(figure, height=110 + 32 * len(shown))


def pairs_figure(snapshot: Snapshot) -> Shown:
    """The most confused pairs of the snapshot's reading."""
    confusion = get_confusion_info(snapshot)
    pairs = get_pairs_info(confusion)
    if confusion is None:
        return NoFigure(NAME, TITLE, NOT_TESTED)
    if not pairs:
        return NoFigure(NAME, TITLE, "No class was taken for another.")
    most = pairs[0]
    alt = (
        f"The pairs of classes that are confused most: {most.first} and {most.second} in "
        f"{most.share:.1%} of their images."
    )
    rows: list[tuple[object, ...]] = list(pairs)
    columns = ("first", "second", "first as second", "second as first", "share of both")
    figure = plot_pairs(pairs[:MOST_PAIRS], seeds=confusion.seeds)
    note = f"Mean over {confusion.seeds} seeds." if confusion.seeds > 1 else ""
    return StudyFigure(NAME, TITLE, alt, figure, columns, rows, note)


def pair_images_figure(snapshot: Snapshot, answers: Answers) -> Shown:
    """Images of the most confused pairs, the most confident mistakes of each."""
    names = snapshot.class_names
    if not answers.mistakes:
        return NoFigure(IMAGES_NAME, IMAGES_TITLE, answers.reason)
    pictures: list[Picture] = []
    rows = []
    for pair in get_pairs_info(get_confusion_info(snapshot))[:_PAIRS_WITH_IMAGES]:
        both = {pair.first, pair.second}
        mistakes = [m for m in answers.mistakes if {names[m.true], names[m.predicted]} == both]
        pictures += [picture_of(mistake, names) for mistake in mistakes[:_IMAGES_A_PAIR]]
        rows += [row_of(mistake, names) for mistake in mistakes[:_IMAGES_A_PAIR]]
    if not pictures:
        reason = "The seeds together confuse none of these pairs."
        return NoFigure(IMAGES_NAME, IMAGES_TITLE, reason)
    return StudyFigure(
        IMAGES_NAME,
        IMAGES_TITLE,
        f"{len(pictures)} test images of the {_PAIRS_WITH_IMAGES} most confused pairs.",
        plot_gallery(pictures, cell=120),
        COLUMNS,
        rows,
        f"Of each of the {_PAIRS_WITH_IMAGES} most confused pairs up to {_IMAGES_A_PAIR} images, "
        "the most confident mistakes first.",
        pictures=tuple(pictures),
    )
