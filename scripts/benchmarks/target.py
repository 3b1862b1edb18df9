"""T6: hours until a search of `mlp-fashion` first sees a validation accuracy of 0.895.

Our own search loop runs against recorded curves, so that samplers and pruners are compared in
seconds. A seed whose budget ends before the target costs its whole time; the expected running time
is all seeds' time over the number that met it (Auger & Hansen 2005). Each search goes on to the end
of its 100 trials, to show what those cost and find.
"""

import random
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.curves import Curves, mlp_study
from benchmarks.imageless import NO_IMAGES, open_imageless
from benchmarks.replay import ReplayExecutor
from hpsearch import algorithms
from hpsearch.algorithms import Pruner, Sampler
from hpsearch.devices import physical_cores
from hpsearch.dispatcher import Dispatcher, TrialOutcome
from hpsearch.home import Home
from hpsearch.interruption import Interruption
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.search import Search
from hpsearch.session import Session
from hpsearch.spec import StudySpec

TARGET = 0.895
_SLOTS = 2
_BASELINE = "one epoch of all, the best 5 in full"


def _halving(factor: int, *, last: int | None = None) -> Pruner:
    return algorithms.Halving(reduction_factor=factor, max_resource=last)


_TPE, _RANDOM = algorithms.Tpe(), algorithms.Random()
# Gaussian processes are not among them: a search's proposals alone take minutes of computing
_STRATEGIES: Mapping[str, tuple[Sampler, Pruner]] = {
    "random, no pruning": (_RANDOM, algorithms.NoPruner()),
    "random, halving 2 to epoch 4": (_RANDOM, _halving(2, last=4)),
    "random, halving 3 to epoch 3": (_RANDOM, _halving(3, last=3)),
    "tpe, no pruning": (_TPE, algorithms.NoPruner()),
    "tpe, median": (_TPE, algorithms.Median()),
    "tpe, percentile 25": (_TPE, algorithms.Percentile()),
    "tpe, halving 2": (_TPE, _halving(2)),
    "tpe, halving 2 to epoch 4": (_TPE, _halving(2, last=4)),
    "tpe, halving 2 to epoch 8": (_TPE, _halving(2, last=8)),
    "tpe, halving 3": (_TPE, _halving(3)),
    "tpe, halving 3 to epoch 3": (_TPE, _halving(3, last=3)),
    "tpe, halving 3 to epoch 9": (_TPE, _halving(3, last=9)),
    "tpe, halving 4": (_TPE, _halving(4)),
    "tpe, halving 4 to epoch 4": (_TPE, _halving(4, last=4)),
    "tpe, hyperband 3 to epoch 9": (_TPE, algorithms.Hyperband(max_resource=9)),
    "tpe, hyperband 3 to epoch 27": (_TPE, algorithms.Hyperband(max_resource=27)),
}


@dataclass(frozen=True)
class Outcome:
    """One search against the curves."""

    reached_s: float | None  # until the target
    total_s: float  # until the end of the budget
    best: float  # the best validation accuracy of any epoch


@dataclass(frozen=True)
class Times:
    """A strategy over all seeds."""

    strategy: str
    expected_hours: float | None  # None: no seed met the target
    num_reached: int
    hours: list[float]  # of every seed, to the target or to its end
    total_hours: float  # of the whole budget, the median over the seeds
    best: float  # that it finds, likewise


@dataclass(frozen=True)
class Targets:
    """T6."""

    target: float
    seeds: int  # of the searches
    curve_seeds: int  # of each configuration's curves, which the searches replay
    default: str
    strategies: list[Times]


def measure_target(curves: Curves, *, seeds: int) -> Targets:
    """Compare our default with other strategies and with the baseline."""
    usual = mlp_study().search
    default = f"default: {usual.sampler.name}, {usual.pruner.name}"
    strategies = {default: (usual.sampler, usual.pruner), **_STRATEGIES}
    rows = []
    with ProcessPoolExecutor(max_workers=physical_cores()) as pool:
        for name, (sampler, pruner) in strategies.items():
            run = partial(search, curves, sampler, pruner)
            rows.append(summarize(name, list(pool.map(run, range(seeds)))))
    rows.append(summarize(_BASELINE, [one_epoch_of_all(curves, seed) for seed in range(seeds)]))
    return Targets(TARGET, seeds, len(next(iter(curves.values()))), default, rows)


def summarize(strategy: str, outcomes: Sequence[Outcome]) -> Times:
    """A strategy's outcomes over its seeds."""
    num_reached = sum(outcome.reached_s is not None for outcome in outcomes)
    spent = [o.total_s if o.reached_s is None else o.reached_s for o in outcomes]
    return Times(
        strategy,
        expected_hours=sum(spent) / 3600 / num_reached if num_reached else None,
        num_reached=num_reached,
        hours=[seconds / 3600 for seconds in spent],
        total_hours=statistics.median(outcome.total_s for outcome in outcomes) / 3600,
        best=statistics.median(outcome.best for outcome in outcomes),
    )


def search(curves: Curves, sampler: Sampler, pruner: Pruner, seed: int) -> Outcome:
    """One search of the study's budget with another seed."""
    spec = _seeded(mlp_study(), sampler, pruner, seed)
    executor = ReplayExecutor(curves, num_slots=_SLOTS)
    watch = _Watch(executor)
    with TemporaryDirectory(dir=_memory()) as folder:
        home = Home(Path(folder))
        with open_imageless(home, spec) as record:
            dispatcher = Dispatcher(
                executor,
                record,
                observer=watch,
                interruption=Interruption(),
                keep_alive=lambda: None,
            )
            session = Session(spec, record, dispatcher, NO_IMAGES, home, watch)
            Search(session).run(trials=spec.search.trials, timeout_s=None)
    return Outcome(watch.reached_s, executor.now_s, watch.best)


class _Watch:
    """An observer that notes when an epoch first meets the target, and the best of all."""

    def __init__(self, executor: ReplayExecutor) -> None:
        self.reached_s: float | None = None
        self.best = 0.0
        self._executor = executor

    def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        self.best = max(self.best, metrics.value_of("val_accuracy"))
        if self.reached_s is None and self.best >= TARGET:
            self.reached_s = self._executor.now_s

    def phase(
        self, title: str, *, done: int, total: int, best: tuple[int, float] | None = None
    ) -> None: ...

    def started(self, key: TrainingKey, *, max_epochs: int) -> None: ...

    def warned(self, key: TrainingKey, *, reason: str) -> None: ...

    def ended(self, key: TrainingKey, *, outcome: TrialOutcome, detail: str) -> None: ...

    def remark(self, text: str) -> None: ...

    def tick(self) -> None: ...


def _memory() -> Path | None:
    """A folder in memory, where there is one: the database is thrown away."""
    shm = Path("/dev/shm")
    return shm if shm.is_dir() else None


def _seeded(spec: StudySpec, sampler: Sampler, pruner: Pruner, seed: int) -> StudySpec:
    training = spec.training.model_copy(update={"seed": seed})
    search = spec.search.model_copy(update={"sampler": sampler, "pruner": pruner})
    return replace(spec, training=training, search=search)


def one_epoch_of_all(curves: Curves, seed: int) -> Outcome:
    """Every configuration for one epoch in random order, then the best five in full."""
    rng = random.Random(seed)
    chosen = [rng.choice(curves[configuration]) for configuration in sorted(curves)]
    rng.shuffle(chosen)
    best = sorted(chosen, key=lambda curve: curve[0].val_accuracy, reverse=True)[:5]
    free = [0.0] * _SLOTS  # when each slot is free again
    seen: list[tuple[float, float]] = []  # when an epoch was over, and its accuracy
    for epochs in [curve[:1] for curve in chosen] + [curve[1:] for curve in best]:
        slot = free.index(min(free))
        for epoch in epochs:
            free[slot] += epoch.duration_s
            seen.append((free[slot], epoch.val_accuracy))
    first = min((time for time, accuracy in seen if accuracy >= TARGET), default=None)
    return Outcome(first, max(free), max(accuracy for _, accuracy in seen))
