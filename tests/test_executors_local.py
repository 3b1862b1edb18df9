import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from multiprocessing import Pipe

import psutil
import pytest
from small_studies import bench, small_study

from hpsearch.executors.inline import InlineExecutor
from hpsearch.executors.local import LocalExecutor, _Process
from hpsearch.executors.messages import (
    Command,
    EpochFinished,
    Event,
    Task,
    TrainingFinished,
    TrainingPaused,
    WorkerLost,
)
from hpsearch.home import Home
from hpsearch.records import EpochMetrics, TrainingKey

ENDLESS = 1_000_000  # epochs


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    """One worker; every test leaves it without a task."""
    with closing(LocalExecutor(["cpu"])) as executor:
        yield executor


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
    for _ in range(120):
        events += executor.poll(0.5)
        if any(isinstance(event, kind) for event in events):
            return events
    raise AssertionError(f"no {kind.__name__} among {events}")


def test_an_epoch_is_answered_only_after_the_search_has_decided() -> None:
    ours, worker = Pipe()
    key = TrainingKey("search", 0)
    finished = EpochFinished(key, EpochMetrics(1, 0.5, 0.5, 0.5, 0.5, 0.001, 0.1, 1000.0))
    with closing(LocalExecutor([])) as executor, worker:
        idle = subprocess.Popen([sys.executable, "-c", ""])
        executor._processes.append(_Process("cpu", idle, ours, key))
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
    here = [event for _ in range(4) for event in inline.poll(0)]
    assert timeless(events) == timeless(here)
    assert events[3:] == here[3:]


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
    assert again[0] == events[0]  # to the time it took: it comes from the checkpoint
    executor.pause(60)


def test_a_killed_workers_task_is_reported_lost_and_another_worker_takes_its_place(
    executor: LocalExecutor, task: Task
) -> None:
    (pid,) = executor.pids
    executor.submit(endless(task, 3))
    poll_until(executor, EpochFinished)
    os.kill(pid, signal.SIGKILL)
    lost = [event for event in poll_until(executor, WorkerLost) if isinstance(event, WorkerLost)]
    assert lost == [WorkerLost(TrainingKey("search", 3), "its worker ended with status -9")]
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
