import os
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from small_studies import Seen, numbers_of, rows, run_small, small_study, stored

from hpsearch.errors import DeviceError, InterruptedRunError, StudyInUseError
from hpsearch.home import Home
from hpsearch.interruption import Interruption
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.storage.record import OUTCOME
from hpsearch.study import leased


def worker_pids() -> list[int]:
    children = psutil.Process().children()
    return [child.pid for child in children if "hpsearch.executors.worker" in child.cmdline()]


def test_what_a_killed_run_left_of_a_finished_trial_goes_with_the_next_run(home: Home) -> None:
    run_small(small_study(), home, trials=1)
    over, other = (TrainingKey("search", number) for number in (0, 1))
    left = home.checkpoint("small", over)
    for path in (left, left.with_name(f"{left.name}.before"), home.checkpoint("small", other)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    run_small(small_study(), home, trials=1)  # which has nothing else to do
    assert list(home.checkpoints("small").iterdir()) == [home.checkpoint("small", other)]


class Killer(Seen):
    """Kills the worker of trial 0 after some epochs of it, once."""

    def __init__(self) -> None:
        super().__init__()
        self.killed: list[int] = []

    def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        super().epoch(key, metrics)
        if key.trial == 0 and metrics.epoch == 3 and not self.killed:
            self.killed = worker_pids()
            for pid in self.killed:
                os.kill(pid, signal.SIGKILL)


class Interrupter(Seen):
    """Presses Ctrl-C in the second epoch."""

    def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        super().epoch(key, metrics)
        if metrics.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def undisturbed(tmp_path: Path) -> Home:
    return Home(tmp_path / "undisturbed")


def gap_free(home: Home) -> bool:
    with stored(home) as record:
        histories = record.all_epochs(role="search").values()
    return all([m.epoch for m in h] == list(range(1, len(h) + 1)) for h in histories)


def test_two_workers_keep_the_budget_exactly(home: Home) -> None:
    spec = small_study()
    observer = Seen()
    run_small(spec, home, trials=7, workers=2, observer=observer)
    assert worker_pids() == []
    assert len(observer.outcomes) == 7
    run_small(spec, home, trials=9)
    with stored(home) as record:
        assert [state for _, state, _ in rows(record)] == ["COMPLETE"] * 9
        assert [len(run.environment["devices"]) for run in record.runs()] == [2, 1]
        before = rows(record), record.all_epochs(role="search")
    observer = Seen()
    for workers in (0, 2):
        run_small(spec, home, trials=9, workers=workers, observer=observer)
    assert observer.started_keys == observer.phases == []
    with stored(home) as record:
        assert (rows(record), record.all_epochs(role="search")) == before
        assert len(record.runs()) == 2


def test_a_killed_workers_trial_is_continued_under_its_own_number(
    home: Home, undisturbed: Home
) -> None:
    spec = small_study(training={"epochs": 30}, search={"trials": 1})
    observer = Killer()
    run_small(spec, home, workers=1, observer=observer)
    run_small(spec, undisturbed)
    assert observer.killed
    assert observer.started_keys == [TrainingKey("search", 0)] * 2
    with stored(home) as record, stored(undisturbed) as other:
        assert rows(record) == rows(other)
        assert numbers_of(record) == numbers_of(other)


class Hanger(Seen):
    """Stops the worker of trial 0 for ever, in the middle of its training."""

    def __init__(self) -> None:
        super().__init__()
        self.hung: list[int] = []

    def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        super().epoch(key, metrics)
        if key.trial == 0 and not self.hung:
            self.hung = worker_pids()
            for pid in self.hung:
                os.kill(pid, signal.SIGSTOP)


def test_a_trial_that_hangs_is_pruned_by_its_time_limit_and_its_worker_is_freed(
    home: Home,
) -> None:
    spec = small_study(training={"epochs": 30}, search={"trials": 2, "trial_timeout": 600})
    observer = Hanger()
    run_small(spec, home, workers=1, observer=observer, trial_timeout_s=8.0)
    assert observer.hung
    assert not set(observer.hung) & set(worker_pids())
    with stored(home) as record:
        assert [state for _, state, _ in rows(record)] == ["PRUNED", "COMPLETE"]
        attrs = record.study.trials[0].user_attrs
    assert (attrs["outcome"], attrs["reason"]) == ("timeout", "longer than 8 s")
    assert gap_free(home)


def test_the_time_of_an_interrupted_run_counts_to_its_end(home: Home) -> None:
    class Slow(Interrupter):
        def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
            time.sleep(0.5)
            super().epoch(key, metrics)

    with pytest.raises(InterruptedRunError):
        run_small(small_study(training={"epochs": 4}), home, observer=Slow())
    with stored(home) as record:
        (run,) = record.runs()
    assert 1 <= (run.last_alive - run.started).total_seconds() < 5


def test_an_interrupted_run_is_carried_on(home: Home, undisturbed: Home) -> None:
    spec = small_study(training={"epochs": 4}, search={"trials": 2})
    with pytest.raises(InterruptedRunError):
        run_small(spec, home, observer=Interrupter())
    with stored(home) as record:
        assert [state for _, state, _ in rows(record)] == ["RUNNING"]
    run_small(spec, home)
    assert gap_free(home)
    run_small(spec, undisturbed, trials=1)
    with stored(home) as record, stored(undisturbed) as other:
        assert rows(record)[:1] == rows(other)
        assert [state for _, state, _ in rows(record)] == ["COMPLETE"] * 2
        key = TrainingKey("search", 0)
        assert numbers_of(record)[key] == numbers_of(other)[key]


def test_a_study_that_is_searched_is_refused_before_anything_is_written(home: Home) -> None:
    run_small(small_study(), home, trials=1)
    with stored(home) as record:
        with leased(record), pytest.raises(StudyInUseError, match=f"process {os.getpid()} "):
            run_small(small_study(), home)
        assert len(record.runs()) == 1


@pytest.mark.parametrize(("plain", "step"), [(False, "written-out"), (True, "autograd")])
def test_plain_trainings_are_pytorchs_own(home: Home, plain: bool, step: str) -> None:
    run_small(small_study(), home, plain=plain, test=True)
    with stored(home) as record:
        starts = [s for role in ("search", "finalist", "winner") for s in record.starts(role=role)]  # type: ignore[arg-type]
        (run,) = record.runs()
    assert {(s.method, s.run) for s in starts} == {(f"fp32, contiguous, {step}", run.id)}
    assert len(starts) == 3 + 1 + 1
    assert run.environment["plain"] is plain


def test_a_run_that_ends_gives_the_study_and_the_signals_back(home: Home) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(InterruptedRunError):
        run_small(small_study(), home, observer=Interrupter())
    assert signal.getsignal(signal.SIGINT) is before
    with stored(home) as record, leased(record), Interruption() as interruption:
        assert not interruption.requested


def test_a_run_is_recorded_with_what_it_ran_with(home: Home) -> None:
    run_small(small_study(), home, trials=2)
    with stored(home) as record:
        (run,) = record.runs()
        split = record.study.user_attrs["hpsearch:split"]
    assert run.environment["trials"] == 2
    assert (run.environment["devices"], run.environment["inline"]) == (["cpu"], True)
    assert run.environment["split"] == split
    assert {"torch", "optuna"} <= run.environment["packages"].keys()
    assert run.last_alive >= run.started


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cuda:x", ""])
def test_a_device_that_is_not_there_is_refused_before_anything_is_made(
    device: str, home: Home
) -> None:
    with pytest.raises(DeviceError, match="--device"):
        run_small(small_study(), home, device=device)
    assert not home.cache.exists()


def test_two_workers_search_the_real_fashion_mnist(home: Home, data_dir: Path) -> None:
    spec = small_study(
        dataset="fashion-mnist",
        training={"subset": 2000, "epochs": 2, "validation": 0.15},
        space={
            "learning_rate": {"low": 1e-3, "high": 1e-2, "log": True},
            "batch_size": [16, 32],
            "dense.units": 32,
        },
        search={"trials": 4},
    )
    result = run_small(spec, home, workers=2, data_dir=data_dir, test=True)
    assert result.reading is not None
    (tested,) = result.reading.evaluations
    # far above chance, which is 0.1, after 2 epochs of 2,000 images
    assert 0.5 < tested.accuracy < 0.95
    assert [sum(row) for row in tested.confusion] == [1000] * 10
    with stored(home) as record:
        assert Counter(trial.user_attrs[OUTCOME] for trial in record.study.trials) == {
            "complete": 4
        }
        assert {len(epochs) for epochs in record.all_epochs(role="search").values()} == {2}
        # 2,000 images, 15 % held out, seen by each of 2 epochs
        epochs = record.epochs(TrainingKey("search", 0))
        assert epochs[0].images_per_s * epochs[0].duration_s == pytest.approx(1700)
