"""T1 and T2: images a second of the reference networks on Fashion-MNIST, over all workers."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.contest import OURS, Contest, Peer, Setting, hold, peers, run_json
from hpsearch.catalogue import DATASETS
from hpsearch.configuration import resolve
from hpsearch.data.training_set import prepare_training_set
from hpsearch.executors.local import LocalExecutor
from hpsearch.executors.messages import EpochFinished, Task
from hpsearch.records import TrainingKey
from hpsearch.space import Scalar
from hpsearch.spec import Training
from hpsearch.training.plan import Plan

REFERENCE: Mapping[str, Mapping[str, Scalar]] = {
    "cnn": {
        "conv_layers": 2,
        "conv.1.filters": 32,
        "conv.2.filters": 64,
        "dense_layers": 1,
        "dense.1.units": 64,
        "dense.1.dropout": 0.2,
        "output.dropout": 0.0,
    },
    "mlp": {"dense_layers": 2, "dense.units": 128, "dropout": 0.2},
}
_IMAGES = {"cnn": 6_400, "mlp": 51_000}  # an epoch of a few seconds
_WARM_UP_EPOCHS = 1


def measure_throughput(setting: Setting, *, model: str) -> Contest:
    """T1 for "cnn", T2 for "mlp"."""
    measure, goal = {"cnn": ("T1", 3.0), "mlp": ("T2", 8.0)}[model]
    contest = Contest(measure, f"reference {model.upper()}, batch 64", "images/s", goal)
    seconds = 3.0 if setting.quick else 20.0
    contestants: dict[str, Callable[[], float]] = {
        OURS: partial(_our_images_per_s, setting, model, seconds)
    }
    for peer in peers(setting.processes, quick=setting.quick):
        contestants[peer.name] = partial(_peers_images_per_s, setting, peer, model, seconds)
    return hold(contest, contestants, repeats=setting.repeats)


def _peers_images_per_s(setting: Setting, peer: Peer, model: str, seconds: float) -> float:
    arguments = ("throughput", "--model", model, "--seconds", str(seconds))
    answer = run_json(setting.peer_command(peer, *arguments), timeout_s=60 * seconds)
    return float(str(answer["images_per_s"]))


def _our_images_per_s(setting: Setting, model: str, seconds: float) -> float:
    """As the search trains: worker processes that report every epoch."""
    plans = [reference_plan(setting, model, seed=seed) for seed in range(setting.processes)]
    devices = ["cuda:0" if setting.device == "cuda" else "cpu"] * setting.processes
    ends: dict[TrainingKey, list[float]] = defaultdict(list)  # when each epoch was over
    executor = LocalExecutor(devices)
    try:
        for seed, plan in enumerate(plans):
            key = TrainingKey("search", seed)
            executor.submit(Task(key, plan, setting.scratch / f"throughput-{seed}.pt"))
        deadline = float("inf")
        while time.monotonic() < deadline:
            for event in executor.poll(1.0):
                assert isinstance(event, EpochFinished), event
                ends[event.key].append(time.monotonic())
            if deadline == float("inf") and len(ends) == len(plans):
                deadline = time.monotonic() + seconds
        # at least one whole epoch each
        while min(len(times) for times in ends.values()) < _WARM_UP_EPOCHS + 1:
            for event in executor.poll(1.0):
                ends[event.key].append(time.monotonic())
    finally:
        executor.close()
    return sum(_rate(times, images=_IMAGES[model]) for times in ends.values())


def _rate(times: list[float], *, images: int) -> float:
    measured = times[_WARM_UP_EPOCHS - 1 :]
    return images * (len(measured) - 1) / (measured[-1] - measured[0])


def reference_plan(setting: Setting, model: str, *, seed: int) -> Plan:
    """Endless training of a reference network, without validation, as the peers' is."""
    protocol = Training(epochs=100_000, subset=_IMAGES[model], seed=0)
    training_set = prepare_training_set(
        DATASETS["fashion-mnist"],
        protocol,
        data_dir=setting.data_dir,
        cache=Path(setting.scratch) / "cache",
    )
    return Plan(
        configuration=resolve(REFERENCE[model], model="cnn" if model == "cnn" else "mlp"),
        training_set=training_set,
        seed=seed,
        epochs=protocol.epochs,
        stop_after=protocol.epochs,
        objective="val_accuracy",
        early_stopping=None,
        precision="auto",
        train_on="train+validation",
    )
