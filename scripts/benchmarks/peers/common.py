"""What the peers share: the command line, configurations, IDX files, processes, the result line.

A peer is run as `python scripts/benchmarks/peers/<peer>.py throughput|trials ...` and prints one
JSON object on stdout. Nothing here imports a deep-learning library, so that each peer pays for its
own imports only, nor hpsearch, which the peers are compared with.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar

import numpy as np
from numpy.typing import NDArray

TRAINING_IMAGES = 51_000  # 85 % of Fashion-MNIST's 60,000; the last 15 % are for validation
WARM_UP_STEPS = 30
BARRIER_TIMEOUT_S = 300.0

R = TypeVar("R")
Values = dict[str, str | int | float]
"""A configuration as the file gives it: hpsearch's hyperparameter names and their values."""


@dataclass(frozen=True)
class Convolution:
    """A convolution with 'same' padding and ReLU, followed by max-pooling 2 x 2."""

    filters: int
    kernel: int
    stride: int


@dataclass(frozen=True)
class Configuration:
    """One network and how it is trained: Adam, cross-entropy."""

    model: Literal["cnn", "mlp"]
    batch_size: int
    learning_rate: float
    dropout: float  # MLP: before every dense layer, the output too; CNN: once, after flatten
    convolutions: tuple[Convolution, ...]
    dense_units: tuple[int, ...]  # without the output of 10


REFERENCES: Mapping[str, Configuration] = {
    "cnn": Configuration(
        model="cnn",
        batch_size=64,
        learning_rate=0.001,
        dropout=0.2,
        convolutions=(Convolution(32, 3, 1), Convolution(64, 3, 1)),
        dense_units=(64,),
    ),
    "mlp": Configuration(
        model="mlp",
        batch_size=64,
        learning_rate=0.001,
        dropout=0.2,
        convolutions=(),
        dense_units=(128, 128),
    ),
}


@dataclass(frozen=True)
class Machine:
    """What a peer may use of the machine, and where the data is."""

    processes: int
    threads: int  # of each process
    device: Literal["cpu", "cuda"]
    data_dir: Path  # holds FashionMNIST/raw
    loader_workers: int  # processes of each DataLoader; Keras has none


@dataclass(frozen=True)
class Trials:
    """Fixed configurations, each trained for the same epochs on the same images."""

    configurations: list[Values]
    epochs: int
    num_images: int  # at most TRAINING_IMAGES

    @property
    def num_validation_images(self) -> int:
        """As many as the split of 85 / 15 gives beside `num_images`."""
        return round(self.num_images * 15 / 85)


def read_configuration(values: Mapping[str, Any]) -> Configuration:
    """Turn hyperparameters into a network.

    Raises:
        ValueError: a hyperparameter that the peers do not build, which must not go unnoticed.
    """
    rest: dict[str, Any] = {"activation": "relu", "optimizer": "adam", **values}
    convolutions = []
    for layer in range(1, rest.pop("conv_layers", 2) + 1 if rest["model"] == "cnn" else 1):
        filters, kernel, stride = (
            rest.pop(f"conv.{layer}.{name}") for name in ("filters", "kernel", "stride")
        )
        convolutions.append(Convolution(filters, kernel, stride))
    units = rest.pop("dense.units", None)
    configuration = Configuration(
        model=rest.pop("model"),
        batch_size=rest.pop("batch_size"),
        learning_rate=rest.pop("learning_rate"),
        dropout=rest.pop("dropout"),
        convolutions=tuple(convolutions),
        dense_units=(units,) * rest.pop("dense_layers", 0),
    )
    if rest != {"activation": "relu", "optimizer": "adam"}:
        raise ValueError(f"the peers cannot build this configuration: {rest} is left over")
    return configuration


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of bytes, plain or else with `.gz` after its name (yann.lecun.com/mnist)."""
    packed = Path(f"{path}.gz")
    content = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    num_dimensions = content[3]
    shape = np.frombuffer(content, ">i4", count=num_dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * num_dimensions).reshape(shape)


def run_processes(work: Callable[[Barrier], R], num_processes: int) -> list[R]:
    """Run `work` in processes at the same time and return their results, in no special order.

    They are forked: what is imported here is not imported again, as a shell that starts a script
    twice would do. `work` takes the barrier at which all of them may meet.
    """
    context = multiprocessing.get_context("fork")
    barrier, results, errors = (
        context.Barrier(num_processes),
        context.SimpleQueue(),
        context.SimpleQueue(),
    )
    target = partial(_work, work, barrier, results, errors)
    processes = [context.Process(target=target) for _ in range(num_processes)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        # the first is the cause: the others found the barrier broken
        raise SystemExit("a process was killed" if errors.empty() else errors.get())
    return [results.get() for _ in processes]


def _work(
    work: Callable[[Barrier], R],
    barrier: Barrier,
    results: SimpleQueue[R],
    errors: SimpleQueue[str],
) -> None:
    try:
        results.put(work(barrier))
    except BaseException as error:
        errors.put(f"{type(error).__name__}: {error}".splitlines()[0][:1_000])
        barrier.abort()  # or else the others would wait for this process
        raise


def main(
    description: str,
    *,
    measure_throughput: Callable[[Configuration, Machine, float], float],
    train_trials: Callable[[Trials, Machine], list[float | None]],
    packages: tuple[str, ...],
) -> None:
    """Parse the command line, run one of the two and print the result.

    Args:
        description: of the peer, for `--help`.
        measure_throughput: trains a network for some seconds; images a second of all processes.
        train_trials: best validation accuracy of each configuration, None for one that failed.
        packages: whose versions are reported.
    """
    arguments = _parse(description)
    machine = Machine(
        processes=arguments.processes,
        threads=arguments.threads,
        device=arguments.device,
        data_dir=arguments.data_dir,
        loader_workers=arguments.loader_workers,
    )
    stdout = _claim_stdout()
    result: dict[str, Any]
    if arguments.command == "throughput":
        rate = measure_throughput(REFERENCES[arguments.model], machine, arguments.seconds)
        result = {"images_per_s": round(rate, 1), "versions": _versions(packages)}
    else:
        trials = _read_trials(arguments)
        accuracies = train_trials(trials, machine)
        result = {
            "trials": len(trials.configurations),
            "trained": sum(accuracy is not None for accuracy in accuracies),
            "val_accuracy": accuracies,
        }
    print(json.dumps(result), file=stdout, flush=True)


def _parse(description: str) -> argparse.Namespace:
    machine = argparse.ArgumentParser(add_help=False)
    machine.add_argument("--processes", type=int, default=1)
    machine.add_argument("--threads", type=int, default=1, help="of each process")
    machine.add_argument("--data-dir", type=Path, required=True, help="holds FashionMNIST/raw")
    machine.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    machine.add_argument(
        "--loader-workers", type=int, default=0, help="processes of each PyTorch DataLoader"
    )
    parser = argparse.ArgumentParser(description=description)
    commands = parser.add_subparsers(dest="command", required=True)
    throughput = commands.add_parser("throughput", parents=[machine])
    throughput.add_argument("--model", choices=sorted(REFERENCES), required=True)
    throughput.add_argument("--seconds", type=float, required=True)
    trials = commands.add_parser("trials", parents=[machine])
    trials.add_argument("--configs", type=Path, required=True, help="JSON: a list of flat objects")
    trials.add_argument("--epochs", type=int, required=True)
    trials.add_argument("--images", type=int, required=True, help=f"at most {TRAINING_IMAGES}")
    arguments = parser.parse_args()
    if arguments.command == "trials" and arguments.images > TRAINING_IMAGES:
        parser.error(f"--images {arguments.images}: at most {TRAINING_IMAGES}")
    return arguments


def _read_trials(arguments: argparse.Namespace) -> Trials:
    configurations = json.loads(arguments.configs.read_text())
    for values in configurations:
        read_configuration(values)  # what cannot be built is said before anything is trained
    return Trials(configurations, arguments.epochs, arguments.images)


def _claim_stdout() -> TextIO:
    """Keep stdout for the result: what libraries and later processes print goes to stderr."""
    stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return stdout


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    installed = {name: metadata.version(name) for name in packages if _is_installed(name)}
    return {"python": sys.version.split()[0]} | installed


def _is_installed(package: str) -> bool:
    return any(metadata.distributions(name=package))
