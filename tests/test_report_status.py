import time
from collections.abc import Iterator

import pytest
from small_studies import run_small, small_study, stored

from hpsearch.home import Home
from hpsearch.report.status import study_status
from hpsearch.report.top import top_rows


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
    with stored(home) as record:
        test = study_status(record, home=home).test
        rows = top_rows(record, objective="val_accuracy", count=1)
    assert test is not None
    assert test.trials_since == 1
    assert rows[0].start[:16] <= time.strftime("%Y-%m-%dT%H:%M")
    assert rows[0].start[-6:] == time.strftime("%z")[:3] + ":" + time.strftime("%z")[3:]
