import time
from collections.abc import Iterator
from datetime import datetime

import optuna
import pytest

from hpsearch.times import show_time, show_trial_time, utc_of_trial


@pytest.fixture(autouse=True)
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Kolkata")  # five and a half hours ahead, all year
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_stored_time_is_shown_where_the_machine_is() -> None:
    assert show_time(datetime(2026, 11, 21, 20, 0, 0, 999)) == "2026-11-22T01:30:00+05:30"


def test_a_trials_time_is_local_already() -> None:
    study = optuna.create_study()
    study.tell(study.ask(), 0.5)
    local = study.trials[0].datetime_complete
    assert local is not None
    assert show_trial_time(local) == local.isoformat(timespec="seconds") + "+05:30"
    assert utc_of_trial(datetime(2026, 11, 22, 1, 30)) == datetime(2026, 11, 21, 20, 0)
    assert show_trial_time(None) == ""
