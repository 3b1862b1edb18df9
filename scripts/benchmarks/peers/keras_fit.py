"""Peer: Keras `fit` on TensorFlow, which KerasTuner and Talos run for every trial.

The trials are a plain loop over the configurations, so no tuner's own overhead is counted. Each
process takes the next configuration that nobody has taken.
"""

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier

import common
from common import Configuration, Machine, Trials


def measure_throughput(configuration: Configuration, machine: Machine, seconds: float) -> float:
    """Images a second, all processes together."""

    def work(barrier: Barrier) -> float:
        _set_environment(machine)
        import keras_network  # TensorFlow reads the environment when it is imported

        keras_network.set_up(machine)
        return keras_network.measure_rate(
            configuration, machine, seconds, lambda: barrier.wait(common.BARRIER_TIMEOUT_S)
        )

    return sum(common.run_processes(work, machine.processes))


def train_trials(trials: Trials, machine: Machine) -> list[float | None]:
    """Train every configuration once, in whichever process is free."""
    num_taken = multiprocessing.get_context("fork").Value("i", 0)

    def work(_: Barrier) -> dict[int, float]:
        _set_environment(machine)
        import keras_network  # TensorFlow reads the environment when it is imported

        keras_network.set_up(machine)
        images, labels = keras_network.load_images(machine.data_dir)
        best = {}
        for index in _take(num_taken, len(trials.configurations)):
            configuration = common.read_configuration(trials.configurations[index])
            best[index] = keras_network.train(configuration, trials, images, labels)
        return best

    best: dict[int, float] = {}
    for part in common.run_processes(work, machine.processes):
        best |= part
    return [best.get(index) for index in range(len(trials.configurations))]


def _take(num_taken: "Synchronized[int]", num_trials: int) -> Iterator[int]:
    """Yield the indices that this process is the first to ask for."""
    while True:
        with num_taken.get_lock():
            index = num_taken.value
            num_taken.value += 1
        if index >= num_trials:
            return
        yield index


def _set_environment(machine: Machine) -> None:
    os.environ |= {
        "KERAS_BACKEND": "tensorflow",
        "OMP_NUM_THREADS": str(machine.threads),
        "TF_NUM_INTRAOP_THREADS": str(machine.threads),
        "TF_NUM_INTEROP_THREADS": str(machine.threads),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


if __name__ == "__main__":
    common.main(
        "Keras fit on TensorFlow",
        measure_throughput=measure_throughput,
        train_trials=train_trials,
        packages=("keras", "tensorflow-cpu", "tensorflow"),
    )
