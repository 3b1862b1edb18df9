from itertools import pairwise
from xml.etree import ElementTree

import pytest
from small_studies import epoch

from hpsearch.dashboard.drawings import confusion_svg, curves_svg
from hpsearch.figures.theme import BLUE, VERMILLION

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert("1")</script> & "quoted"'


def drawn(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def lines(root: ElementTree.Element, color: str) -> list[list[tuple[float, ...]]]:
    """The points of every line of a colour, without those of the legend."""
    found = [e.get("points", "") for e in root.iter(f"{SVG}polyline") if e.get("stroke") == color]
    return [[tuple(map(float, point.split(","))) for point in line.split()] for line in found][1:]


def test_better_accuracies_are_higher_and_lower_losses_lower() -> None:
    # made epochs: val_loss is 1 - val_accuracy
    root = drawn(curves_svg("a trial", [[epoch(1, 0.5), epoch(2, 0.75), epoch(3, 0.6)]]))
    accuracy, loss = lines(root, VERMILLION)
    assert accuracy[1][1] < accuracy[2][1] < accuracy[0][1]  # y grows downwards
    assert loss[0][1] < loss[2][1] < loss[1][1]
    assert [x for x, _ in accuracy] == sorted(x for x, _ in accuracy)
    steps = [b[0] - a[0] for a, b in pairwise(accuracy)]
    assert steps[0] == pytest.approx(steps[1])


def test_the_axis_is_from_the_smallest_to_the_largest_value() -> None:
    root = drawn(curves_svg("a trial", [[epoch(1, 0.25), epoch(2, 0.75)]]))
    assert {"0.25", "0.375", "0.5", "0.625", "0.75"} <= set(texts(root))


def test_a_retraining_without_validation_has_training_curves_alone() -> None:
    root = drawn(curves_svg("a trial", [[epoch(1, None), epoch(2, None)]]))
    assert len(lines(root, BLUE)) == 2
    assert lines(root, VERMILLION) == []


@pytest.mark.parametrize("epochs", [[epoch(1, 0.5)], [epoch(1, 0.5), epoch(2, 0.5)]])
def test_a_single_value_can_be_drawn(epochs: list[object]) -> None:
    root = drawn(curves_svg("a trial", [epochs]))  # type: ignore[list-item]
    values = [float(x) for line in lines(root, BLUE) for point in line for x in point]
    assert all(0 <= value <= 800 for value in values)


def test_a_matrix_has_a_cell_a_pair_in_rows_of_true_classes() -> None:
    root = drawn(confusion_svg("test", ["cat", "dog"], [[98, 2], [0, 50]]))
    cells = [e for e in root.iter(f"{SVG}rect") if e.get("width") != "100%"]
    assert len(cells) == 4
    shown = texts(root)
    assert [text for text in shown if text.isdigit()] == ["98", "2", "50"]
    assert shown.count("cat") == shown.count("dog") == 2
    places = {e.text: (e.get("x"), e.get("y")) for e in root.iter(f"{SVG}text")}
    assert places["98"][1] == places["2"][1] != places["50"][1]
    assert places["2"][0] == places["50"][0] != places["98"][0]


def test_a_larger_share_of_a_row_is_darker() -> None:
    root = drawn(confusion_svg("test", ["a", "b"], [[900, 100], [0, 5]]))
    cells = [e.get("fill", "") for e in root.iter(f"{SVG}rect") if e.get("width") != "100%"]
    reds = [int(cell[1:3], 16) for cell in cells]
    assert reds[3] < reds[0] < reds[1] < reds[2]


def test_names_are_text_and_nothing_else() -> None:
    for svg in (
        curves_svg(HOSTILE, [[epoch(1, 0.5)]]),
        confusion_svg(HOSTILE, [HOSTILE, "b"], [[1, 0], [0, 1]]),
    ):
        root = drawn(svg)
        assert HOSTILE in texts(root)
        assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {
            *("svg", "title", "text", "rect"),
            *("polyline", "circle"),
        }
