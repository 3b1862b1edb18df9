from collections.abc import Iterator

import numpy as np
import pytest
from made_contenders import LABELS, add_fixed_set, add_search
from small_studies import new_database

from hpsearch.figures.comparison.accuracy import get_accuracy_info, plot_accuracy
from hpsearch.figures.comparison.comparison_figures import comparison_figures
from hpsearch.figures.comparison.matrices import (
    get_differences_info,
    get_matrices_info,
    plot_differences,
)
from hpsearch.figures.comparison.time import get_time_info, plot_time
from hpsearch.home import Home
from hpsearch.report.comparison import Comparison, compare
from hpsearch.report.contenders import load_contenders

RIGHT = LABELS
TWO_WRONG = np.array([1, 1, *LABELS[2:]])  # two 0s of four taken for a 1
ONE_WRONG = np.array([1, *LABELS[1:]])


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    home = Home(tmp_path_factory.mktemp("made"))
    with new_database(home) as database:
        add_search(database, home, "one", [RIGHT, TWO_WRONG])
        add_fixed_set(database, home, "set", {"<b>a</b>": [ONE_WRONG], "b": [RIGHT]})
        add_search(database, home, "other", [RIGHT], dataset="mnist")
        yield compare(load_contenders(database, ["one", "set", "other"], home=home))


def test_accuracy_has_a_point_a_seed_and_their_mean(comparison: Comparison) -> None:
    first, second, *_ = get_accuracy_info(comparison)
    assert (first.name, first.seeds, first.accuracies) == ("one", [0, 1], [1.0, 0.8])
    assert (first.mean, first.std) == pytest.approx((0.9, 0.1 * 2**0.5))
    assert (second.name, second.mean, second.std) == ("set:<b>a</b>", 0.9, None)


def test_time_has_every_network(comparison: Comparison) -> None:
    info = get_time_info(comparison)
    assert [(one.name, one.seed, one.train_seconds) for one in info] == [
        ("one", 0, 5.0),
        ("one", 1, 6.0),
        ("set:<b>a</b>", 0, 5.0),
        ("set:b", 0, 5.0),
        ("other", 0, 5.0),
    ]


def test_times_of_different_sizes_are_shown_by_decades(comparison: Comparison) -> None:
    info = get_time_info(comparison)
    assert plot_time(info).layout.xaxis.type == "linear"
    assert plot_time([*info, info[0]._replace(train_seconds=60.0)]).layout.xaxis.type == "log"
    assert plot_time([*info, info[0]._replace(train_seconds=0.0)]).layout.xaxis.type == "linear"


def test_matrices_are_means_over_seeds_and_differences_are_from_the_first(
    comparison: Comparison,
) -> None:
    first = get_matrices_info(comparison)[0]
    assert first.values[0, :2].tolist() == [0.75, 0.25]  # of 1 and 0.5, and of 0 and 0.5
    (group,) = comparison.groups
    one, two = get_differences_info(group)
    assert one.title == "set:<b>a</b>"
    assert one.values[0, :2].tolist() == [0.0, 0.0]
    assert two.values[0, :2].tolist() == [0.25, -0.25]
    assert np.count_nonzero(one.values) == 0


def test_a_difference_of_nothing_has_a_scale(comparison: Comparison) -> None:
    (group,) = comparison.groups
    axis = plot_differences(get_differences_info(group)[:1]).layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-1.0, 1.0)


def test_a_name_is_no_markup_in_a_plot(comparison: Comparison) -> None:
    plot = plot_accuracy(get_accuracy_info(comparison))
    assert "set:&lt;b&gt;a&lt;/b&gt;" in plot.data[1].y
    assert all("<b>" not in figure.plot.to_json() for figure in comparison_figures(comparison))


def test_every_figure_can_be_told_and_written_down(comparison: Comparison) -> None:
    figures = comparison_figures(comparison)
    names = ["accuracy", "time", "confusion", "confusion-difference-1"]
    assert [figure.name for figure in figures] == names
    for figure in figures:
        assert figure.alt.endswith(".")
        assert figure.rows
        assert all(len(row) == len(figure.columns) for row in figure.rows)
    assert len(figures[2].rows) == 4 * 100
