"""A look into a network: its layers, its first weights, its first feature maps.

    layers = network_layers(snapshot)
    shown = network_figures(snapshot, data_dir=data_dir, images=[3, 17])

It is a search's winner, with the weights of the first seed's retraining, or of a fixed set the
network of one trial. The images are those of the validation set.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from hpsearch.architecture import Network
from hpsearch.catalogue import DatasetInfo, dataset_of
from hpsearch.configuration import Configuration
from hpsearch.data.files import Images, Labels
from hpsearch.data.tensors import scale_pixels
from hpsearch.data.training_set import find_validation_set
from hpsearch.errors import DataError, UserError
from hpsearch.figures.feature_maps import FeatureMaps, feature_maps_figure
from hpsearch.figures.figure import Shown
from hpsearch.figures.filters import FirstLayer, filters_figure
from hpsearch.figures.snapshot import Snapshot
from hpsearch.models.layer_table import LayerRow, layer_table
from hpsearch.models.network import build_network
from hpsearch.ownmodel import OwnNetwork
from hpsearch.records import TrainingKey
from hpsearch.studyparser import parse_stored

_NOT_RETRAINED = "The winner has not been retrained yet, so there are no weights to look at."
_NOT_TRAINED = "The network has not been trained yet, so there are no weights to look at."
_OWN = (
    "The network is the study's own, and a page does not run its code; so there are only its "
    "layers, as its training left them."
)
_NO_CONVOLUTION = "The network has no convolution, and so no feature maps."


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with its weights, in evaluation mode."""

    module: nn.Sequential
    configuration: Configuration


def _configuration(snapshot: Snapshot, trial: int | None) -> Configuration | None:
    """The configuration of a trial, or of the winner, or of the best trial so far."""
    wanted = snapshot.winner if trial is None else trial
    keys = [key for key in snapshot.trainings if key.trial == wanted]
    if not keys:
        return None
    return Configuration.model_validate_json(json.dumps(snapshot.trainings[keys[-1]].configuration))


def _key(snapshot: Snapshot, trial: int | None) -> TrainingKey:
    """The training whose weights are looked at."""
    if trial is None:
        return TrainingKey("winner", snapshot.winner or 0, 0)
    return TrainingKey("search", trial)


def network_layers(snapshot: Snapshot, *, trial: int | None = None) -> list[LayerRow]:
    """The layer table of a fixed set's trial, or of the winner or best trial; empty before any."""
    configuration = _configuration(snapshot, trial)
    if configuration is None:
        return []
    if isinstance(configuration.network, OwnNetwork):
        return _kept_layers(snapshot, _key(snapshot, trial))
    info = _dataset(snapshot)
    return layer_table(_build(configuration, info), image_shape=info.image_shape)


def _kept_layers(snapshot: Snapshot, key: TrainingKey) -> list[LayerRow]:
    """Those of an own model, from beside its weights: a page does not run the user's code."""
    path = snapshot.home.weights(snapshot.name, key)
    try:
        with safe_open(path, framework="pt") as file:
            rows = json.loads((file.metadata() or {}).get("layers", "[]"))
    except (OSError, SafetensorError):
        return []
    return [LayerRow(**{**row, "output_shape": tuple(row["output_shape"])}) for row in rows]


def load_network(snapshot: Snapshot, *, trial: int | None = None) -> TrainedNetwork | str:
    """The network of a fixed set's trial or of the winner, or why there is none."""
    key = _key(snapshot, trial)
    configuration = _configuration(snapshot, trial)
    if configuration is None or key not in snapshot.trainings:
        return _NOT_RETRAINED if trial is None else _NOT_TRAINED
    if isinstance(configuration.network, OwnNetwork):
        return _OWN
    path = snapshot.home.weights(snapshot.name, key)
    module = _build(configuration, _dataset(snapshot))
    try:
        module.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(":.")
        return f"The weights cannot be read from {path}: {reason}."
    return TrainedNetwork(module.eval(), configuration)


def _dataset(snapshot: Snapshot) -> DatasetInfo:
    return dataset_of(snapshot.document)


def _build(configuration: Configuration, info: DatasetInfo) -> nn.Sequential:
    module = build_network(
        configuration.network, image_shape=info.image_shape, num_classes=info.num_classes
    )
    assert isinstance(module, nn.Sequential), "every network of ours is"
    return module


def network_figures(
    snapshot: Snapshot,
    *,
    data_dir: Path,
    images: Sequence[int] | None = None,
    trial: int | None = None,
) -> list[Shown]:
    """First-layer weights, and feature maps of validation images.

    Args:
        snapshot: the study.
        data_dir: where its data set is.
        images: numbers within the validation set; None: the first of each class.
        trial: of a fixed set; None: the winner.

    Raises:
        UserError: there is no validation image of such a number.
    """
    network = load_network(snapshot, trial=trial)
    if isinstance(network, str):
        return [filters_figure(network), feature_maps_figure("", network)]
    first = first_layer(network.module, image_shape=_dataset(snapshot).image_shape)
    if first.kind != "conv":
        return [filters_figure(first), feature_maps_figure(first.name, _NO_CONVOLUTION)]
    maps = _feature_maps(network, snapshot, data_dir=data_dir, images=images)
    return [filters_figure(first), feature_maps_figure(first.name, maps)]


def first_layer(module: nn.Sequential, *, image_shape: tuple[int, int, int]) -> FirstLayer:
    """The first convolution, or the first dense layer where there is none."""
    for name, layer in module.named_children():
        if isinstance(layer, nn.Conv2d):
            return FirstLayer(name, "conv", layer.weight.detach().numpy())
        if isinstance(layer, nn.Linear):
            weights = layer.weight.detach().reshape(-1, *image_shape)
            return FirstLayer(name, "dense", weights.numpy())
    raise AssertionError("every network has an output layer")


def _feature_maps(
    network: TrainedNetwork, snapshot: Snapshot, *, data_dir: Path, images: Sequence[int] | None
) -> list[FeatureMaps] | str:
    try:
        pixels, labels = _validation_set(snapshot, data_dir=data_dir)
    except DataError as error:
        return f"The validation images are not at hand: {error}."
    chosen = _first_of_each_class(labels) if images is None else list(images)
    for number in chosen:
        if not 0 <= number < len(labels):
            raise UserError(
                f"--images {number}: the validation set has images 0 to {len(labels) - 1}"
            )
    maps = first_feature_maps(network, pixels[chosen])
    names = _dataset(snapshot).class_names
    return [
        FeatureMaps(number, names[labels[number]], pixels[number], values)
        for number, values in zip(chosen, maps, strict=True)
    ]


def _validation_set(snapshot: Snapshot, *, data_dir: Path) -> tuple[Images, Labels]:
    spec = parse_stored(snapshot.document, name="stored")
    return find_validation_set(
        spec.dataset,
        spec.training,
        data_dir=data_dir,
        cache=snapshot.home.cache,
        fingerprint=snapshot.split,
    )


def _first_of_each_class(labels: Labels) -> list[int]:
    _, first = np.unique(labels, return_index=True)
    return [int(number) for number in first]


def first_feature_maps(network: TrainedNetwork, images: Images) -> NDArray[np.float32]:
    """What the first convolution, its batch norm and its activation give: (N, filters, h, w).

    The activation comes before the pooling here, as the layers are drawn; in the network it may
    come after, see `models.network`.
    """
    architecture = network.configuration.network
    assert isinstance(architecture, Network), "an own one is not looked into"
    activation = getattr(torch, architecture.activation)
    with torch.inference_mode():
        values = scale_pixels(torch.from_numpy(images))
        seen_convolution = False
        for layer in network.module:
            if seen_convolution and not isinstance(layer, nn.BatchNorm2d):
                break
            values = layer(values)
            seen_convolution |= isinstance(layer, nn.Conv2d)
        maps: NDArray[np.float32] = activation(values).numpy()
    return maps
