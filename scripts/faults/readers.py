"""Readers beside a search: hpsearch status, optuna-dashboard and Optuna's own command line.

What they cost is wanted without the processor time that anything takes from a machine: the search
has one worker, and all readers share one core, so that the worker has the rest.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.request import urlopen

from faults.row import Row, add_up
from faults.scenario import Ground
from faults.study import Study, open_read_only
from faults.subject import StuckError, Subject

_TIMEOUT_S = 120.0
_POLLS_PER_S = 10
_DURATION = """
SELECT 86400 * (julianday(max(datetime_complete)) - julianday(min(datetime_start))) FROM trials
"""


@dataclass
class _Reader:
    """Something that reads again and again until it is told to stop."""

    read: Callable[[], str]  # what was wrong, if anything
    every_s: float = 0.0
    num_reads: int = 0
    errors: list[str] = field(default_factory=list)

    def loop(self, stop: threading.Event) -> None:
        """Read at a steady pace; a read that takes longer delays the next one."""
        _confine(0)  # this thread, and every process that it starts
        while not stop.is_set():
            began = time.monotonic()
            if wrong := self.read():
                self.errors.append(wrong)
            self.num_reads += 1
            stop.wait(max(0.0, began + self.every_s - time.monotonic()))


def _confine(pid: int) -> None:
    """Leave a process the readers' core only."""
    os.sched_setaffinity(pid, {max(os.sched_getaffinity(0))})


_Crowd = Callable[[Study], AbstractContextManager[Sequence[_Reader]]]


@dataclass(frozen=True)
class Readers:
    """The same search without readers, with a poll ten times a second, and with all of them."""

    rounds: int = 5
    trials: int = 12
    epochs: int = 100
    sample: int = 1  # of each search

    name: ClassVar = "readers"

    def run(self, ground: Ground) -> Row:
        """Time the searches in turn, and read beside two of every three."""
        crowds: list[_Crowd] = [lambda study: nullcontext([]), _dashboard, _everybody]
        rounds = [
            [self._search(ground.folder / f"{number}-{i}", crowd) for i, crowd in enumerate(crowds)]
            for number in range(self.rounds)
        ]
        alone, polled, crowded = zip(*rounds, strict=True)
        polls_per_s = sum(s.num_reads for s in polled) / sum(s.duration_s for s in polled)
        remark = (
            f"with {polls_per_s:.1f} polls a second a search takes {_compare(polled, alone)}, with "
            f"commands beside them {_compare(crowded, alone)} of the time that it takes alone"
        )
        searches = [*alone, *polled, *crowded]
        rows = [
            search.subject.row(self.name, faults=search.num_reads, sample=self.sample)
            for search in searches
        ]
        return add_up(rows, remark=remark)

    def _search(self, folder: Path, crowd: _Crowd) -> "_Search":
        """Run a search with readers beside it."""
        with Subject(Study(folder, self.trials, self.epochs), workers=1) as subject:
            subject.start()
            subject.reach(1)
            with crowd(subject.study) as readers, _reading(readers):
                subject.finish()
            subject.broken += [error for reader in readers for error in reader.errors]
        num_reads = sum(reader.num_reads for reader in readers)
        return _Search(subject, num_reads, _duration_s(subject.study))


@dataclass(frozen=True)
class _Search:
    """One that is through, and how often it was read meanwhile."""

    subject: Subject
    num_reads: int
    duration_s: float


def _compare(some: Sequence[_Search], others: Sequence[_Search]) -> str:
    """Their durations, pair by pair."""
    ratios = [s.duration_s / o.duration_s for s, o in zip(some, others, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


@contextmanager
def _reading(readers: Sequence[_Reader]) -> Iterator[None]:
    """Let them read until the end of the block, each in a thread of its own."""
    stop = threading.Event()
    threads = [threading.Thread(target=reader.loop, args=[stop]) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _duration_s(study: Study) -> float:
    """From the first trial's start to the last one's end."""
    with closing(open_read_only(study.database)) as connection:
        return float(connection.execute(_DURATION).fetchone()[0])


@contextmanager
def _everybody(study: Study) -> Iterator[Sequence[_Reader]]:
    with _dashboard(study) as polls:
        yield [*polls, *_commands(study)]


def _commands(study: Study) -> Iterator[_Reader]:
    """Commands that are run over and over, each as soon as its last run has ended."""
    status = [sys.executable, "-m", "hpsearch", "status", "--study", study.name]
    yield _Reader(lambda: _run([*status, "--home", str(study.home.root)]))
    optuna = shutil.which("optuna", path=f"{Path(sys.executable).parent}:{os.defpath}")
    if optuna is not None:
        where = ["--storage", study.home.database_url]
        yield _Reader(lambda: _run([optuna, "trials", "--study-name", study.name, *where]))


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode == 0 and "locked" not in done.stderr:
        return ""
    said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
    return f"{' '.join(command[:4])} ended with {done.returncode}: {said}"


@contextmanager
def _dashboard(study: Study) -> Iterator[Sequence[_Reader]]:
    """A dashboard that is polled as an open page does it, only more often."""
    port = _free_port()
    address = f"http://127.0.0.1:{port}/api/studies"
    words = ["dashboard", "--home", str(study.home.root), "--port", str(port)]
    log = study.folder / "dashboard.txt"
    poll = _Reader(lambda: _poll(address), every_s=1 / _POLLS_PER_S)
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "hpsearch", *words], stdout=subprocess.DEVNULL, stderr=stderr
        ) as server,
    ):
        _confine(server.pid)  # before it has any other thread
        try:
            _await_answer(address)
            yield [poll]
        finally:
            server.terminate()
    if "locked" in log.read_text():
        poll.errors.append("the dashboard found the database locked")


def _poll(address: str) -> str:
    """The list of studies, and the one study's trials."""
    try:
        with urlopen(address, timeout=_TIMEOUT_S) as answer:
            studies = json.load(answer)["study_summaries"]
        with urlopen(f"{address}/{studies[0]['study_id']}", timeout=_TIMEOUT_S) as answer:
            json.load(answer)
    except (OSError, ValueError) as error:
        return f"a poll of the dashboard failed: {error}"
    return ""


def _await_answer(address: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while _poll(address):
        if time.monotonic() > deadline:
            raise StuckError("the dashboard does not answer")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
