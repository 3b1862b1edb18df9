"""T5: what a proposal, a report, a tell and a page cost as a study grows.

    growth = measure_growth([100, 1_000, 10_000], scratch=scratch)

Every size has a database of its own, filled in bulk with made trials, with two more still running,
as in a search of two workers. From there the search loop's calls are timed, and the same calls of
bare Optuna on a copy, to tell what it costs itself. A page is the JSON that optuna-dashboard's
browser side asks for, not the drawing of it. Nothing is trained here.
"""

import json
import random
import shutil
import socket
import statistics
import subprocess
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import optuna
from optuna.trial import TrialState

from benchmarks.imageless import open_imageless
from benchmarks.made_trials import make_epoch, make_trials, write_trials
from hpsearch.home import Home
from hpsearch.proposals import Proposal, Proposals
from hpsearch.pruners import build_pruner
from hpsearch.records import TrainingKey, best_epoch
from hpsearch.samplers import build_sampler
from hpsearch.spec import StudySpec
from hpsearch.storage.database import open_database
from hpsearch.storage.record import OUTCOME
from hpsearch.studyfiles import find_study_file
from hpsearch.studyparser import parse_study

_NULL = subprocess.DEVNULL
_STUDY = "growth"
_REPEATS, _MIN_REPEATS, _ENOUGH_S = 20, 3, 20.0
_NUM_RUNNING = 2
_MAX_EPOCHS = 3  # of a trial while it is measured, if it is not pruned before
# the dashboard answers from memory for up to ten seconds, and its page asks every ten: without that
# memory a poll costs at once what it costs then
_SERVER = """
from datetime import timedelta
import optuna_dashboard._storage
optuna_dashboard._storage.timedelta = lambda seconds: timedelta(0)
from hpsearch.cli import main
main()
"""


@dataclass(frozen=True)
class GrowthAt:
    """Medians at one size; the search and Optuna grow the study by 20 trials while measured."""

    num_trials: int
    ask_ms: float  # a proposal: asked, suggested, resolved, found to be no repeat
    report_ms: float  # an epoch: into our table, to Optuna, and whether to prune
    tell_ms: float  # a trial's end: its attribute, its best epoch, its value
    page_full_ms: float  # the study's JSON, when the dashboard has just been started
    page_poll_ms: float  # what has changed since, as an open page asks every ten seconds
    status_s: float  # the whole of `hpsearch status`
    top_s: float
    optuna_ask_ms: float  # ask and suggest
    optuna_report_ms: float  # report and should_prune
    optuna_tell_ms: float
    quartiles: dict[str, list[float]]  # lower and upper, by measure and in its unit
    repeats: dict[str, int]


@dataclass(frozen=True)
class Growth:
    """T5."""

    sizes: list[GrowthAt]


def measure_growth(sizes: Sequence[int], *, scratch: Path) -> Growth:
    """T5 at each number of finished trials, in new databases under `scratch`.

    Some minutes for 10,000 trials: a dashboard page, `status` and `top` take seconds each there.
    """
    return Growth([_measure(size, Home(scratch / f"growth-{size}")) for size in sizes])


def _measure(num_trials: int, home: Home) -> GrowthAt:
    spec = _study()
    with open_imageless(home, spec) as record:
        trials = make_trials(spec, num_finished=num_trials, num_running=_NUM_RUNNING)
        write_trials(record, list(trials))
    bare = Home(home.root / "optuna")
    bare.root.mkdir()
    shutil.copy(home.root / "hpsearch.db", bare.root)  # closed, so nothing is left in its WAL
    timings = {
        **_time_pages(home, num_trials=num_trials),
        **{f"{name}_s": _repeat(partial(_command, name, home)) for name in ("status", "top")},
        **_time_search(home, spec),
        **_time_optuna(bare, spec),
    }
    for name, samples in timings.items():
        if name.endswith("_ms"):
            samples[:] = [1000 * sample for sample in samples]
    return GrowthAt(
        num_trials=num_trials,
        quartiles={name: statistics.quantiles(s, n=4)[::2] for name, s in timings.items()},
        repeats={name: len(samples) for name, samples in timings.items()},
        **{name: statistics.median(samples) for name, samples in timings.items()},
    )


def _repeat(action: Callable[[], object]) -> list[float]:
    """The seconds of 20 repeats, or of as many as 20 s allow."""
    samples: list[float] = []
    while len(samples) < _MIN_REPEATS or (len(samples) < _REPEATS and sum(samples) < _ENOUGH_S):
        with _lap(samples):
            action()
    return samples


@contextmanager
def _lap(samples: list[float]) -> Iterator[None]:
    """Add the seconds that are spent in the context."""
    started = time.perf_counter()
    yield
    samples.append(time.perf_counter() - started)


def _study() -> StudySpec:
    """The wide, continuous MLP space under the sampler and pruner of `mlp-fashion`."""
    wide, usual = (
        tomllib.loads(find_study_file(name).read_text(encoding="utf-8"))
        for name in ("mlp-fashion-wide", "mlp-fashion")
    )
    return parse_study({**wide, "search": usual["search"]}, name=_STUDY)


# ---- pages and commands


def _time_pages(home: Home, *, num_trials: int) -> dict[str, list[float]]:
    timings: dict[str, list[float]] = {"page_full_ms": [], "page_poll_ms": []}
    for _ in range(_MIN_REPEATS):
        with _dashboard(home) as port:
            with _lap(timings["page_full_ms"]):
                page = _get(port, "/api/studies/1?after=0")
            assert len(json.loads(page)["trials"]) == num_trials + _NUM_RUNNING
            if not timings["page_poll_ms"]:
                # the page asks for trials from the first that it has not seen finished
                poll = partial(_get, port, f"/api/studies/1?after={num_trials}")
                timings["page_poll_ms"] = _repeat(poll)
    return timings


@contextmanager
def _dashboard(home: Home) -> Iterator[int]:
    """A dashboard's port on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    words = ["-c", _SERVER, "dashboard", "--home", str(home.root), "--port", str(port)]
    server = subprocess.Popen([sys.executable, *words], stdout=_NULL, stderr=_NULL)
    try:
        while server.poll() is None:
            with suppress(ConnectionError):
                _get(port, "/api/meta")
                break
            time.sleep(0.1)
        assert server.poll() is None, "`hpsearch dashboard` does not start"
        yield port
    finally:
        server.terminate()
        server.wait()


def _get(port: int, path: str) -> bytes:
    with closing(HTTPConnection("127.0.0.1", port, timeout=600)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        return answer.read()


def _command(name: str, home: Home) -> None:
    words = ["-m", "hpsearch", name, "--study", _STUDY, "--home", str(home.root)]
    subprocess.run([sys.executable, *words], check=True, stdout=_NULL)


# ---- asking, reporting, telling


def _time_search(home: Home, spec: StudySpec) -> dict[str, list[float]]:
    """The calls of `Search` and `Dispatcher`, in their order."""
    timings: dict[str, list[float]] = defaultdict(list)
    values = random.Random(1)
    with open_imageless(home, spec) as record:
        proposals = Proposals(spec, record.study)
        for _ in range(_REPEATS):
            with _lap(timings["ask_ms"]):
                proposal = proposals.next()
            assert isinstance(proposal, Proposal)
            trial, key = proposal.trial, TrainingKey("search", proposal.trial.number)
            is_pruned, epoch = False, 0
            while epoch < _MAX_EPOCHS and not is_pruned:
                epoch += 1
                metrics = make_epoch(epoch, values.uniform(0.6, 0.9))
                with _lap(timings["report_ms"]):
                    record.add_epoch(key, metrics)
                    trial.report(metrics.value_of(spec.objective), step=epoch)
                    is_pruned = trial.should_prune()
            with _lap(timings["tell_ms"]):
                trial.set_user_attr(OUTCOME, "pruned" if is_pruned else "complete")
                if is_pruned:
                    record.study.tell(trial, state=TrialState.PRUNED)
                else:
                    best = best_epoch(record.epochs(key), objective=spec.objective)
                    record.study.tell(trial, best.value_of(spec.objective))
    return timings


def _time_optuna(home: Home, spec: StudySpec) -> dict[str, list[float]]:
    """The same on a copy of the same trials, without anything of ours."""
    timings: dict[str, list[float]] = defaultdict(list)
    values = random.Random(1)
    with closing(open_database(home.database_url, create=False)) as database:
        study = optuna.load_study(
            study_name=_STUDY,
            storage=database.storage,
            sampler=build_sampler(spec.search.sampler, seed=spec.training.seed, number=0),
            pruner=build_pruner(spec.search.pruner, epochs=spec.training.epochs),
        )
        study.get_trials(deepcopy=False)  # Optuna keeps those that it has seen finished
        for _ in range(_REPEATS):
            with _lap(timings["optuna_ask_ms"]):
                trial = study.ask()
                spec.space.suggest(trial)
            is_pruned, step = False, 0
            while step < _MAX_EPOCHS and not is_pruned:
                step, value = step + 1, values.uniform(0.6, 0.9)
                with _lap(timings["optuna_report_ms"]):
                    trial.report(value, step)
                    is_pruned = trial.should_prune()
            with _lap(timings["optuna_tell_ms"]):
                if is_pruned:
                    study.tell(trial, state=TrialState.PRUNED)
                else:
                    study.tell(trial, value)
    return timings
