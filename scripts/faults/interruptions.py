"""Ctrl-C, SIGTERM, SIGHUP, once and twice, and SIGKILL: how a search ends, and what is left."""

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from faults.row import Row
from faults.scenario import Ground
from faults.study import Study
from faults.subject import StuckError, Subject

ONCE = tuple((number, 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
TWICE = tuple((number, 2) for number, _ in ONCE)
_START_S = 60.0  # until the workers are there


@dataclass(frozen=True)
class Interruptions:
    """Each kind of interruption in the middle of training, and then while the search starts."""

    kinds: Sequence[tuple[signal.Signals, int]] = (*ONCE, *TWICE, (signal.SIGKILL, 1))
    early: bool = True  # also before the first epoch
    within_s: float = 20.0  # a search that waits for checkpoints takes 10 s at most
    trials: int = 16
    epochs: int = 100
    sample: int = 5

    name: ClassVar = "interruptions"

    def run(self, ground: Ground) -> Row:
        """Interrupt, carry on, interrupt."""
        study = Study(ground.folder, trials=self.trials, epochs=self.epochs)
        step = study.total_epochs // (len(self.kinds) + 1)
        took_s: list[float] = []
        with Subject(study) as subject:
            for number, kind in enumerate(self.kinds, start=1):
                subject.start()
                if self.early:
                    _await_workers(subject)
                    took_s.append(self._end(subject, *kind))
                    subject.start()
                if not subject.reach(number * step - ground.random.randrange(step)):
                    break
                subject.recover()
                took_s.append(self._end(subject, *kind))
            if not subject.search.is_running:
                subject.start()
            subject.finish()
        remark = f"longest wait for the exit {max(took_s, default=0.0):.1f} s"
        return subject.row(self.name, faults=len(took_s), sample=self.sample, remark=remark)

    def _end(self, subject: Subject, number: signal.Signals, times: int) -> float:
        """End the search; returns the seconds that it took."""
        subject.struck()
        if number != signal.SIGKILL:
            return subject.interrupt(number, times=times, within_s=self.within_s)
        began = time.monotonic()
        subject.search.kill()
        subject.expect_no_workers()
        return time.monotonic() - began


def _await_workers(subject: Subject) -> None:
    deadline = time.monotonic() + _START_S
    while not subject.search.workers:
        if time.monotonic() > deadline:
            raise StuckError("no worker starts")
        subject.pause(0.05)
