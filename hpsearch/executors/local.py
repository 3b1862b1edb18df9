"""Runs tasks in persistent worker processes of this machine.

Each worker is a fresh Python process with an environment of its own (threads and visible GPU are
set before it imports PyTorch), in a session of its own (a Ctrl-C in the terminal reaches the
search only), joined to the search by a socket pair that breaks when either side dies.

Workers may share a device. A task that is to be alone waits here until its device is empty, and
others wait here until it has ended.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait

from hpsearch.errors import RunFailedError
from hpsearch.executors.messages import (
    Command,
    EpochFinished,
    Event,
    Ready,
    Task,
    TrainingFailed,
    Unready,
    WorkerLost,
    ends_task,
)
from hpsearch.records import TrainingKey

_MAX_DEATHS_IN_A_ROW = 10  # of workers that train nothing
_START_LIMIT_S = 120.0  # after which a worker that does not say that it is ready hangs
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # glibc hands large feature maps back to the kernel after every step otherwise, and faults their
    # 6,600 pages in again: up to a tenth of a step of 128 filters at 28 x 28
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
}

_SECRETS = ("HPSEARCH_STORAGE", "PGPASSWORD")  # a worker needs no database


@dataclass
class _Process:
    """One worker process and the task that it has."""

    device: str
    popen: subprocess.Popen[bytes]
    connection: Connection
    task: Task | None = None
    ready: bool = False  # it takes some seconds to start
    started: float = field(default_factory=time.monotonic)
    awaits_answer: bool = False  # it has sent an epoch and may still be told to stop
    problem: str = ""  # why it cannot start

    @property
    def key(self) -> TrainingKey | None:
        return None if self.task is None else self.task.key


class LocalExecutor:
    """As many slots as devices are given, a worker process each."""

    def __init__(self, devices: Sequence[str]) -> None:
        self._processes = [_start(device) for device in devices]
        self._waiting: list[Task] = []
        self._deaths_in_a_row = 0  # of workers that had not begun to train

    @property
    def num_slots(self) -> int:
        """The number of workers."""
        return len(self._processes)

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [process.popen.pid for process in self._processes]

    def submit(self, task: Task) -> None:
        """Give the task to an idle worker, at once unless it or another is to be alone."""
        num_busy = sum(process.task is not None for process in self._processes)
        assert num_busy + len(self._waiting) < self.num_slots, "more tasks than workers"
        self._waiting.append(task)
        self._assign()

    def stop(self, key: TrainingKey) -> None:
        """Tell the task's worker to drop it; the slot is free at once."""
        self._waiting = [task for task in self._waiting if task.key != key]
        for process in self._processes:
            if process.key == key:
                process.task, process.awaits_answer = None, False
                self._send(process, Command("stop"))
        self._assign()

    def kill(self, key: TrainingKey) -> None:
        """Put another worker in the place of the task's own, whatever that is doing."""
        self._waiting = [task for task in self._waiting if task.key != key]
        for process in [p for p in self._processes if p.key == key]:
            self._restart(process)
        self._assign()

    def is_waiting(self, key: TrainingKey) -> bool:
        """Whether the task has no worker yet: it or another is to be alone, or its own starts."""
        starting = [p.task for p in self._processes if p.task is not None and not p.ready]
        return any(task.key == key for task in [*self._waiting, *starting])

    def poll(self, timeout_s: float) -> Sequence[Event]:
        """Events that have come in; a dead worker is replaced and its task reported lost.

        The task of one that dies before it is ready has not begun: another worker gets it, unsaid.

        The epochs of the last call that were not answered with `stop` are told to go on now: a
        worker that heard so earlier would train the next epoch of a pruned trial.
        """
        for process in self._processes:
            if process.awaits_answer:
                process.awaits_answer = False
                self._send(process, Command("continue"))
        events: list[Event] = []
        ready = wait([p.connection for p in self._processes], timeout_s)
        for process in list(self._processes):
            if process.connection in ready:
                events += self._receive(process)
            elif process.popen.poll() is not None and not process.connection.poll():
                events += self._replace(process)  # a child of its own keeps the connection open
            elif not process.ready and time.monotonic() - process.started > _START_LIMIT_S:
                events += self._replace(process)
        self._assign()
        return events

    def pause(self, timeout_s: float) -> Sequence[Event]:
        """Ask every worker to checkpoint, wait for those that do in time.

        A task that still waits for its worker is forgotten: it has nothing to save.
        """
        self._waiting.clear()
        for process in self._processes:
            if process.task is not None:
                process.awaits_answer = False
                self._send(process, Command("pause"))
        events: list[Event] = []
        deadline = time.monotonic() + timeout_s
        while any(p.task is not None for p in self._processes):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            events += self.poll(left)
        for process in [p for p in self._processes if p.task is not None]:
            self._restart(process)
        return events

    def close(self) -> None:
        """Kill the workers; a worker has nothing to lose but the epoch in hand."""
        for process in self._processes:
            _end(process)
        self._processes = []

    def _assign(self) -> None:
        """Give waiting tasks, in their order, to the workers that may have them.

        A task that is to be alone keeps later ones from the device with the fewest under way, which
        therefore only become fewer: it gets its device however many come.
        """
        kept = {p.device for p in self._processes if p.task is not None and p.task.alone}
        for task in list(self._waiting):
            if task.alone:
                device = min([p.device for p in self._processes], key=self._num_tasks)
                kept.add(device)
                process = None if self._num_tasks(device) else self._clear(device)
            else:
                idle = (p for p in self._processes if p.task is None and p.device not in kept)
                process = next(idle, None)
            if process is not None:
                self._waiting.remove(task)
                process.task = task
                self._send(process, task)

    def _clear(self, device: str) -> _Process:
        """One of an empty device's workers, after the others were started anew.

        They hold memory of their last tasks, and one that was told to stop is in an epoch still.
        """
        first, *others = [p for p in self._processes if p.device == device]
        for process in others:
            self._restart(process)
        return first

    def _num_tasks(self, device: str) -> int:
        return sum(p.task is not None for p in self._processes if p.device == device)

    def _send(self, process: _Process, message: Task | Command) -> None:
        # a dead one's connection is found broken by the next poll, which reports the loss
        with contextlib.suppress(OSError):
            process.connection.send(message)

    def _receive(self, process: _Process) -> list[Event]:
        try:
            event: Event | Ready | Unready = process.connection.recv()
        except (EOFError, OSError):
            return self._replace(process)
        if isinstance(event, Ready):
            process.ready = True
            return []
        if isinstance(event, Unready):
            process.problem = event.reason
            return []
        self._deaths_in_a_row = 0
        if event.key != process.key:
            return []  # the last word of a task that was stopped
        if isinstance(event, TrainingFailed) and event.outcome == "out-of-memory":
            event = replace(event, alone=self._is_alone(process))
            self._restart(process)  # its memory may be in pieces
        elif isinstance(event, EpochFinished):
            process.awaits_answer = True
        elif ends_task(event):
            process.task = None
        return [event]

    def _is_alone(self, process: _Process) -> bool:
        """Whether no other worker could have memory of its device; an idle one may keep some."""
        assert process.task is not None
        num_workers = sum(p.device == process.device for p in self._processes)
        return process.task.alone or num_workers == 1

    def _replace(self, process: _Process) -> list[Event]:
        """Start another worker in a dead one's place and report the task that it had begun."""
        self._restart(process)
        if process.ready and process.task is not None:
            return [WorkerLost(process.task.key, _how_it_ended(process.popen.returncode))]
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > _MAX_DEATHS_IN_A_ROW:
            how = process.problem or _how_it_ended(process.popen.returncode)
            raise RunFailedError(f"workers die before they train, the last one so: {how}")
        if process.task is not None:
            self._waiting.insert(0, process.task)
        return []

    def _restart(self, process: _Process) -> None:
        _end(process)
        self._processes[self._processes.index(process)] = _start(process.device)


def _start(device: str) -> _Process:
    ours, theirs = socket.socketpair()
    environment = {**os.environ, **_ENVIRONMENT}
    for name in _SECRETS:
        environment.pop(name, None)
    visible = device
    if device.startswith("cuda:"):
        # the worker sees its own GPU only, so that nothing of it can land on another
        environment["CUDA_VISIBLE_DEVICES"] = _physical_gpu(int(device.removeprefix("cuda:")))
        visible = "cuda:0"
    words = [str(theirs.fileno()), visible, str(os.getpid())]
    command = [sys.executable, "-m", "hpsearch.executors.worker", *words]
    popen = subprocess.Popen(
        command,
        env=environment,
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # stdout is the command's, for its result
        start_new_session=True,
    )
    theirs.close()
    return _Process(device, popen, Connection(ours.detach()))


def _how_it_ended(status: int) -> str:
    if status == -signal.SIGKILL:
        return "its worker was killed, by the kernel if memory ran out"
    if status < 0:
        return f"its worker was ended by signal {-status}"
    return f"its worker ended with status {status}"


def _physical_gpu(index: int) -> str:
    """The name of the index-th GPU that this process sees, which may itself see only some."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[index] if visible else str(index)


def _end(process: _Process) -> None:
    """Kill a worker with all that it started."""
    process.connection.close()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.popen.pid, signal.SIGKILL)  # it leads a session, and so a group
    process.popen.kill()
    process.popen.wait()
