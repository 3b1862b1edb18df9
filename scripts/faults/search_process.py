"""`hpsearch run` as a user starts it, and the workers that belong to it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from faults.study import Study

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WORKER = "hpsearch.executors.worker"
_HOME = "HPSEARCH_HOME"  # the workers' command lines do not name the home, but they inherit this


class SearchProcess:
    """The search of one study: started as often as need be, one at a time."""

    def __init__(self, study: Study, *, workers: int = 2) -> None:
        self._study = study
        self._workers = workers
        self._popen: subprocess.Popen[bytes] | None = None
        self._log = study.folder / "stderr.txt"

    def start(self, *options: str) -> None:
        """Start it, in a session of its own as from another terminal."""
        assert not self.is_running, "one search at a time"
        with self._log.open("wb") as log, _default_signals():
            self._popen = subprocess.Popen(
                [*self.command, *options],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    @property
    def command(self) -> list[str]:
        """The command, the same for every start."""
        study = self._study
        where = ["--study", str(study.file), "--home", str(study.home.root)]
        how = ["--workers", str(self._workers), "--device", "cpu", "--no-test"]
        return [sys.executable, "-m", "hpsearch", "run", *where, *how]

    @property
    def environment(self) -> dict[str, str]:
        """By which its workers are told from those of other searches."""
        return {**os.environ, _HOME: str(self._study.home.root)}

    @property
    def is_running(self) -> bool:
        """Whether the process is there, stopped or not."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        """Of the last start."""
        assert self._popen is not None
        return self._popen.pid

    @property
    def stderr(self) -> str:
        """What the last start has said so far."""
        return self._log.read_text(errors="replace")

    def wait(self, timeout_s: float) -> int | None:
        """The exit code; None if it is still running after so long."""
        assert self._popen is not None
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        assert self._popen is not None
        self._popen.send_signal(number)

    def kill(self) -> None:
        """End it as the kernel would for want of memory."""
        self.send(signal.SIGKILL)
        self.wait(60)

    @property
    def workers(self) -> list[psutil.Process]:
        """Its own, not those that an earlier start left behind."""
        return [
            process for process in find_workers(self._study.home.root) if self._is_ours(process)
        ]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return bool(process.ppid() == self.pid)
        except psutil.NoSuchProcess:
            return False

    def close(self) -> None:
        """Leave no process behind, stopped or not."""
        if self.is_running:
            self.kill()
        for process in find_workers(self._study.home.root):
            send_signal(process, signal.SIGKILL)


@contextmanager
def _default_signals() -> Iterator[None]:
    """What starts meanwhile ignores no signal, as it would if this process is in the background."""
    handlers = {number: signal.signal(number, signal.SIG_DFL) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def find_workers(home: Path) -> list[psutil.Process]:
    """Every live worker process of a home, whoever its parent is."""
    return list(_workers(home))


def _workers(home: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if (
                process.status() != psutil.STATUS_ZOMBIE
                and _WORKER in process.cmdline()
                and process.environ().get(_HOME) == str(home)
            ):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def outlast(processes: Sequence[psutil.Process], *, grace_s: float) -> list[psutil.Process]:
    """Those that are still there after the grace."""
    deadline = time.monotonic() + grace_s
    while (left := [p for p in processes if _is_alive(p)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.is_running())
    except psutil.NoSuchProcess:
        return False


def send_signal(process: psutil.Process, number: signal.Signals) -> bool:
    """Send a process a signal; False if it is gone."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True
