"""T7: a worker's own memory, and how soon the command line answers and trains.

    footprint = measure_footprint(data_dir=data_dir, scratch=scratch, repeats=5)

Memory is the unique set size: what would be free again if this process alone ended. Libraries and
images that several processes map are in nobody's; two workers and a process that only imported
PyTorch are therefore measured in the same moment, so that all of them share the same pages.
"""

import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import psutil

from benchmarks.reference import reference_plan
from hpsearch.executors.local import LocalExecutor
from hpsearch.executors.messages import EpochFinished, Task, TrainingStarted
from hpsearch.home import Home
from hpsearch.records import TrainingKey
from hpsearch.studytables import Training

_NUM_WORKERS = 2
_EPOCHS_BEFORE = 2  # the caches of the first steps and of the first validation are there
_TIMEOUT_S = 600.0
_BARE = "import sys, torch; print(flush=True); sys.stdin.read()"
# 64 images to train on and 12 to validate with: an epoch is one batch
_ONE_BATCH = """
dataset = "fashion-mnist"
model = "mlp"

[training]
epochs = 1
subset = 76
validation = 0.15

[search]
sampler = "random"
pruner = "none"

[space]
batch_size = 64
dense_layers = 2
"dense.units" = 128
dropout = 0.2
learning_rate = { low = 1e-4, high = 1e-2, log = true }
"""


@dataclass(frozen=True)
class Footprint:
    """Medians, and the repeats that they are of."""

    worker_extra_mb: float  # beyond the bare import
    worker_uss_mb: float
    bare_torch_mb: float
    help_s: float  # the whole of `hpsearch --help`
    first_batch_s: float  # in an empty home: data decoded, database made, workers started
    first_batch_again_s: float  # in a home that has both
    repeats: dict[str, list[float]]


def measure_footprint(*, data_dir: Path, scratch: Path, repeats: int) -> Footprint:
    """T7; Fashion-MNIST is in `data_dir` or is downloaded to it."""
    memory = [_memory(data_dir, scratch / "footprint") for _ in range(repeats)]
    samples = {
        "worker_uss_mb": [worker for worker, _ in memory],
        "bare_torch_mb": [bare for _, bare in memory],
        "worker_extra_mb": [worker - bare for worker, bare in memory],
    }
    _help()  # bytecode is written, and files are in the page cache, from here on
    samples["help_s"] = [_timed(_help) for _ in range(repeats)]
    homes = [scratch / f"footprint-{repeat}" for repeat in range(repeats)]
    for name in ("first_batch_s", "first_batch_again_s"):
        samples[name] = [_first_batch_s(home, data_dir, study=name) for home in homes]
    medians = {name: statistics.median(values) for name, values in samples.items()}
    return Footprint(**medians, repeats=samples)


# ---- memory


def _memory(data_dir: Path, folder: Path) -> tuple[float, float]:
    """MB of a worker that trains the reference MLP on all of Fashion-MNIST, and of a bare import.

    The worker's are the mean of two in their first epochs.
    """
    plan = reference_plan("mlp", Training(), data_dir=data_dir, cache=Home(folder).cache)
    with closing(LocalExecutor(["cpu"] * _NUM_WORKERS)) as executor:
        workers = [psutil.Process(pid) for pid in executor.pids]
        with _bare_torch(workers[0].environ()) as bare:
            keys = [TrainingKey("search", number) for number in range(_NUM_WORKERS)]
            # a checkpoint of the repeat before would send its epochs again, and train none
            checkpoints = Path(mkdtemp(dir=folder))
            for key in keys:
                executor.submit(Task(key, plan, checkpoints / f"{key}.pt"))
            _await_epochs(executor, keys)
            return statistics.mean(map(_uss_mb, workers)), _uss_mb(bare)


@contextmanager
def _bare_torch(environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    """A process that imported PyTorch under this environment, and does nothing more."""
    command = [sys.executable, "-c", _BARE]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield psutil.Process(process.pid)  # leaving closes its stdin, which ends it


def _await_epochs(executor: LocalExecutor, keys: list[TrainingKey]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    epochs: Counter[TrainingKey] = Counter()
    while min(epochs[key] for key in keys) < _EPOCHS_BEFORE:
        assert time.monotonic() < deadline, "the workers do not train"
        for event in executor.poll(1.0):
            match event:
                case TrainingStarted():
                    pass
                case EpochFinished(key):
                    epochs[key] += 1
                case _:
                    raise SystemExit(f"a training ended: {event}")


def _uss_mb(process: psutil.Process) -> float:
    return float(process.memory_full_info().uss) / 1e6


# ---- time


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _command(*words: str) -> tuple[list[str], dict[str, str]]:
    """A command of hpsearch and its environment, which lets Python keep bytecode, as installed."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return [sys.executable, "-m", "hpsearch", *words], kept


def _help() -> None:
    command, environment = _command("--help")
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def _first_batch_s(home: Path, data_dir: Path, *, study: str) -> float:
    """From the start of `hpsearch run` to its line on the end of a trial of one batch.

    So it includes Python's start and imports, the data set (decoded in an empty home, checked in
    any), the database (made in an empty home), the workers' start with their import of PyTorch, and
    beyond the batch a validation of 12 images, the records of an epoch and of the trial's end.
    """
    home.mkdir(parents=True, exist_ok=True)
    file = home / f"{study}.toml"
    file.write_text(_ONE_BATCH, encoding="utf-8")
    where = ["--home", str(home), "--data-dir", str(data_dir)]
    words = ["run", "--study", str(file), "--trials", "1", "--no-test", "--device", "cpu", *where]
    command, environment = _command(*words)
    quiet, pipe = subprocess.DEVNULL, subprocess.PIPE
    seen: list[str] = []
    arrived = None
    started = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=quiet, stderr=pipe, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            seen.append(line)
            if line.startswith("[1/1] trial 0 complete"):
                arrived = time.perf_counter()
    assert arrived is not None, "".join(seen)
    return arrived - started
