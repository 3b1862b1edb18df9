"""What exactly one trial trains: every hyperparameter resolved to one value, frozen.

`resolve` turns the flat names of a study file (`conv.2.filters`, `dropout`) into a `Configuration`.
Two sets of names that train the same network the same way give equal configurations: values without
effect (momentum under Adam, units of absent layers) are not part of one.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from hpsearch.architecture import ConvLayer, DenseLayer, Network
from hpsearch.augmentation import AUGMENTATION_DEFAULTS, Augmentation, augmentation_of
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.frozen import Frozen
from hpsearch.ownmodel import OwnNetwork, is_own, is_own_parameter, own_network
from hpsearch.space import Scalar


class Adam(Frozen):
    """Adam with PyTorch's betas (0.9, 0.999)."""

    name: Literal["adam"] = "adam"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class Sgd(Frozen):
    """Stochastic gradient descent."""

    name: Literal["sgd"] = "sgd"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    nesterov: bool = False


class Schedule(Frozen):
    """How the learning rate changes from step to step; see `training.schedules`."""

    name: Literal["constant", "inverse_time", "cosine", "one_cycle"] = "constant"
    decay_steps: Annotated[float, Field(gt=0)] | None = None  # inverse_time only
    decay_rate: Annotated[float, Field(ge=0)] | None = None


class Configuration(Frozen):
    """One trial's network and how it is trained: hashable, comparable, printable."""

    network: Network | OwnNetwork
    optimizer: Annotated[Adam | Sgd, Field(discriminator="name")]
    schedule: Schedule
    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: Annotated[int, Field(ge=1)]
    augmentation: Augmentation | None = None

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that are equal for equal configurations, on any machine."""
        # what is absent, or only says where, must not change those of older studies
        left_out: dict[str, bool | set[str]] = {"network": {"folder"}}
        if self.augmentation is None:
            left_out["augmentation"] = True
        text = self.model_dump_json(exclude=left_out)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


# Names a study file may use, beside the per-layer ones; the value each has when the file is silent.
DEFAULTS: Mapping[str, Scalar] = {
    "activation": "relu",
    "batch_norm": False,
    "batch_size": 64,
    "conv_layers": 2,
    "decay_rate": 1.0,
    "decay_steps": 1_593_750.0,  # D4's: one epoch of 51,000 images in batches of 32, times 1,000
    "dense_layers": 1,
    "dropout": 0.0,
    "initializer": "glorot_uniform",
    "learning_rate": 0.001,
    "momentum": 0.9,
    "nesterov": False,
    "optimizer": "adam",
    "output.batch_norm": False,
    "schedule": "constant",
    "weight_decay": 0.0,
    **AUGMENTATION_DEFAULTS,
}
TRAINING_NAMES = frozenset(
    [
        "batch_size",
        "learning_rate",
        "optimizer",
        "momentum",
        "nesterov",
        "weight_decay",
        "schedule",
        "decay_steps",
        "decay_rate",
    ]
)
_LAYER_FIELDS = {
    "conv": tuple(ConvLayer.model_fields),
    "dense": tuple(DenseLayer.model_fields),
}
_NUMBERED = re.compile(r"(conv|dense)\.([1-9]\d*)\.(\w+)")
MAX_LAYERS = 64


def allowed_names(model: str) -> list[str]:
    """Every name that a study of this model may give, `N` standing for a layer."""
    if is_own(model):
        return [*sorted([*TRAINING_NAMES, *AUGMENTATION_DEFAULTS]), f"a parameter of {model}"]
    layers = ["dense"] if model == "mlp" else ["conv", "dense"]
    names = [name for name in DEFAULTS if model == "cnn" or not name.startswith("conv")]
    for layer in layers:
        fields = [f for f in _LAYER_FIELDS[layer] if (layer, f) != ("dense", "dropout")]
        names += [f"{layer}.{field}" for field in fields]
        names += [f"{layer}.N.{field}" for field in _LAYER_FIELDS[layer]]
    return sorted([*names, "output.dropout"])


def is_allowed(name: str, *, model: str) -> bool:
    """Whether a study of this model may give a parameter of this name."""
    if is_own(model):
        return is_common(name) or is_own_parameter(name)
    numbered = _NUMBERED.fullmatch(name)
    if numbered is None:
        return name in allowed_names(model) and ".N." not in name
    return f"{numbered[1]}.N.{numbered[3]}" in allowed_names(model)


def is_common(name: str) -> bool:
    """Whether a name means the same with every model: it is of the training, not the network."""
    return name in TRAINING_NAMES or name in AUGMENTATION_DEFAULTS


def layer_of(name: str) -> tuple[str, int] | None:
    """("conv", 2) for `conv.2.filters`; None for a name without a layer number."""
    numbered = _NUMBERED.fullmatch(name)
    return (numbered[1], int(numbered[2])) if numbered else None


def resolve(values: Mapping[str, Scalar], *, model: str, folder: str = "") -> Configuration:
    """The configuration that these values describe; names left out have their defaults.

    Args:
        values: by name.
        model: "mlp", "cnn" or the user's own function.
        folder: where that function is looked for first.

    Raises:
        pydantic.ValidationError: a value has the wrong type or is out of range.
        InfeasibleConfigurationError: more layers than anyone builds, or numbers left out.
    """
    given = {**DEFAULTS, **values}
    return Configuration.model_validate(
        {
            "network": (
                own_network(
                    {name: value for name, value in values.items() if not is_common(name)},
                    function=model,
                    folder=folder,
                )
                if is_own(model)
                else _network(given, model)
            ),
            "optimizer": _optimizer(given),
            "schedule": _schedule(given),
            "learning_rate": _as_float(given["learning_rate"]),
            "batch_size": given["batch_size"],
            "augmentation": augmentation_of(values),
        }
    )


def _network(given: Mapping[str, Scalar], model: str) -> dict[str, object]:
    num_conv = _number_of("conv_layers", given) if model == "cnn" else 0
    num_dense = _number_of("dense_layers", given)
    of_hidden = ("activation", "batch_norm") if num_conv + num_dense else ()
    return {
        "conv": tuple(_layer(given, "conv", i + 1) for i in range(num_conv)),
        "dense": tuple(_layer(given, "dense", i + 1) for i in range(num_dense)),
        "output": {
            "dropout": _as_float(given.get("output.dropout", given["dropout"])),
            "batch_norm": given["output.batch_norm"],
        },
        **{name: given[name] for name in of_hidden},
        "initializer": given["initializer"],
    }


def _number_of(layers: str, given: Mapping[str, Scalar]) -> int:
    count = given[layers]
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MAX_LAYERS:
        message = f"{layers} = {count!r}: allowed are whole numbers from 0 to {MAX_LAYERS}"
        raise InfeasibleConfigurationError(message)
    return count


def _as_float(value: Scalar) -> Scalar:
    """TOML's 0 and 1 where 0.0 and 1.0 are meant; anything else is left for the check of types."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return float(value) + 0.0  # minus zero becomes zero


def _layer(given: Mapping[str, Scalar], kind: str, number: int) -> dict[str, Scalar]:
    """The fields given for one layer, `conv.2.filters` before `conv.filters`."""
    fields: dict[str, Scalar] = {}
    for field in _LAYER_FIELDS[kind]:
        shared = "dropout" if field == "dropout" else f"{kind}.{field}"
        for name in (f"{kind}.{number}.{field}", shared):
            if name in given:
                fields[field] = _as_float(given[name]) if field == "dropout" else given[name]
                break
    if fields.get("pool") == "none":
        fields = {name: value for name, value in fields.items() if not name.startswith("pool_")}
    return fields


def _optimizer(given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    settings = {"name": given["optimizer"], "weight_decay": _as_float(given["weight_decay"])}
    if given["optimizer"] == "sgd":
        settings["momentum"] = _as_float(given["momentum"])
        # without momentum there is nothing to look ahead with
        settings["nesterov"] = given["nesterov"] if given["momentum"] else False
    return settings


def _schedule(given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    settings = {"name": given["schedule"]}
    if given["schedule"] == "inverse_time" and not given["decay_rate"]:
        return {"name": "constant"}
    if given["schedule"] == "inverse_time":
        settings["decay_steps"] = _as_float(given["decay_steps"])
        settings["decay_rate"] = _as_float(given["decay_rate"])
    return settings
