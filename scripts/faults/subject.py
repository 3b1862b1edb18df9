"""A search under test: started, watched, carried on and, in the end, checked.

    with Subject(Study(folder, trials=10, epochs=60)) as subject:
        subject.start()
        subject.reach(100)       # recorded epochs of all trials
        ...                      # harm, and `subject.struck()`
        subject.finish()
    row = subject.row("kills", faults=1, sample=5)

What is not as promised is written down in `broken`, and the scenario goes on.
"""

import signal
import subprocess
import time
from collections.abc import Callable
from types import TracebackType

import psutil

from faults.checker import check_study, replay_sample
from faults.recoveries import Recoveries
from faults.row import Row
from faults.search_process import SearchProcess, find_workers, outlast
from faults.study import Progress, Study, read_progress

ORPHAN_GRACE_S = 10.0  # a worker notices at once that its search is gone, but may be importing
_LOOK_EVERY_S = 0.05
_PATIENCE_S = 300.0  # without a new epoch
_MAX_UNEXPECTED_ENDS = 5


class StuckError(Exception):
    """A search that cannot be brought to go on."""


class Subject:
    """One study and its search."""

    def __init__(self, study: Study, *, workers: int = 2) -> None:
        self.study = study
        self.search = SearchProcess(study, workers=workers)
        self.broken: list[str] = []
        self.recoveries = Recoveries()
        self._unexpected_ends = 0

    def __enter__(self) -> "Subject":
        self.study.write()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.search.close()

    def start(self, *options: str) -> None:
        """Start the search, or carry it on."""
        self.search.start(*options)

    def look(self) -> Progress:
        """The study's progress; faults that are overcome are noted."""
        progress = read_progress(self.study)
        self.recoveries.look(progress)
        return progress

    def struck(self) -> None:
        """Note that a fault strikes, or ends, now."""
        self.recoveries.begin(self.look())

    def reach(self, num_epochs: int) -> bool:
        """Wait until the study has so many epochs; False if its search was over before.

        Raises:
            StuckError: nothing moves, or the search ends again and again.
        """
        return self._await(lambda progress: progress.total_epochs >= num_epochs)

    def recover(self) -> bool:
        """Wait until every fault so far is overcome; False if the search was over before.

        Raises:
            StuckError: nothing moves, or the search ends again and again.
        """
        return self._await(lambda progress: not self.recoveries.num_pending)

    def finish(self) -> None:
        """Wait for the search's own end, and for that of its workers.

        Raises:
            StuckError: nothing moves, or the search ends again and again.
        """
        self._await(lambda progress: False)
        self.look()
        self.expect_no_workers()
        left = self.study.home.checkpoints(self.study.name).glob("*")
        self.broken += [f"left in checkpoints: {path.name}" for path in left]

    def pause(self, duration_s: float) -> None:
        """Let time pass, and keep looking."""
        deadline = time.monotonic() + duration_s
        while (left := deadline - time.monotonic()) > 0:
            self.look()
            time.sleep(min(_LOOK_EVERY_S, left))

    def interrupt(self, number: signal.Signals, *, times: int = 1, within_s: float) -> float:
        """End the search with a signal as the contract says; returns the seconds that it took."""
        began = time.monotonic()
        for _ in range(times):
            self.search.send(number)
            self.search.wait(0.1)
        code = self.search.wait(within_s)
        took_s = time.monotonic() - began
        label = number.name if times == 1 else f"{number.name} twice"
        if code is None:
            self.search.kill()
            self.broken.append(f"{label}: the search still ran after {within_s:g} s")
        elif code != 130:
            self.broken.append(f"{label}: exit code {code}, not 130; said: {self._last_line()}")
        elif "to carry on: hpsearch run" not in self._last_line():
            self.broken.append(f"{label}: no line to carry on; said: {self._last_line()}")
        if "Traceback" in self.search.stderr:
            said = self.search.stderr.partition("Traceback")[2][-1000:]
            self.broken.append(f"{label}: a traceback on stderr: {said}")
        self.expect_no_workers()
        return took_s

    def expect_no_workers(self, orphans: list[psutil.Process] | None = None) -> None:
        """Every worker of this study must end by itself, now that its search is gone."""
        workers = find_workers(self.study.home.root) if orphans is None else orphans
        for process in outlast(workers, grace_s=ORPHAN_GRACE_S):
            self.broken.append(f"worker {process.pid} outlived its search by {ORPHAN_GRACE_S:g} s")

    def expect_refusal(self) -> None:
        """A second search of the study must be refused while the first one is there."""
        second = subprocess.run(
            self.search.command,
            env=self.search.environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        if second.returncode != 2 or f"process {self.search.pid}" not in second.stderr:
            said = " ".join(second.stderr.split()[-40:])
            self.broken.append(f"a second search was not refused: {second.returncode}, {said}")

    def row(self, scenario: str, *, faults: int, sample: int, remark: str = "") -> Row:
        """Check the finished study, train a sample of its trials again, and count."""
        findings = check_study(self.study)
        findings.wrong_epochs += replay_sample(self.study, sample)
        return Row(
            scenario,
            faults=faults,
            lost=len(findings.lost),
            duplicated=len(findings.duplicated),
            ended_by_contract=len(findings.by_contract),
            wrong_epochs=len(findings.wrong_epochs),
            recoveries_s=self.recoveries.seconds,
            broken=[*self.broken, *findings.sentences],
            remark=remark,
        )

    def _await(self, condition: Callable[[Progress], bool]) -> bool:
        newest, since = -1, time.monotonic()
        while True:
            running = self.search.is_running  # before the look: the end writes to the database
            progress = self.look()
            if condition(progress):
                return True
            if not running and not self._carry_on():
                return False
            if progress.total_epochs > newest:
                newest, since = progress.total_epochs, time.monotonic()
            elif time.monotonic() - since > _PATIENCE_S:
                raise StuckError(f"no epoch in {_PATIENCE_S:g} s; stderr: {self._last_line()}")
            time.sleep(_LOOK_EVERY_S)

    def _carry_on(self) -> bool:
        """Start a search again that ended before it was through; False if it was through."""
        code = self.search.wait(0)
        if code == 0:
            return False
        self.broken.append(f"the search ended with {code}: {self._last_line()}")
        self._unexpected_ends += 1
        if self._unexpected_ends > _MAX_UNEXPECTED_ENDS:
            raise StuckError(f"the search ended by itself again: {self._last_line()}")
        self.start()
        return True

    def _last_line(self) -> str:
        return (self.search.stderr.strip().splitlines() or ["nothing"])[-1]
