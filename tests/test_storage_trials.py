import time
from collections.abc import Iterator

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from hpsearch.home import Home
from hpsearch.storage.database import open_database
from hpsearch.storage.trials import read_trials

DISTRIBUTIONS = {
    "x": FloatDistribution(1e-4, 1.0, log=True),
    "layers": IntDistribution(1, 9, step=2),
    "kind": CategoricalDistribution(("a", 1, 2.5, True, None)),
}


@pytest.fixture(params=["UTC", "Asia/Kolkata", "America/St_Johns"], autouse=True)
def timezone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Optuna stores UTC and gives local times."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_trials_are_read_as_optuna_reads_them(any_home: Home) -> None:
    database = open_database(any_home.database_url, create=True)
    storage = database.storage
    other = optuna.create_study(storage=storage, study_name="other")
    other.add_trial(create_trial(value=7.0))
    study = optuna.create_study(storage=storage, study_name="s")
    for kind in ("a", 1, 2.5, True, None):
        params = {"x": 0.5, "layers": 3, "kind": kind}
        study.add_trial(
            create_trial(
                params=params,
                distributions=DISTRIBUTIONS,
                value=float("inf") if kind == "a" else 0.25,
                user_attrs={"outcome": "complete", "list": [1, {"a": None}]},
                system_attrs={"system": 1},
                intermediate_values={3: 1.0, 1: float("-inf"), 2: float("nan")},
            )
        )
    study.add_trial(create_trial(state=TrialState.PRUNED, intermediate_values={1: 0.5}))
    study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={"traceback": "é\n"}))
    study.enqueue_trial({"x": 0.5})
    study.ask()
    study.ask().suggest_float("x", 1e-4, 1.0, log=True)
    several = optuna.create_study(
        storage=storage, study_name="several", directions=["minimize", "maximize"]
    )
    several.add_trial(create_trial(values=[1.0, float("-inf")]))
    for of in (study, several, other):
        read = read_trials(database.engine, of._study_id)
        expected = storage.get_all_trials(of._study_id)
        assert repr(read) == repr(expected), "NaN is not equal to itself"
        assert len(read) == len(expected)
        assert [list(trial.params) for trial in read] == [list(t.params) for t in expected]
    database.close()


def test_a_study_without_trials_has_none(any_home: Home) -> None:
    database = open_database(any_home.database_url, create=True)
    study = optuna.create_study(storage=database.storage)
    assert read_trials(database.engine, study._study_id) == []
    database.close()
