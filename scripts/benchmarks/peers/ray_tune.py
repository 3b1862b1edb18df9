"""Peer: Ray Tune over the same PyTorch loop as `torch_loop.py`, as Ray's PyTorch example shows.

At most `--processes` trials run at once, each with `--threads` CPUs: Ray starts as many as the CPUs
it is told of allow.
"""

import asyncio
import math
import os
import tempfile
from collections.abc import Callable
from typing import Any

import common
import ray
import torch
import torch_network
from common import Configuration, Machine, Trials
from ray import tune


@ray.remote(num_cpus=0)
class Gate:
    """Lets trials go on when as many as expected have come."""

    def __init__(self, num_trials: int) -> None:
        self._barrier = asyncio.Barrier(num_trials)

    async def wait(self) -> None:
        await self._barrier.wait()


def measure_throughput(configuration: Configuration, machine: Machine, seconds: float) -> float:
    """Images a second, all concurrent trials together.

    Each trial trains in the same window, which a gate opens when all have warmed up, and reports
    its own images a second once, so that starting the trials and reporting are not in the figure.
    """
    _start(machine)
    gate = Gate.remote(machine.processes)

    def train(_: dict[str, Any]) -> None:
        torch.set_num_threads(machine.threads)
        rate = torch_network.measure_rate(
            configuration, machine, seconds, lambda: ray.get(gate.wait.remote())
        )
        tune.report({"images_per_s": rate})

    results = _fit(train, {"trial": tune.grid_search(list(range(machine.processes)))}, machine)
    if results.errors:
        raise results.errors[0]
    return sum(float(result.metrics["images_per_s"]) for result in results)


def train_trials(trials: Trials, machine: Machine) -> list[float | None]:
    """Train a grid of one hyperparameter: the configuration."""
    _start(machine)

    def train(parameters: dict[str, Any]) -> None:
        torch.set_num_threads(machine.threads)
        images = torch_network.load_images(machine)
        configuration = common.read_configuration(parameters["configuration"])
        for accuracy in torch_network.train_epochs(configuration, trials, images, machine):
            tune.report({"val_accuracy": accuracy})

    grid = {"configuration": tune.grid_search(trials.configurations)}
    results = _fit(train, grid, machine)
    return [
        None if result.error else float(result.metrics_dataframe["val_accuracy"].max())
        for result in results
    ]


def _start(machine: Machine) -> None:
    """Start Ray without its web page and without the trials' output, which nobody reads here."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # there may be no network
    ray.init(
        num_cpus=machine.processes * machine.threads,
        num_gpus=1 if machine.device == "cuda" else 0,
        include_dashboard=False,
        log_to_driver=False,
    )


def _fit(
    train: Callable[[dict[str, Any]], None], grid: dict[str, Any], machine: Machine
) -> tune.ResultGrid:
    """Run the trials of a grid; their results are in the grid's order."""
    resources: dict[str, float] = {"cpu": machine.threads}
    if machine.device == "cuda":
        # rounded down to what Ray counts in, or else the last would find too little left
        resources["gpu"] = math.floor(10_000 / machine.processes) / 10_000
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(train, resources),
            param_space=grid,
            # in the favour of Ray: its default starts a process, and imports torch, for every trial
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        return tuner.fit()


if __name__ == "__main__":
    common.main(
        "Ray Tune over a PyTorch loop with a DataLoader",
        measure_throughput=measure_throughput,
        train_trials=train_trials,
        packages=("ray", "torch", "torchvision"),
    )
