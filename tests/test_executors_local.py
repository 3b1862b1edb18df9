import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest
from small_studies import bench, small_study

from hpsearch.errors import RunFailedError
from hpsearch.executors import local
from hpsearch.executors.inline import InlineExecutor
from hpsearch.executors.local import LocalExecutor, _Process
from hpsearch.executors.messages import (
    Command,
    EpochFinished,
    Event,
    Task,
    TrainingDiverged,
    TrainingFailed,
    TrainingFinished,
    TrainingPaused,
    WorkerLost,
)
from hpsearch.home import Home
from hpsearch.records import EpochMetrics, TrainingKey

ENDLESS = 1_000_000  # epochs
HUGE = 1_048_576  # pixels or units; a matrix of both takes 4 TiB


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    """One worker; every test leaves it without a task."""
    with closing(LocalExecutor(["cpu"])) as executor:
        yield executor


@pytest.fixture(scope="module")
def pair() -> Iterator[LocalExecutor]:
    """Two workers that cannot have 4 TiB, on whatever machine; every test leaves them idle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**40, hard))
    with closing(LocalExecutor(["cpu", "cpu"])) as executor:
        yield executor
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture
def task(home: Home) -> Task:
    with bench(home, small_study(training={"epochs": 3})) as study:
        return study.task(0)


def endless(task: Task, trial: int) -> Task:
    plan = replace(task.plan, epochs=ENDLESS, stop_after=ENDLESS)
    return replace(task, key=TrainingKey("search", trial), plan=plan)


def poll_until(executor: LocalExecutor, kind: type) -> list[Event]:
    """Events up to the first of a kind, which must come within a minute."""
    events: list[Event] = []
    deadline = time.monotonic() + 60  # by the clock: another task's epochs may come in by the dozen
    while time.monotonic() < deadline:
        events += executor.poll(0.5)
        if any(isinstance(event, kind) for event in events):
            return events
    raise AssertionError(f"no {kind.__name__} among {events}")


def too_large(task: Task, trial: int) -> Task:
    data = replace(task.plan.training_set, image_shape=(1, 1, HUGE))
    network = task.plan.configuration.network
    dense = (network.dense[0].model_copy(update={"units": HUGE}),)
    configuration = task.plan.configuration.model_copy(
        update={"network": network.model_copy(update={"dense": dense})}
    )
    plan = replace(task.plan, training_set=data, configuration=configuration)
    return replace(task, key=TrainingKey("search", trial), plan=plan)


def test_an_epoch_is_answered_only_after_the_search_has_decided(task: Task) -> None:
    ours, worker = Pipe()
    key = task.key
    finished = EpochFinished(key, EpochMetrics(1, 0.5, 0.5, 0.5, 0.5, 0.001, 0.1, 1000.0))
    with closing(LocalExecutor([])) as executor, worker:
        idle = subprocess.Popen([sys.executable, "-c", ""])
        executor._processes.append(_Process("cpu", idle, ours, task))
        worker.send(finished)
        assert executor.poll(1) == [finished]
        assert not worker.poll(), "told to go on before anybody looked at the epoch"
        executor.poll(0)
        assert worker.recv() == Command("continue")
        worker.send(finished)
        executor.poll(1)
        executor.stop(key)
        executor.poll(0)
        assert worker.recv() == Command("stop")
        assert not worker.poll()


def timeless(events: list[Event]) -> list[tuple[TrainingKey, EpochMetrics]]:
    return [
        (event.key, replace(event.metrics, duration_s=0, images_per_s=0))
        for event in events
        if isinstance(event, EpochFinished)
    ]


def test_a_worker_gives_the_same_epochs_as_this_process(
    executor: LocalExecutor, task: Task
) -> None:
    executor.submit(task)
    events = poll_until(executor, TrainingFinished)
    inline = InlineExecutor(device="cpu")
    inline.submit(task)
    here = [event for _ in range(5) for event in inline.poll(0)]
    assert timeless(events) == timeless(here)
    assert (events[0], events[4:]) == (here[0], here[4:])


def test_a_stopped_task_frees_its_worker_at_once(executor: LocalExecutor, task: Task) -> None:
    executor.submit(endless(task, 1))
    poll_until(executor, EpochFinished)
    executor.stop(TrainingKey("search", 1))
    executor.submit(task)
    assert {event.key for event in poll_until(executor, TrainingFinished)} == {task.key}


def test_a_paused_task_leaves_a_checkpoint_to_continue_from(
    executor: LocalExecutor, task: Task
) -> None:
    long = endless(task, 2)
    executor.submit(long)
    events = poll_until(executor, EpochFinished)
    events += executor.pause(60)
    assert events[-1] == TrainingPaused(long.key)
    executor.submit(long)
    again = poll_until(executor, EpochFinished)
    assert again[1] == events[1]  # to the time it took: it comes from the checkpoint
    executor.pause(60)


def test_a_killed_workers_task_is_reported_lost_and_another_worker_takes_its_place(
    executor: LocalExecutor, task: Task
) -> None:
    (pid,) = executor.pids
    executor.submit(endless(task, 3))
    poll_until(executor, EpochFinished)
    os.kill(pid, signal.SIGKILL)
    lost = [event for event in poll_until(executor, WorkerLost) if isinstance(event, WorkerLost)]
    reason = "its worker was killed, by the kernel if memory ran out"
    assert lost == [WorkerLost(TrainingKey("search", 3), reason)]
    assert executor.pids != [pid]
    executor.submit(task)
    assert poll_until(executor, TrainingFinished)[-1].key == task.key


def test_a_slot_is_free_after_a_pause_that_took_too_long(
    executor: LocalExecutor, task: Task
) -> None:
    executor.submit(endless(task, 4))
    poll_until(executor, EpochFinished)
    executor.pause(0)  # the worker has no time to answer
    executor.submit(task)
    assert poll_until(executor, TrainingFinished)[-1].key == task.key


def test_closing_leaves_no_process() -> None:
    executor = LocalExecutor(["cpu", "cpu"])
    pids = executor.pids
    executor.close()
    assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids)


@dataclass
class FakeWorkers:
    """Workers that do nothing but what a test says for them."""

    ends: list[tuple[str, Connection]] = field(default_factory=list)
    holders: dict[int, Connection] = field(default_factory=dict)  # by trial

    def start(self, device: str) -> _Process:
        ours, end = Pipe()
        self.ends.append((device, end))
        return _Process(device, subprocess.Popen(["sleep", "600"]), ours, ready=True)

    def begun(self) -> list[tuple[int, str]]:
        """Trial and device of each task that came to a worker since the last call."""
        tasks: list[tuple[int, str]] = []
        for device, end in self.ends:
            for message in received(end):
                if isinstance(message, Task):
                    tasks.append((message.key.trial, device))
                    self.holders[message.key.trial] = end
        return tasks

    def say(self, executor: LocalExecutor, event: Event) -> list[Event]:
        """An event of the worker that has its task, as it comes out of the executor."""
        self.holders[event.key.trial].send(event)
        return list(executor.poll(1))

    def end(self, executor: LocalExecutor, trial: int) -> None:
        event = TrainingDiverged(TrainingKey("search", trial), "")
        assert self.say(executor, event) == [event]


def received(end: Connection) -> Iterator[object]:
    try:
        while end.poll():
            yield end.recv()
    except (EOFError, OSError):  # its worker was started anew
        return


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> FakeWorkers:
    workers = FakeWorkers()
    monkeypatch.setattr(local, "_start", workers.start)
    return workers


def numbered(task: Task, trial: int, *, alone: bool = False) -> Task:
    return replace(task, key=TrainingKey("search", trial), alone=alone)


def test_a_task_is_alone_on_its_device_from_its_beginning_to_its_end(
    workers: FakeWorkers, task: Task
) -> None:
    with closing(LocalExecutor(["cpu"] * 3)) as executor:
        executor.submit(numbered(task, 0))
        executor.submit(numbered(task, 1))
        executor.submit(numbered(task, 2, alone=True))
        assert workers.begun() == [(0, "cpu"), (1, "cpu")]
        workers.end(executor, 0)
        executor.submit(numbered(task, 3))
        assert workers.begun() == [], "3 overtook the one that waits"
        workers.end(executor, 1)
        assert workers.begun() == [(2, "cpu")]
        workers.end(executor, 2)
        assert workers.begun() == [(3, "cpu")]


def test_other_devices_go_on_beside_one_that_is_kept_for_a_task(
    workers: FakeWorkers, task: Task
) -> None:
    with closing(LocalExecutor([*["cuda:0"] * 2, *["cuda:1"] * 3])) as executor:
        for trial in range(4):
            executor.submit(numbered(task, trial))
        assert [device for _, device in workers.begun()] == ["cuda:0"] * 2 + ["cuda:1"] * 2
        workers.end(executor, 0)
        executor.submit(numbered(task, 4, alone=True))
        executor.submit(numbered(task, 5))
        assert workers.begun() == [(5, "cuda:1")], "there is an idle worker for the first device"
        workers.end(executor, 1)
        assert workers.begun() == [(4, "cuda:0")]
        workers.end(executor, 2)
        executor.submit(numbered(task, 6))
        assert workers.begun() == [(6, "cuda:1")]


def test_tasks_that_are_to_be_alone_have_the_device_one_after_another(
    workers: FakeWorkers, task: Task
) -> None:
    with closing(LocalExecutor(["cpu", "cpu"])) as executor:
        for trial in range(2):
            executor.submit(numbered(task, trial, alone=True))
        assert workers.begun() == [(0, "cpu")]
        workers.end(executor, 0)
        assert workers.begun() == [(1, "cpu")]


def test_a_stopped_task_that_waited_never_begins_and_others_may(
    workers: FakeWorkers, task: Task
) -> None:
    with closing(LocalExecutor(["cpu"] * 3)) as executor:
        executor.submit(numbered(task, 0))
        executor.submit(numbered(task, 1, alone=True))
        executor.submit(numbered(task, 2))
        assert workers.begun() == [(0, "cpu")]
        executor.stop(TrainingKey("search", 1))
        assert workers.begun() == [(2, "cpu")]
        workers.end(executor, 0)
        workers.end(executor, 2)
        assert workers.begun() == []


def test_a_stopped_task_leaves_its_device_to_the_one_that_waits(
    workers: FakeWorkers, task: Task
) -> None:
    with closing(LocalExecutor(["cpu", "cpu"])) as executor:
        executor.submit(numbered(task, 0))
        executor.submit(numbered(task, 1, alone=True))
        executor.stop(TrainingKey("search", 0))
        assert workers.begun() == [(0, "cpu"), (1, "cpu")]


def test_a_pause_forgets_a_task_that_waits(workers: FakeWorkers, task: Task) -> None:
    with closing(LocalExecutor(["cpu", "cpu"])) as executor:
        executor.submit(numbered(task, 0))
        executor.submit(numbered(task, 1, alone=True))
        workers.begun()
        paused = TrainingPaused(TrainingKey("search", 0))
        workers.holders[0].send(paused)
        assert executor.pause(1) == [paused]
        executor.poll(0)
        assert workers.begun() == []


def test_the_death_of_a_lone_tasks_worker_frees_the_device(
    workers: FakeWorkers, task: Task
) -> None:
    with closing(LocalExecutor(["cpu", "cpu"])) as executor:
        executor.submit(numbered(task, 0, alone=True))
        executor.submit(numbered(task, 1))
        assert workers.begun() == [(0, "cpu")]
        workers.holders[0].close()
        (lost,) = executor.poll(1)
        assert isinstance(lost, WorkerLost)
        workers.ends = [(device, end) for device, end in workers.ends if not end.closed]
        assert workers.begun() == [(1, "cpu")]


def test_beside_a_lone_task_are_only_fresh_workers(workers: FakeWorkers, task: Task) -> None:
    """Others would keep what their last tasks had, or be in a stopped task's last epoch."""
    with closing(LocalExecutor(["cuda:0", "cuda:1", "cuda:0", "cuda:1"])) as executor:
        before = executor.pids
        executor.submit(numbered(task, 0, alone=True))
        same = [old == new for old, new in zip(before, executor.pids, strict=True)]
        assert same == [True, True, False, True]


@pytest.mark.parametrize(
    ("devices", "submitted_alone", "failed_alone"),
    [
        (["cpu", "cpu"], False, False),
        (["cpu", "cpu"], True, True),
        (["cpu"], False, True),
        (["cuda:0", "cuda:1"], False, True),
        (["cuda:0", "cuda:1", "cuda:0"], False, False),
    ],
)
def test_a_want_of_memory_is_told_with_whether_the_device_was_shared(
    devices: list[str],
    submitted_alone: bool,
    failed_alone: bool,
    workers: FakeWorkers,
    task: Task,
) -> None:
    with closing(LocalExecutor(devices)) as executor:
        executor.submit(numbered(task, 0, alone=submitted_alone))
        workers.begun()
        failed = TrainingFailed(TrainingKey("search", 0), "out-of-memory", "MemoryError: ", "")
        assert workers.say(executor, failed) == [replace(failed, alone=failed_alone)]


def failure(executor: LocalExecutor) -> tuple[int, str, bool, bool]:
    """The next failure: trial, outcome, whether alone, whether it is for want of memory."""
    events = poll_until(executor, TrainingFailed)
    (event,) = [event for event in events if isinstance(event, TrainingFailed)]
    return event.key.trial, event.outcome, event.alone, "DefaultCPUAllocator" in event.reason


def test_a_network_that_fits_nowhere_fails_alone_and_beside_another(
    pair: LocalExecutor, task: Task
) -> None:
    for trial in (1, 2):  # so that both workers are awake, and waiting below is on purpose
        pair.submit(endless(task, trial))
    keys = set()
    while len(keys) < 2:
        keys |= {event.key for event in poll_until(pair, EpochFinished)}
    pair.stop(TrainingKey("search", 2))

    pair.submit(replace(too_large(task, 3), alone=True))
    events = [event for _ in range(50) for event in poll_until(pair, EpochFinished)]
    assert {event.key.trial for event in events} == {1}
    pair.stop(TrainingKey("search", 1))
    assert failure(pair) == (3, "out-of-memory", True, True)

    pair.submit(endless(task, 4))
    poll_until(pair, EpochFinished)
    pair.submit(too_large(task, 5))
    assert failure(pair) == (5, "out-of-memory", False, True)
    pair.stop(TrainingKey("search", 4))


def test_the_task_of_a_worker_that_does_not_start_goes_to_the_next(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_START_LIMIT_S", 0.5)
    with closing(LocalExecutor(["cpu"])) as executor:
        (hung,) = executor.pids
        os.kill(hung, signal.SIGSTOP)
        executor.submit(task)
        assert executor.is_waiting(task.key), "its time does not run yet"
        time.sleep(0.6)
        assert executor.poll(0) == []
        assert executor.pids != [hung]
        assert executor.is_waiting(task.key), "it has not begun, and no death is counted against it"
        monkeypatch.undo()
        assert poll_until(executor, EpochFinished)[-1].key == task.key


def test_a_task_whose_time_is_over_before_it_has_a_worker_is_forgotten(task: Task) -> None:
    with closing(LocalExecutor(["cpu"])) as executor:
        (starting,) = executor.pids
        executor.submit(task)
        os.kill(starting, signal.SIGKILL)
        while executor.pids == [starting]:
            assert executor.poll(0.1) == []
        executor.kill(task.key)
        assert not executor.is_waiting(task.key)


def test_workers_that_never_train_end_the_run(task: Task) -> None:
    def kill_the_newest() -> None:
        os.kill(executor.pids[0], signal.SIGKILL)
        assert executor.poll(5.0) == []

    with closing(LocalExecutor(["cpu"])) as executor:
        executor.submit(task)
        for _ in range(10):
            kill_the_newest()
        with pytest.raises(RunFailedError, match=r"die before they train.*was killed"):
            kill_the_newest()


def test_a_worker_is_dead_also_while_a_child_of_it_keeps_the_connection(task: Task) -> None:
    ours, theirs = Pipe()  # theirs stays open, as a forked child has it
    dead = subprocess.Popen(["sh", "-c", "kill -9 $$"])
    dead.wait()
    with closing(LocalExecutor([])) as executor:
        executor._processes.append(_Process("cpu", dead, ours, task, ready=True))
        (lost,) = executor.poll(0)
        assert isinstance(lost, WorkerLost)
        assert executor.pids != [dead.pid]
    theirs.close()


def test_what_a_worker_started_ends_with_it() -> None:
    script = "import os, time; os.write(1, b'%d\\n' % os.fork()); time.sleep(600)"
    pipe = subprocess.PIPE
    worker = subprocess.Popen(
        [sys.executable, "-c", script], stdout=pipe, start_new_session=True, text=True
    )
    assert worker.stdout is not None
    child = psutil.Process(max(int(worker.stdout.readline()) for _ in range(2)))
    executor = LocalExecutor([])
    executor._processes.append(_Process("cpu", worker, Pipe()[0]))
    executor.close()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running()
    worker.stdout.close()


def test_workers_that_cannot_start_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch does not load')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(local, "_MAX_DEATHS_IN_A_ROW", 1)

    def poll_for_long() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert executor.poll(1.0) == []

    refused = pytest.raises(RunFailedError, match="so: ImportError: libtorch does not load")
    with closing(LocalExecutor(["cpu"])) as executor, refused:
        poll_for_long()
    assert capfd.readouterr().err == ""
