"""SIGKILL of workers and of the search itself, at random moments all over a study."""

import signal
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from faults.row import Row
from faults.scenario import Ground, places
from faults.search_process import send_signal
from faults.study import Study
from faults.subject import Subject

_DEATHS_ALLOWED = 2  # of one trial's workers within one run: the third fails it, `worker-lost`
_SEARCH_SHARE = 0.3  # of the kills, at least
_SOON_SHARE = 0.25  # of the kills that come before the last one is overcome
_SOON_S = 4.0
_SPREAD = 0.95  # of the study's epochs: the last kills shall not come after its end


@dataclass(frozen=True)
class Kills:
    """Random SIGKILLs, spread over the study by its recorded epochs."""

    faults: int = 100
    trials: int = 100
    epochs: int = 60
    sample: int = 10  # trials to train again

    name: ClassVar = "kills"

    def run(self, ground: Ground) -> Row:
        """Kill, carry on, kill."""
        study = Study(ground.folder, trials=self.trials, epochs=self.epochs)
        random = ground.random
        with Subject(study) as subject:
            killer = _Killer(subject, random)
            subject.start()
            spread = round(_SPREAD * study.total_epochs)
            for place in places(random, total_epochs=spread, count=self.faults):
                is_soon = random.random() < _SOON_SHARE
                if not subject.reach(place) or not (is_soon or subject.recover()):
                    break
                if subject.recoveries.num_pending:
                    subject.pause(random.uniform(0, _SOON_S))
                killer.strike()
            subject.finish()
        struck = killer.struck
        remark = f"{struck['workers']} workers, {struck['search']} x the search"
        return subject.row(self.name, faults=struck.total(), sample=self.sample, remark=remark)


class _Killer:
    """Chooses the victims so that no trial need fail, and counts them."""

    def __init__(self, subject: Subject, random: Random) -> None:
        self.struck: Counter[str] = Counter()
        self._subject = subject
        self._random = random
        # from outside it cannot be told whose worker a process is: each death counts for all trials
        self._deaths: Counter[int] = Counter()

    def strike(self) -> None:
        """Kill a worker, or the search, which is carried on at once."""
        running, workers = self._subject.look().running, self._subject.search.workers
        may_die = all(self._deaths[trial] < _DEATHS_ALLOWED for trial in running)
        if workers and may_die and self._random.random() >= _SEARCH_SHARE:
            send_signal(self._random.choice(workers), signal.SIGKILL)
            self._subject.struck()
            self._deaths.update(running)
            self.struck["workers"] += 1
        else:
            self._subject.search.kill()
            self._subject.struck()
            self._subject.start()
            self._deaths.clear()  # each run counts anew
            self.struck["search"] += 1
