"""What is written must be what optuna-dashboard's own functions write: they are the reference."""

from typing import Any

import optuna
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.artifacts import ArtifactMeta, get_all_artifact_meta
from optuna_dashboard import get_note, save_note, save_plotly_graph_object
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from optuna_dashboard.artifact._backend import list_trial_artifacts

from hpsearch.dashboard.attributes import (
    artifact_key,
    artifact_value,
    artifacts_of,
    note_attributes,
    note_of,
    plot_attributes,
)

bodies = st.text("aé|", max_size=3).flatmap(
    lambda text: st.sampled_from([text, text * 700, "x" * 2045, "x" * 2046, "y" * 9000])
)


def new_study() -> optuna.Study:
    return optuna.create_study()


def attributes(study: optuna.Study) -> dict[str, Any]:
    return study._storage.get_study_system_attrs(study._study_id)


def write(study: optuna.Study, values: dict[str, Any]) -> None:
    for key, value in values.items():
        study._storage.set_study_system_attr(study._study_id, key, value)


@given(st.lists(bodies, min_size=1, max_size=4))
def test_a_note_is_kept_as_the_dashboard_keeps_it(written: list[str]) -> None:
    ours, theirs = new_study(), new_study()
    for body in written:
        changes = note_attributes(attributes(ours), body)
        if changes:
            save_note(theirs, body)
        write(ours, changes)
        assert get_note(ours) == note_of(attributes(ours)) == body
    assert attributes(ours) == attributes(theirs)


def test_a_note_that_is_the_same_has_no_new_version() -> None:
    study = new_study()
    save_note(study, "as it was")
    assert note_attributes(attributes(study), "as it was") == {}
    assert note_attributes(attributes(study), "new")["dashboard:note_ver"] == 2


@pytest.mark.parametrize("sizes", [[1], [3000], [3000, 10], [10, 3000, 500]])
def test_a_plot_is_kept_as_the_dashboard_keeps_it(sizes: list[int]) -> None:
    ours, theirs = new_study(), new_study()
    for size in sizes:
        figure = go.Figure(go.Scatter(y=list(range(size))))
        save_plotly_graph_object(theirs, figure, graph_object_id="hpsearch-x")
        write(ours, plot_attributes(attributes(ours), "hpsearch-x", figure.to_json()))
        assert get_plotly_graph_objects(attributes(ours)) == {"hpsearch-x": figure.to_json()}
    assert attributes(ours) == attributes(theirs)


META = ArtifactMeta("0-1", "curves.svg", "image/svg+xml", None)


def test_optuna_lists_an_artifact_of_the_study() -> None:
    study = new_study()
    write(study, {artifact_key("0-1"): artifact_value(META)})
    assert get_all_artifact_meta(study) == [META]


def test_the_dashboard_lists_an_artifact_of_a_finished_trial_and_of_no_other() -> None:
    study = new_study()
    study.optimize(lambda trial: 1.0, n_trials=12)
    trials = study.get_trials()
    key = artifact_key("0-1", trial_id=trials[1]._trial_id)
    write(study, {key: artifact_value(META)})
    listed = [list_trial_artifacts(attributes(study), {}, trial) for trial in trials]
    assert [len(metas) for metas in listed] == [0, 1, *[0] * 10]
    assert ArtifactMeta(**listed[1][0]) == META


def test_an_artifact_that_a_user_deleted_is_none() -> None:
    there = {artifact_key("0-1"): artifact_value(META), artifact_key("0-2"): "null", "other": "x"}
    assert artifacts_of(there) == {"artifacts:0-1": META}
