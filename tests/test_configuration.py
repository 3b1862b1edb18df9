import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from hpsearch.architecture import ConvLayer, DenseLayer, Network, OutputLayer, feature_map_sizes
from hpsearch.configuration import (
    DEFAULTS,
    Adam,
    Configuration,
    Schedule,
    Sgd,
    allowed_names,
    is_allowed,
    layer_of,
    resolve,
)
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.space import Scalar

Values = dict[str, Scalar]
FASHION = (1, 28, 28)


def test_the_write_ups_cnn_with_batch_norm_is_resolved_layer_by_layer() -> None:
    values: Values = {  # D1, CNN sigmoid + batch norm
        "conv.1.filters": 32,
        "conv.1.kernel": 3,
        "conv.2.filters": 64,
        "conv.2.kernel": 5,
        "dense.units": 128,
        "activation": "sigmoid",
        "batch_norm": True,
        "output.batch_norm": True,
        "batch_size": 64,
    }
    assert resolve(values, model="cnn") == Configuration(
        network=Network(
            conv=(ConvLayer(filters=32, kernel=3), ConvLayer(filters=64, kernel=5)),
            dense=(DenseLayer(units=128),),
            output=OutputLayer(batch_norm=True),
            activation="sigmoid",
            batch_norm=True,
        ),
        optimizer=Adam(),
        schedule=Schedule(),
        learning_rate=0.001,
        batch_size=64,
    )


def test_the_write_ups_mlp_with_sgd_and_dropout_is_resolved() -> None:
    values: Values = {  # D4, 2x128 He, SGD
        "dense_layers": 2,
        "dense.units": 128,
        "initializer": "he_uniform",
        "dropout": 0.2,
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "momentum": 0.8,
        "nesterov": True,
        "schedule": "inverse_time",
        "batch_size": 32,
    }
    layer = DenseLayer(units=128, dropout=0.2)
    assert resolve(values, model="mlp") == Configuration(
        network=Network(
            dense=(layer, layer), output=OutputLayer(dropout=0.2), initializer="he_uniform"
        ),
        optimizer=Sgd(momentum=0.8, nesterov=True),
        schedule=Schedule(name="inverse_time", decay_steps=1_593_750.0, decay_rate=1.0),
        learning_rate=0.01,
        batch_size=32,
    )


def test_a_numbered_value_goes_before_the_one_for_all_layers() -> None:
    values: Values = {
        "dense_layers": 3,
        "dense.units": 64,
        "dense.2.units": 256,
        "dropout": 0.5,
        "dense.1.dropout": 0.0,
        "output.dropout": 0.1,
    }
    network = resolve(values, model="mlp").network
    assert [layer.units for layer in network.dense] == [64, 256, 64]
    assert [layer.dropout for layer in network.dense] == [0.0, 0.5, 0.5]
    assert network.output.dropout == 0.1


SAME = [
    ("cnn", {"momentum": 0.5}, {"momentum": 0.9}),
    ("mlp", {"optimizer": "adam", "nesterov": True}, {"optimizer": "adam"}),
    (
        "mlp",
        {"optimizer": "sgd", "momentum": 0.0, "nesterov": True},
        {"optimizer": "sgd", "momentum": 0},
    ),
    ("mlp", {"decay_steps": 10.0, "decay_rate": 0.5}, {}),
    ("mlp", {"schedule": "cosine", "decay_rate": 0.5}, {"schedule": "cosine"}),
    ("mlp", {"schedule": "inverse_time", "decay_rate": 0.0}, {}),
    ("cnn", {"dense_layers": 0, "dense.units": 32}, {"dense_layers": 0, "dense.units": 128}),
    ("mlp", {"dense.2.units": 7}, {}),
    ("cnn", {"conv.3.filters": 7, "conv.3.pool": "none"}, {}),
    ("cnn", {"conv_layers": 0, "conv.filters": 7}, {"conv_layers": 0}),
    ("cnn", {"conv.1.filters": 8, "conv.2.filters": 8}, {"conv.filters": 8}),
    ("cnn", {"conv.filters": 7, "conv.1.filters": 8, "conv.2.filters": 8}, {"conv.filters": 8}),
    ("mlp", {"dropout": 0.3, "dense.1.dropout": 0.1, "output.dropout": 0.1}, {"dropout": 0.1}),
    ("cnn", {"conv.pool": "none", "conv.pool_size": 3}, {"conv.pool": "none"}),
    ("cnn", {"conv.pool": "none", "conv.pool_padding": "valid"}, {"conv.pool": "none"}),
    ("mlp", {"dense_layers": 0, "activation": "tanh"}, {"dense_layers": 0}),
    ("mlp", {"dense_layers": 0, "batch_norm": True}, {"dense_layers": 0}),
    ("mlp", {"dropout": 0, "weight_decay": 0}, {"dropout": 0.0, "weight_decay": 0.0}),
    ("mlp", {"dropout": -0.0}, {"dropout": 0.0}),
    ("mlp", {"learning_rate": 1}, {"learning_rate": 1.0}),
    ("mlp", dict(DEFAULTS), {}),
]


@pytest.mark.parametrize(("model", "one", "other"), SAME)
def test_values_without_effect_do_not_change_the_fingerprint(
    model: str, one: Values, other: Values
) -> None:
    first, second = resolve(one, model=model), resolve(other, model=model)
    assert first == second
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize(
    ("model", "one", "other"),
    [
        ("mlp", {"optimizer": "sgd", "momentum": 0.5}, {"optimizer": "sgd", "momentum": 0.9}),
        ("mlp", {"optimizer": "sgd", "nesterov": True}, {"optimizer": "sgd"}),
        ("mlp", {"optimizer": "sgd"}, {"optimizer": "adam"}),
        ("mlp", {"weight_decay": 0.1}, {}),
        ("mlp", {"schedule": "inverse_time", "decay_rate": 0.5}, {"schedule": "inverse_time"}),
        ("mlp", {"schedule": "cosine"}, {"schedule": "one_cycle"}),
        ("mlp", {"dense_layers": 2, "dense.2.units": 7}, {"dense_layers": 2}),
        ("mlp", {"initializer": "he_uniform"}, {}),
        ("mlp", {"dense_layers": 0, "dropout": 0.1}, {"dense_layers": 0}),
        ("mlp", {"dense_layers": 0, "output.batch_norm": True}, {"dense_layers": 0}),
        ("mlp", {"batch_size": 32}, {"batch_size": 64}),
        ("cnn", {"conv.2.pool_size": 3}, {}),
        (
            "cnn",
            {"conv.1.filters": 8, "conv.2.filters": 9},
            {"conv.1.filters": 9, "conv.2.filters": 8},
        ),
        ("cnn", {"dense_layers": 0, "batch_norm": True}, {"dense_layers": 0}),
    ],
)
def test_values_with_effect_change_the_fingerprint(model: str, one: Values, other: Values) -> None:
    first, second = resolve(one, model=model), resolve(other, model=model)
    assert first != second
    assert first.fingerprint != second.fingerprint


few_values = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(["adam", "sgd"]),
        "conv_layers": st.integers(0, 2),
        "dense_layers": st.integers(0, 1),
    },
    optional={
        "momentum": st.sampled_from([0.0, 0.5]),
        "nesterov": st.booleans(),
        "conv.filters": st.integers(1, 2),
        "conv.2.filters": st.integers(1, 2),
        "dense.units": st.integers(1, 2),
        "learning_rate": st.floats(1e-300, 1e300),
        "weight_decay": st.sampled_from([0, 0.0, 1, 1.0]),
    },
)


@given(few_values, few_values)
def test_fingerprints_are_equal_exactly_when_configurations_are(one: Values, other: Values) -> None:
    first, second = resolve(one, model="cnn"), resolve(other, model="cnn")
    assert (first.fingerprint == second.fingerprint) == (first == second)


@given(few_values, st.data())
def test_the_order_of_the_values_does_not_matter(values: Values, data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(values.items()))))
    assert resolve(shuffled, model="cnn").fingerprint == resolve(values, model="cnn").fingerprint


@given(few_values)
def test_a_configuration_survives_json(values: Values) -> None:
    configuration = resolve(values, model="cnn")
    again = Configuration.model_validate_json(configuration.model_dump_json())
    assert again == configuration
    assert again.fingerprint == configuration.fingerprint


def test_a_fingerprint_is_the_same_in_another_process() -> None:
    code = "from hpsearch.configuration import resolve; print(resolve({}, model='cnn').fingerprint)"
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    other = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == resolve({}, model="cnn").fingerprint


@pytest.mark.parametrize(
    "values",
    [
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": "0.1"},
        {"dropout": True},
        {"dense.units": 0},
        {"dense.units": 64.0},
        {"dense.units": True},
        {"conv.1.stride": 0},
        {"conv.1.kernel": "3"},
        {"conv.1.pool": "min"},
        {"conv.1.padding": "full"},
        {"activation": "gelu"},
        {"batch_norm": 1},
        {"optimizer": "adamw"},
        {"optimizer": "sgd", "momentum": 1.0},
        {"schedule": "linear"},
        {"schedule": "inverse_time", "decay_steps": 0},
        {"learning_rate": 0},
        {"learning_rate": -0.1},
        {"batch_size": 0},
        {"weight_decay": -1e-4},
    ],
)
def test_a_value_of_the_wrong_type_or_out_of_range_is_refused(values: Values) -> None:
    with pytest.raises(ValidationError):
        resolve(values, model="cnn")


@pytest.mark.parametrize("name", ["conv_layers", "dense_layers"])
@pytest.mark.parametrize("count", [-1, 65, 2.0, True, "2"])
def test_a_number_of_layers_is_a_whole_number_up_to_64(name: str, count: Scalar) -> None:
    with pytest.raises(InfeasibleConfigurationError, match=f"{name} = .*from 0 to 64"):
        resolve({name: count}, model="cnn")


@pytest.mark.parametrize(
    ("layers", "sizes"),
    [
        # D4: same padding throughout, "so 7 x 7 pools to 4 x 4"
        ([ConvLayer()] * 3, [14, 7, 4]),
        # D1: 28 -> 14 -> 7
        ([ConvLayer(filters=32, kernel=3), ConvLayer(filters=64, kernel=5)], [14, 7]),
        # D4's best: strides 1 and 2 -> 28, 14 pooled; 7, 4 pooled
        ([ConvLayer(kernel=3), ConvLayer(kernel=5, stride=2)], [14, 4]),
        # D2: kernel 5, stride 2 -> 14, 7 pooled; 4, 2 pooled
        ([ConvLayer(kernel=5, stride=2, pool="average")] * 2, [7, 2]),
        ([ConvLayer(pool_padding="valid")] * 3, [14, 7, 3]),
        ([ConvLayer(pool="none")] * 2, [28, 28]),
        # LeNet's: 28 -> 24 -> 12 -> 8 -> 4
        ([ConvLayer(kernel=5, padding="valid")] * 2, [12, 4]),
        ([], []),
    ],
)
def test_feature_maps_shrink_as_in_the_write_ups(layers: list[ConvLayer], sizes: list[int]) -> None:
    network = Network(conv=tuple(layers))
    expected = [(size, size) for size in sizes]
    assert feature_map_sizes(network, image_shape=FASHION) == expected


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 4))
def test_a_valid_convolution_has_pytorchs_size(size: int, kernel: int, stride: int) -> None:
    layer = ConvLayer(kernel=kernel, stride=stride, padding="valid", pool="none")
    if kernel > size:
        assert layer.output_size(size) < 1
        return
    pixels = torch.zeros(1, 1, size, size)
    output = F.conv2d(pixels, torch.zeros(1, 1, kernel, kernel), stride=stride)
    assert layer.output_size(size) == output.shape[-1]


@given(st.integers(1, 40), st.integers(1, 9), st.sampled_from(["same", "valid"]))
def test_pooling_has_pytorchs_size(size: int, window: int, padding: str) -> None:
    assume(padding == "same" or window <= size)
    layer = ConvLayer(pool_size=window, pool_padding=padding)
    pooled = F.max_pool2d(torch.zeros(1, 1, size, size), window, ceil_mode=padding == "same")
    assert layer.output_size(size) == pooled.shape[-1]


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 9))
def test_same_padding_never_shrinks_an_image_to_nothing(
    size: int, kernel: int, stride: int
) -> None:
    layer = ConvLayer(kernel=kernel, stride=stride)
    assert 1 <= layer.output_size(size) <= size


def test_an_image_that_is_not_square_keeps_height_and_width_apart() -> None:
    network = Network(conv=(ConvLayer(), ConvLayer()))
    assert feature_map_sizes(network, image_shape=(3, 28, 9)) == [(14, 5), (7, 3)]


@pytest.mark.parametrize(
    ("layer", "number", "before"),
    [
        (ConvLayer(kernel=9, padding="valid"), 1, "8 x 8"),
        (ConvLayer(kernel=5, padding="valid"), 2, "2 x 2"),
        (ConvLayer(pool_size=5, pool_padding="valid"), 2, "1 x 1"),
    ],
)
def test_a_network_that_shrinks_to_nothing_names_the_layer_and_its_input(
    layer: ConvLayer, number: int, before: str
) -> None:
    network = Network(conv=(layer, layer, layer))
    with pytest.raises(InfeasibleConfigurationError, match=f"conv layer {number} .*{before}"):
        feature_map_sizes(network, image_shape=(1, 8, 8))


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_every_listed_name_is_allowed_with_a_layers_number_for_n(model: str) -> None:
    listed = allowed_names(model)
    assert all(is_allowed(name.replace(".N.", ".12."), model=model) for name in listed)
    assert not any(is_allowed(name, model=model) for name in listed if ".N." in name)


@pytest.mark.parametrize(
    ("name", "in_mlp", "in_cnn"),
    [
        ("conv.filters", False, True),
        ("conv.3.kernel", False, True),
        ("conv_layers", False, True),
        ("dense.1.units", True, True),
        ("dense.1.dropout", True, True),
        ("dense.dropout", False, False),  # it is called dropout
        ("conv.0.filters", False, False),
        ("conv.01.filters", False, False),
        ("conv.-1.filters", False, False),
        ("conv.1.units", False, False),
        ("conv.1", False, False),
        ("", False, False),
        ("epochs", False, False),
    ],
)
def test_names_belong_to_the_layers_of_the_model(name: str, in_mlp: bool, in_cnn: bool) -> None:
    assert is_allowed(name, model="mlp") is in_mlp
    assert is_allowed(name, model="cnn") is in_cnn


@pytest.mark.parametrize(
    ("name", "layer"),
    [("conv.2.filters", ("conv", 2)), ("dense.10.units", ("dense", 10)), ("conv.filters", None)],
)
def test_a_numbered_name_tells_its_layer(name: str, layer: tuple[str, int] | None) -> None:
    assert layer_of(name) == layer
