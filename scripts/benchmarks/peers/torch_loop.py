"""Peer: the usual Optuna search over a PyTorch loop with torchvision's data set and a DataLoader.

Several processes share an Optuna study in SQLite, as Optuna's page on parallelisation shows.
"""

import tempfile
from multiprocessing.synchronize import Barrier
from pathlib import Path

import common
import optuna
import torch
import torch_network
from common import Configuration, Machine, Trials

_STUDY = "peer"


def measure_throughput(configuration: Configuration, machine: Machine, seconds: float) -> float:
    """Images a second, all processes together."""

    def work(barrier: Barrier) -> float:
        torch.set_num_threads(machine.threads)
        return torch_network.measure_rate(
            configuration, machine, seconds, lambda: barrier.wait(common.BARRIER_TIMEOUT_S)
        )

    return sum(common.run_processes(work, machine.processes))


def train_trials(trials: Trials, machine: Machine) -> list[float | None]:
    """Enqueue the configurations and let every process take trials until none waits."""
    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{Path(folder, 'study.db')}"
        _enqueue(trials, storage)
        common.run_processes(lambda _: _optimize(trials, machine, storage), machine.processes)
        study = optuna.load_study(study_name=_STUDY, storage=storage)
        return [trial.value for trial in study.trials[: len(trials.configurations)]]


def _enqueue(trials: Trials, storage: str) -> None:
    """Enqueue in order: a trial's number is its configuration's index."""
    study = optuna.create_study(study_name=_STUDY, storage=storage, direction="maximize")
    for values in trials.configurations:
        study.enqueue_trial(values)


def _optimize(trials: Trials, machine: Machine, storage: str) -> None:
    torch.set_num_threads(machine.threads)
    images = torch_network.load_images(machine)
    choices = _choices(trials)

    def objective(trial: optuna.Trial) -> float:
        if trial.number >= len(trials.configurations):  # a new one: no enqueued trial waits
            trial.study.stop()
            raise optuna.TrialPruned
        values = trials.configurations[trial.number]
        suggested = {name: trial.suggest_categorical(name, choices[name]) for name in values}
        configuration = common.read_configuration(suggested)
        best = 0.0
        epochs = torch_network.train_epochs(configuration, trials, images, machine)
        for epoch, accuracy in enumerate(epochs):
            trial.report(accuracy, epoch)
            best = max(best, accuracy)
        return best

    study = optuna.load_study(study_name=_STUDY, storage=storage)
    study.optimize(objective, catch=(Exception,))


def _choices(trials: Trials) -> dict[str, list[str | int | float]]:
    """The search space: of each hyperparameter the values that the configurations take."""
    choices: dict[str, list[str | int | float]] = {}
    for values in trials.configurations:
        for name, value in values.items():
            if value not in choices.setdefault(name, []):
                choices[name].append(value)
    return choices


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    common.main(
        "Optuna over a PyTorch loop with a DataLoader",
        measure_throughput=measure_throughput,
        train_trials=train_trials,
        packages=("torch", "torchvision", "optuna"),
    )
