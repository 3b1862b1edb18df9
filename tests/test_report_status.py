import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count

import pytest
from small_studies import run_small, small_study, stored

from hpsearch import dispatcher
from hpsearch.home import Home
from hpsearch.report.status import study_status
from hpsearch.report.top import top_rows
from hpsearch.storage import lease, record


@pytest.fixture(params=["Asia/Kolkata", "America/New_York"])
def far_from_greenwich(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_from_greenwich")
def test_trials_after_the_test_are_counted_wherever_the_machine_is(home: Home) -> None:
    run_small(small_study(), home, trials=2, test=True)
    run_small(small_study(), home, trials=3)
    with stored(home) as small:
        test = study_status(small, home=home).test
        rows = top_rows(small, objective="val_accuracy", count=1)
    assert test is not None
    assert test.trials_since == 1
    assert rows[0].start[:16] <= time.strftime("%Y-%m-%dT%H:%M")
    assert rows[0].start[-6:] == time.strftime("%z")[:3] + ":" + time.strftime("%z")[3:]


def test_a_clock_that_is_put_back_makes_no_time_negative(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = (datetime(2026, 11, 21, 12) - timedelta(minutes=n) for n in count())
    for module in (dispatcher, lease, record):
        monkeypatch.setattr(module, "utc_now", lambda: next(moments))
    run_small(small_study(), home, trials=2, test=True)
    run_small(small_study(), home, trials=3)
    with stored(home) as small:
        status = study_status(small, home=home)
        assert all(run.last_alive < run.started for run in small.runs())
    assert status.trials.complete == 3
    assert (status.wall_seconds, status.train_seconds > 0) == (0, True)
    assert status.test is not None
