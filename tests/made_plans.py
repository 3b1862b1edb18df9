"""Short trainings on the digits."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from hpsearch.configuration import resolve
from hpsearch.data.tensors import DeviceData, load_device_data
from hpsearch.data.training_set import TrainingSet
from hpsearch.records import EpochMetrics, Method
from hpsearch.space import Scalar
from hpsearch.training.checkpoint import load_checkpoint, save_checkpoint
from hpsearch.training.device import prepare_device
from hpsearch.training.epochs import Training
from hpsearch.training.plan import Plan

CPU = torch.device("cpu")
METHOD = Method("fp32", "contiguous", "written-out")  # of a plain MLP on a CPU
MLP: Mapping[str, Scalar] = {"dense.units": 24, "dropout": 0.2, "batch_size": 32}
CNN: Mapping[str, Scalar] = {
    "conv.1.filters": 6,
    "conv.2.filters": 8,
    "dense.units": 16,
    "dropout": 0.3,
    "batch_norm": True,
    "batch_size": 32,
}


def make_plan(
    training_set: TrainingSet,
    values: Mapping[str, Scalar] = MLP,
    *,
    model: Literal["mlp", "cnn"] = "mlp",
    **changes: Any,
) -> Plan:
    """Three epochs, unless `changes` says otherwise."""
    plan = Plan(
        configuration=resolve(values, model=model),
        training_set=training_set,
        seed=7,
        epochs=3,
        stop_after=3,
        objective="val_accuracy",
        early_stopping=None,
        precision="fp32",
        train_on="train",
    )
    return replace(plan, **changes)


def start(plan: Plan, data: DeviceData | None = None) -> Training:
    """The plan's training on this machine's processor, before its first epoch."""
    device = prepare_device("cpu")
    return Training(plan, data or load_device_data(plan.training_set, device=device), device=device)


def without_times(history: list[EpochMetrics]) -> list[EpochMetrics]:
    """The epochs' numbers that must come out the same every time."""
    return [replace(metrics, duration_s=0.0, images_per_s=0.0) for metrics in history]


def train_with_and_without_a_break(plan: Plan, folder: Path) -> tuple[Training, Training]:
    """Two finished trainings, one of them resumed after an epoch: bit for bit the same numbers."""
    unbroken, broken, resumed = (start(plan) for _ in range(3))
    history = without_times(list(unbroken.epochs()))
    next(broken.epochs())
    save_checkpoint(folder / "one.pt", broken, plan=plan.fingerprint)
    assert load_checkpoint(folder / "one.pt", resumed, plan=plan.fingerprint, device=CPU)
    assert without_times([*resumed.history, *resumed.epochs()]) == history
    return unbroken, resumed
