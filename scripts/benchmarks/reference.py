"""The reference networks on Fashion-MNIST, which T1, T2, T7 and T8 train."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from hpsearch.catalogue import DATASETS
from hpsearch.configuration import resolve
from hpsearch.data.training_set import prepare_training_set
from hpsearch.space import Scalar
from hpsearch.studytables import Training
from hpsearch.training.plan import Plan

Model = Literal["cnn", "mlp"]

REFERENCE: Mapping[Model, Mapping[str, Scalar]] = {
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


def reference_plan(
    model: Model,
    protocol: Training,
    *,
    data_dir: Path,
    cache: Path,
    seed: int = 0,
    train_on: Literal["train", "train+validation"] = "train",
) -> Plan:
    """A reference network's training by a protocol; downloads the data set if it is missing."""
    training_set = prepare_training_set(
        DATASETS["fashion-mnist"], protocol, data_dir=data_dir, cache=cache
    )
    return Plan(
        configuration=resolve(REFERENCE[model], model=model),
        training_set=training_set,
        seed=seed,
        epochs=protocol.epochs,
        stop_after=protocol.epochs,
        objective="val_accuracy",
        early_stopping=protocol.early_stopping,
        precision=protocol.precision,
        train_on=train_on,
    )
