"""SIGSTOP of a worker and of the search for longer than any timeout, then SIGCONT."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from faults.row import Row
from faults.scenario import Ground, places
from faults.search_process import send_signal
from faults.study import Study
from faults.subject import Subject

_EXIT_S = 30.0  # a search waits 10 s for its workers' checkpoints


@dataclass(frozen=True)
class Stops:
    """A worker alone, the search alone, and a stopped worker whose search ends meanwhile."""

    faults: int = 8
    stop_s: float = 70.0  # the lease and SQLite wait 60 s
    trials: int = 16
    epochs: int = 100
    sample: int = 5

    name: ClassVar = "stops"

    def run(self, ground: Ground) -> Row:
        """Stop one after the other, in turn."""
        study = Study(ground.folder, trials=self.trials, epochs=self.epochs)
        kinds = (self._stop_worker, self._stop_search, self._interrupt_beside, self._kill_beside)
        struck = 0
        with Subject(study) as subject:
            subject.start()
            for place in places(ground.random, total_epochs=study.total_epochs, count=self.faults):
                if not subject.reach(place) or not subject.recover():
                    break
                kind: Callable[[Subject], None] = kinds[struck % len(kinds)]
                kind(subject)
                struck += 1
            subject.finish()
        remark = f"{self.stop_s:g} s each"
        return subject.row(self.name, faults=struck, sample=self.sample, remark=remark)

    def _stop_worker(self, subject: Subject) -> None:
        worker = subject.search.workers[0]
        send_signal(worker, signal.SIGSTOP)
        subject.pause(self.stop_s)
        if not send_signal(worker, signal.SIGCONT) and subject.search.is_running:
            subject.broken.append("a stopped worker was ended, although there is no time limit")
        subject.struck()

    def _stop_search(self, subject: Subject) -> None:
        subject.search.send(signal.SIGSTOP)
        subject.pause(self.stop_s / 2)
        subject.expect_refusal()
        subject.pause(self.stop_s / 2)
        subject.search.send(signal.SIGCONT)
        subject.struck()

    def _interrupt_beside(self, subject: Subject) -> None:
        """Ctrl-C while a worker is stopped: it cannot make a checkpoint, and is not waited for."""
        send_signal(subject.search.workers[0], signal.SIGSTOP)
        subject.interrupt(signal.SIGINT, within_s=_EXIT_S)
        subject.struck()
        subject.start()

    def _kill_beside(self, subject: Subject) -> None:
        """A stopped worker that outlives its search ends when it goes on, and disturbs nothing."""
        worker = subject.search.workers[0]
        send_signal(worker, signal.SIGSTOP)
        subject.search.kill()
        subject.struck()
        subject.start()
        subject.pause(min(self.stop_s, 10.0))
        send_signal(worker, signal.SIGCONT)
        subject.expect_no_workers([worker])


@dataclass(frozen=True)
class Hangs:
    """A worker stopped for good: the trial's time limit ends it, and only it."""

    faults: int = 2
    limit_s: float = 30.0  # far more than an undisturbed trial needs
    trials: int = 40  # so many that the other worker has not done all when a hung one is replaced
    epochs: int = 60
    sample: int = 3

    name: ClassVar = "hangs"

    def run(self, ground: Ground) -> Row:
        """Stop a worker, and see the others go on and the stopped one replaced."""
        study = Study(ground.folder, trials=self.trials, epochs=self.epochs)
        struck = 0
        with Subject(study) as subject:
            subject.start("--trial-timeout", f"{self.limit_s:g}s")
            for place in places(
                ground.random, total_epochs=study.total_epochs // 2, count=self.faults
            ):
                if not subject.reach(place) or not subject.recover():
                    break
                send_signal(subject.search.workers[0], signal.SIGSTOP)
                subject.struck()
                struck += 1
            subject.finish()
        row = subject.row(
            self.name, faults=struck, sample=self.sample, remark=f"limit {self.limit_s:g} s"
        )
        if row.ended_by_contract != struck:
            row.broken.append(f"{row.ended_by_contract} trials timed out, not {struck}")
        return row
