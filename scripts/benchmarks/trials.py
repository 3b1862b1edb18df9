"""T3 and T4: trials an hour of whole searches, and what of a trial's time is not training.

The same fixed configurations for all, from D4's spaces, three epochs each, nothing pruned, timed
from the start of the process to its exit.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product

from benchmarks.contest import OURS, Contest, ContestantError, Peer, Setting, hold, peers, run_json
from benchmarks.reference import Model
from hpsearch.home import Home
from hpsearch.records import best_epoch
from hpsearch.space import Scalar
from hpsearch.storage.database import open_database
from hpsearch.storage.record import StudyRecord

TRAINING_IMAGES = 51_000  # all but the 15 % for validation
_EPOCHS = 3
_TIMEOUT_S = 6 * 3600.0
# 24 and 48 combinations
_SPACES: Mapping[Model, Mapping[str, list[Scalar]]] = {
    "cnn": {
        "batch_size": [32, 64],
        "learning_rate": [0.01, 0.001],
        "dropout": [0.2],
        "conv_layers": [2],
        "conv.1.filters": [32, 64, 128],
        "conv.1.kernel": [3],
        "conv.1.stride": [1],
        "conv.2.filters": [64],
        "conv.2.kernel": [3, 5],
        "conv.2.stride": [2],
        "dense_layers": [0],
    },
    "mlp": {
        "batch_size": [32, 64],
        "learning_rate": [0.01, 0.001],
        "dropout": [0.1, 0.2],
        "dense_layers": [1, 2, 3],
        "dense.units": [64, 128],
    },
}


@dataclass(frozen=True)
class Overhead:
    """T4: seconds of our last T3 run."""

    model: Model
    trials: int
    wall_s: float
    training_s: float  # of all trials' epochs, over all workers
    around_a_trial_ms: float  # median: its time from ask to tell, less its epochs
    of_the_whole_ms: float  # a trial's share of all that is not training, start and exit included
    share: float  # around_a_trial_ms of a trial's training time


@dataclass
class _Seen:
    """What comes out of the contest beside trials an hour."""

    val_accuracy: dict[str, float] = field(default_factory=dict)  # a check: they train the same
    our_wall_s: float = 0.0  # of the last repeat


def measure_trials(
    setting: Setting, *, model: Model
) -> tuple[Contest, Overhead | None, dict[str, float]]:
    """T3 for a model; with T4, and the mean validation accuracy of each contestant's trials.

    Without T4 where our own search failed.
    """
    configurations = _configurations(model)
    num_images = setting.trial_images
    goal = {"cnn": 2.5, "mlp": 6.0}[model]
    title = f"{len(configurations)} {model.upper()} trials of {num_images:,} images"
    contest = Contest("T3", title, "trials/h", goal)
    seen = _Seen()
    contestants: dict[str, Callable[[], float]] = {
        OURS: partial(_our_trials_per_hour, setting, model, num_images, seen)
    }
    for peer in peers(setting.cores, quick=setting.quick):
        contestants[peer.name] = partial(
            _peers_trials_per_hour, setting, peer, configurations, num_images, seen
        )
    hold(contest, contestants, repeats=1 if setting.quick else setting.repeats)
    overhead = _overhead(setting, model, wall_s=seen.our_wall_s) if contest.ours.samples else None
    return contest, overhead, seen.val_accuracy


def _configurations(model: Model) -> list[dict[str, Scalar]]:
    space = _SPACES[model]
    return [
        {"model": model, **dict(zip(space, values, strict=True))}
        for values in product(*space.values())
    ]


def _our_trials_per_hour(setting: Setting, model: Model, num_images: int, seen: _Seen) -> float:
    study = setting.scratch / f"bench-{model}.toml"
    study.write_text(_study_file(model, num_images))
    trials = len(_configurations(model))
    command = [sys.executable, "-m", "hpsearch", "run", "--study", str(study), "--no-test"]
    command += ["--trials", str(trials), "--restart", "--device", setting.worker_device]
    command += ["--workers", str(setting.workers)]
    if setting.device == "cuda":
        command += ["--workers-per-gpu", str(setting.workers)]
    command += ["--home", str(_home(setting, model).root), "--data-dir", str(setting.data_dir)]
    start = time.perf_counter()
    # its own report is on stderr or in the database: any JSON will do for `run_json`
    run_json(["sh", "-c", '"$@" >&2 && echo "{}"', "sh", *command], timeout_s=_TIMEOUT_S)
    seen.our_wall_s = time.perf_counter() - start
    seen.val_accuracy[OURS] = statistics.mean(_our_accuracies(setting, model))
    return 3600 * trials / seen.our_wall_s


def _study_file(model: Model, num_images: int) -> str:
    subset = "" if num_images == TRAINING_IMAGES else f"subset = {round(num_images / 0.85)}\n"
    space = "\n".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in _SPACES[model].items())
    return f"""dataset = "fashion-mnist"
model = "{model}"
objective = "val_accuracy"

[training]
epochs = {_EPOCHS}
precision = "auto"
validation = 0.15
{subset}
[search]
sampler = "grid"
pruner = "none"

[space]
{space}
"""


def _peers_trials_per_hour(
    setting: Setting,
    peer: Peer,
    configurations: list[dict[str, Scalar]],
    num_images: int,
    seen: _Seen,
) -> float:
    path = setting.scratch / "configurations.json"
    path.write_text(json.dumps(configurations))
    arguments = ("trials", "--configs", str(path), "--epochs", str(_EPOCHS))
    command = setting.peer_command(peer, *arguments, "--images", str(num_images))
    start = time.perf_counter()
    answer = run_json(command, timeout_s=_TIMEOUT_S)
    wall_s = time.perf_counter() - start
    if answer["trained"] != len(configurations):
        raise ContestantError(f"trained {answer['trained']} of {len(configurations)}")
    accuracies = answer["val_accuracy"]
    assert isinstance(accuracies, list)
    seen.val_accuracy[peer.name] = statistics.mean(accuracies)
    return 3600 * len(configurations) / wall_s


def _our_accuracies(setting: Setting, model: Model) -> list[float]:
    with _record(setting, model) as record:
        histories = record.all_epochs(role="search")
    # the best epoch's, as the peers report
    return [
        best_epoch(epochs, objective="val_accuracy").value_of("val_accuracy")
        for epochs in histories.values()
    ]


def _overhead(setting: Setting, model: Model, *, wall_s: float) -> Overhead:
    with _record(setting, model) as record:
        histories = record.all_epochs(role="search")
        trials = record.study.get_trials(deepcopy=False)
    training_s = {k.trial: sum(m.duration_s for m in epochs) for k, epochs in histories.items()}
    around = []
    # the first trial of each worker waits for the worker to start
    for trial in trials[setting.workers :]:
        assert trial.duration is not None
        around.append(trial.duration.total_seconds() - training_s[trial.number])
    total_s = sum(training_s.values())
    around_s = statistics.median(around)
    return Overhead(
        model=model,
        trials=len(trials),
        wall_s=wall_s,
        training_s=total_s,
        around_a_trial_ms=1000 * around_s,
        of_the_whole_ms=1000 * (wall_s * setting.workers - total_s) / len(trials),
        share=around_s / (total_s / len(trials)),
    )


def _home(setting: Setting, model: Model) -> Home:
    return Home(setting.scratch / f"trials-{model}")


@contextmanager
def _record(setting: Setting, model: Model) -> Iterator[StudyRecord]:
    """What our last run left."""
    url = _home(setting, model).database_url
    with closing(open_database(url, create=False)) as database:
        yield StudyRecord.of(database, f"bench-{model}")
