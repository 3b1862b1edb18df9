import json
from typing import Any

import plotly.graph_objects as go
import pytest
from made_searches import MadeSearch
from optuna.trial import TrialState
from optuna_dashboard._custom_plot_data import is_valid_graph_object_id

from hpsearch.dashboard.plots import MOST_POINTS, PLOTS, figure_json, study_plots
from hpsearch.figures.theme import FAINT


def plots_of(making: MadeSearch) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in study_plots(making.snapshot()).items()}


@pytest.fixture
def searched() -> MadeSearch:
    making = MadeSearch()
    making.add(0.5, 0.75)
    making.add(0.25, state=TrialState.PRUNED)
    return making


def test_the_ids_are_those_that_earlier_versions_wrote() -> None:
    # another id would leave the old plot in the dashboard, for ever as it is
    names = ["intermediate", "timeline", "saved", "winner-curves", "confusion"]
    assert list(PLOTS) == [f"hpsearch-{name}" for name in names]
    assert all(is_valid_graph_object_id(name) for name in PLOTS)


def test_a_new_study_has_no_plots() -> None:
    assert plots_of(MadeSearch()) == {}


def test_the_confusion_matrix_comes_with_the_test(searched: MadeSearch) -> None:
    assert plots_of(searched).keys() == PLOTS.keys() - {"hpsearch-confusion"}
    searched.test(0, *[[[7, 1], [0, 1234]]] * 2)
    plots = plots_of(searched)
    assert plots.keys() == PLOTS.keys()
    matrix, *_ = plots["hpsearch-confusion"]["data"]
    assert matrix["text"] == [["14", "2"], ["", "2,468"]]


def test_pruned_trials_are_grey(searched: MadeSearch) -> None:
    lines = {line["name"]: line for line in plots_of(searched)["hpsearch-intermediate"]["data"]}
    assert lines["pruned"]["line"]["color"] == FAINT
    assert lines["pruned"]["y"] == [0.25, None]
    assert lines["best"]["y"] == [0.5, 0.75, None]


def test_every_plot_has_a_title_and_fits_into_the_dashboards_card(searched: MadeSearch) -> None:
    searched.test(0, [[1, 0], [0, 1]])
    for name, plot in plots_of(searched).items():
        assert plot["layout"]["title"]["text"] == PLOTS[name][0]
        assert plot["layout"]["height"] <= 450


def test_plots_of_a_thousand_trials_are_small() -> None:
    making = MadeSearch()
    for number in range(1000):
        length = 25 if number % 10 == 0 else 3
        values = [0.5 + number / 3000 + step / 7e4 for step in range(length)]
        state = TrialState.COMPLETE if length == 25 else TrialState.PRUNED
        making.add(*values, state=state)
    texts = study_plots(making.snapshot())
    points = json.loads(texts["hpsearch-intermediate"])["data"]
    assert sum(len(line["x"]) for line in points) < 2 * MOST_POINTS
    assert sum(map(len, texts.values())) < 150_000
    assert max(map(len, texts.values())) < 90_000


def test_numbers_are_no_longer_than_can_be_seen() -> None:
    figure = go.Figure(go.Scatter(y=[0.123456789, 1.0, None, 12345678.9, -1e-9]))
    (line,) = json.loads(figure_json(figure, title="x"))["data"]
    assert line["y"] == [0.12346, 1, None, 12346000, -1e-9]
