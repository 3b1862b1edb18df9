from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_snapshots import made_snapshot
from small_studies import run_small, small_study, stored
from torch import nn
from torch.nn.functional import conv2d

from hpsearch.configuration import Configuration, resolve
from hpsearch.data.training_set import prepare_training_set
from hpsearch.errors import DataError, UserError
from hpsearch.figures.figure import NoFigure, StudyFigure
from hpsearch.figures.snapshot import Snapshot, read_snapshot
from hpsearch.home import Home
from hpsearch.inspection import (
    TrainedNetwork,
    first_feature_maps,
    first_layer,
    load_network,
    network_figures,
    network_layers,
)
from hpsearch.models.network import build_network

CNN = {"conv_layers": 1, "conv.filters": 4, "dense_layers": 0, "learning_rate": [0.01, 0.02]}


def built(**values: object) -> TrainedNetwork:
    configuration: Configuration = resolve(
        {"conv_layers": 1, "dense_layers": 0, **values}, model="cnn"
    )  # type: ignore[dict-item]
    module = build_network(configuration.network, image_shape=(1, 8, 8), num_classes=10)
    return TrainedNetwork(module.eval(), configuration)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with a CNN study and an MLP study, retrained and tested."""
    home = Home(tmp_path_factory.mktemp("inspected") / "runs")
    run_small(small_study("cnn", model="cnn", space=CNN, search={"trials": 1}), home, test=True)
    run_small(small_study("mlp", search={"trials": 1}), home, test=True)
    return home


def snapshot_of(home: Home, name: str) -> Snapshot:
    with stored(home, name) as record:
        return read_snapshot(record, home=home)


def test_feature_maps_are_the_convolution_and_its_activation_before_any_pooling() -> None:
    network = built(**{"conv.filters": 5, "conv.kernel": 3, "conv.pool": "max"})
    images = np.random.default_rng(0).integers(0, 256, (2, 1, 8, 8), dtype=np.uint8)
    conv = network.module[0]
    assert isinstance(conv, nn.Conv2d)
    pixels = torch.from_numpy(images).float() / 255
    expected = conv2d(pixels, conv.weight, conv.bias, padding=1).clamp(min=0)
    maps = first_feature_maps(network, images)
    assert maps.shape == (2, 5, 8, 8)
    assert np.allclose(maps, expected.detach().numpy(), atol=1e-6)


def test_uneven_padding_and_batch_norm_are_part_of_them() -> None:
    network = built(**{"conv.kernel": 2, "batch_norm": True, "activation": "tanh"})
    assert isinstance(network.module[0], nn.ZeroPad2d)
    maps = first_feature_maps(network, np.zeros((1, 1, 8, 8), np.uint8))
    assert maps.shape == (1, 32, 8, 8)
    assert np.abs(maps).max() < 1


def test_the_weights_of_a_dense_layer_are_images() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    layer = first_layer(module, image_shape=(1, 8, 8))
    assert (layer.name, layer.kind, layer.weights.shape) == ("1", "dense", (3, 1, 8, 8))
    weights = module[1].weight
    assert layer.weights[2, 0, 1, 3] == weights[2, 8 + 3].item()


def test_a_cnn_has_filters_maps_of_an_image_a_class_and_layers(searched: Home) -> None:
    snapshot = snapshot_of(searched, "cnn")
    filters, maps = network_figures(snapshot, data_dir=searched.root)
    assert isinstance(filters, StudyFigure)
    assert isinstance(maps, StudyFigure)
    assert len(filters.pictures) == 4
    assert [row[1] for row in maps.rows[::4]] == list("0123456789")
    rows = network_layers(snapshot)
    assert [row.name for row in rows] == ["conv1", "pool1", "relu1", "flatten", "output"]
    assert [row.parameters for row in rows] == [4 * 9 + 4, 0, 0, 0, 4 * 16 * 10 + 10]


def test_images_are_chosen_by_their_number_in_the_validation_set(searched: Home) -> None:
    snapshot = snapshot_of(searched, "cnn")
    _, maps = network_figures(snapshot, data_dir=searched.root, images=[7, 3])
    assert isinstance(maps, StudyFigure)
    assert [row[0] for row in maps.rows[::4]] == [7, 3]
    spec = small_study("cnn", model="cnn", space=CNN)
    training_set = prepare_training_set(
        spec.dataset, spec.training, data_dir=searched.root, cache=searched.cache
    )
    labels = np.load(training_set.labels)[np.load(training_set.validation)]
    assert [row[1] for row in maps.rows[::4]] == [str(labels[7]), str(labels[3])]


@pytest.mark.parametrize("number", [-1, 60])
def test_a_number_without_an_image_is_refused(searched: Home, number: int) -> None:
    with pytest.raises(UserError, match="the validation set has images 0 to 59"):
        network_figures(snapshot_of(searched, "cnn"), data_dir=searched.root, images=[number])


def test_an_mlp_has_weights_as_images_and_no_feature_maps(searched: Home) -> None:
    filters, maps = network_figures(snapshot_of(searched, "mlp"), data_dir=searched.root)
    assert isinstance(filters, StudyFigure)
    assert filters.pictures[0].pixels.shape == (8, 8)
    assert isinstance(maps, NoFigure)
    assert "no convolution" in maps.reason


def test_without_the_data_there_are_filters_and_a_sentence(
    searched: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise DataError("it is gone")

    monkeypatch.setattr("hpsearch.inspection.find_validation_set", gone)
    filters, maps = network_figures(snapshot_of(searched, "cnn"), data_dir=searched.root)
    assert isinstance(filters, StudyFigure)
    assert isinstance(maps, NoFigure)
    assert maps.reason == "The validation images are not at hand: it is gone."


def test_without_weights_there_is_a_sentence(searched: Home, tmp_path: Path) -> None:
    snapshot = replace(snapshot_of(searched, "cnn"), home=Home(tmp_path))
    shown = network_figures(snapshot, data_dir=searched.root)
    assert all(isinstance(s, NoFigure) and "cannot be read from" in s.reason for s in shown)
    assert network_layers(snapshot)  # known from the record alone


def test_damaged_weights_are_a_sentence(searched: Home, tmp_path: Path) -> None:
    snapshot = replace(snapshot_of(searched, "cnn"), home=Home(tmp_path))
    folder = snapshot.home.artifacts("cnn")
    folder.mkdir(parents=True)
    (folder / "winner-0-0.safetensors").write_bytes(b"not weights")
    assert isinstance(load_network(snapshot), str)


def test_before_any_trial_there_are_no_layers_and_a_sentence(tmp_path: Path) -> None:
    assert network_layers(made_snapshot()) == []
    shown = network_figures(made_snapshot(), data_dir=tmp_path)
    assert all(isinstance(s, NoFigure) and "not been retrained yet" in s.reason for s in shown)
