from collections.abc import Mapping
from math import sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hpsearch.architecture import ConvLayer, Network, feature_map_sizes, running_statistics
from hpsearch.configuration import resolve
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.models.layer_table import layer_table
from hpsearch.models.network import build_network, num_parameters
from hpsearch.space import Scalar

IMAGE = (1, 28, 28)
Values = Mapping[str, Scalar]


def build(values: Values, *, model: str, image: tuple[int, int, int] = IMAGE) -> nn.Sequential:
    network = resolve(values, model=model).network
    return build_network(network, image_shape=image, num_classes=10)


def dense(inputs: int, units: int) -> int:
    """Weights and biases of a fully connected layer."""
    return inputs * units + units


def conv(channels: int, filters: int, kernel: int) -> int:
    """Weights and biases of a convolution."""
    return kernel * kernel * channels * filters + filters


def mlp_values(*units: int, **others: Scalar) -> Values:
    layers = {f"dense.{i}.units": n for i, n in enumerate(units, start=1)}
    return {"dense_layers": len(units), **layers, **others}


def cnn_values(filters: list[int], units: list[int], **others: Scalar) -> Values:
    layers = {f"conv.{i}.filters": n for i, n in enumerate(filters, start=1)}
    return {"conv_layers": len(filters), **layers, **mlp_values(*units), **others}


D1 = {**cnn_values([32, 64], [128]), "conv.1.kernel": 3, "conv.2.kernel": 5}
D1_NORMALISED = {**D1, "activation": "sigmoid", "batch_norm": True, "output.batch_norm": True}
KERAS_DEFAULT = {
    "conv.padding": "valid",
    "conv.pool_padding": "valid",
}  # where D0 and D3 are silent
D2 = {
    "conv.kernel": 5,
    "conv.stride": 2,
    "conv.pool": "average",
    **cnn_values([32, 64], [128, 64], learning_rate=0.001, batch_size=1024),
}


def test_d1s_cnn_has_the_published_454410_parameters() -> None:
    assert num_parameters(build(D1, model="cnn")) == 454_410


def test_d1s_normalised_cnn_has_455346_parameters_of_which_454878_are_trainable() -> None:
    module = build(D1_NORMALISED, model="cnn")
    rows = layer_table(module, image_shape=IMAGE)
    assert sum(row.parameters for row in rows) == 455_346
    network = resolve(D1_NORMALISED, model="cnn").network
    assert isinstance(network, Network)
    assert running_statistics(network, num_classes=10) == 455_346 - 454_878
    assert sum(row.trainable for row in rows) == num_parameters(module) == 454_878


def test_d4s_deepest_cnn_without_a_dense_layer_has_the_published_410634_parameters() -> None:
    assert num_parameters(build(cnn_values([64, 128, 256], []), model="cnn")) == 410_634


MLPS = {
    "D0 baseline": (
        {**mlp_values(128, 64), "dense.2.dropout": 0.5},
        dense(784, 128) + dense(128, 64) + dense(64, 10),
    ),
    "D0 tuned": (
        {**mlp_values(256, 128), "dense.2.dropout": 0.3, "learning_rate": 0.0001},
        dense(784, 256) + dense(256, 128) + dense(128, 10),
    ),
    "D2": (
        mlp_values(256, 128, batch_size=100),
        dense(784, 256) + dense(256, 128) + dense(128, 10),
    ),
    "D3": (mlp_values(256), dense(784, 256) + dense(256, 10)),
    **{
        f"D4 {layers} x {units} {initializer}": (
            mlp_values(
                *[units] * layers,
                initializer=initializer,
                optimizer="sgd",
                learning_rate=0.01,
                momentum=0.8,
                nesterov=True,
                batch_size=32,
            ),
            dense(784, units) + (layers - 1) * dense(units, units) + dense(units, 10),
        )
        for layers in (1, 2, 3)
        for units in (64, 128)
        for initializer in ("glorot_uniform", "he_uniform")
    },
}


@pytest.mark.parametrize("name", MLPS)
def test_the_documents_mlps_have_the_parameters_that_their_layers_add_up_to(name: str) -> None:
    values, parameters = MLPS[name]
    assert num_parameters(build(values, model="mlp")) == parameters


CNNS = {
    # 28 - 26 - 13 - 11 - 5 pixels, and 28 - 24 - 12 - 8 - 4
    "D0 baseline": (
        {**cnn_values([32, 32], [128]), **KERAS_DEFAULT},
        conv(1, 32, 3) + conv(32, 32, 3) + dense(5 * 5 * 32, 128) + dense(128, 10),
    ),
    "D0 tuned": (
        {**cnn_values([64, 64], [128], dropout=0.5), **KERAS_DEFAULT, "conv.kernel": 5},
        conv(1, 64, 5) + conv(64, 64, 5) + dense(4 * 4 * 64, 128) + dense(128, 10),
    ),
    # 28 - 14 - 7 - 4 - 2 pixels
    "D2": (
        D2,
        conv(1, 32, 5) + conv(32, 64, 5) + dense(2 * 2 * 64, 128) + dense(128, 64) + dense(64, 10),
    ),
    "D3": (
        {**cnn_values([32, 64], []), **KERAS_DEFAULT},
        conv(1, 32, 3) + conv(32, 64, 3) + dense(5 * 5 * 64, 10),
    ),
    "D4 32": (cnn_values([32], []), conv(1, 32, 3) + dense(14 * 14 * 32, 10)),
    "D4 64": (cnn_values([64], []), conv(1, 64, 3) + dense(14 * 14 * 64, 10)),
    "D4 32, 64": (
        cnn_values([32, 64], []),
        conv(1, 32, 3) + conv(32, 64, 3) + dense(7 * 7 * 64, 10),
    ),
    "D4 64, 128": (
        cnn_values([64, 128], []),
        conv(1, 64, 3) + conv(64, 128, 3) + dense(7 * 7 * 128, 10),
    ),
    "D4 32, 64, 128": (
        cnn_values([32, 64, 128], []),
        conv(1, 32, 3) + conv(32, 64, 3) + conv(64, 128, 3) + dense(4 * 4 * 128, 10),
    ),
    "D4 64, 128, 256": (
        cnn_values([64, 128, 256], []),
        conv(1, 64, 3) + conv(64, 128, 3) + conv(128, 256, 3) + dense(4 * 4 * 256, 10),
    ),
    "D4 32, 64 and 64": (
        cnn_values([32, 64], [64]),
        conv(1, 32, 3) + conv(32, 64, 3) + dense(7 * 7 * 64, 64) + dense(64, 10),
    ),
    "D4 64, 128 and 128": (
        cnn_values([64, 128], [128]),
        conv(1, 64, 3) + conv(64, 128, 3) + dense(7 * 7 * 128, 128) + dense(128, 10),
    ),
    "D4 32, 64, 128 and 128": (
        cnn_values([32, 64, 128], [128]),
        conv(1, 32, 3)
        + conv(32, 64, 3)
        + conv(64, 128, 3)
        + dense(4 * 4 * 128, 128)
        + dense(128, 10),
    ),
    "D4 64, 128, 256 and 256": (
        cnn_values([64, 128, 256], [256]),
        conv(1, 64, 3)
        + conv(64, 128, 3)
        + conv(128, 256, 3)
        + dense(4 * 4 * 256, 256)
        + dense(256, 10),
    ),
}


@pytest.mark.parametrize("name", CNNS)
def test_the_documents_cnns_have_the_parameters_that_their_layers_add_up_to(name: str) -> None:
    values, parameters = CNNS[name]
    assert num_parameters(build(values, model="cnn")) == parameters


def sides(values: Values) -> list[int]:
    """Pixels along a side of the image and after each pooling."""
    rows = layer_table(build(values, model="cnn"), image_shape=IMAGE)
    return [28, *(row.output_shape[1] for row in rows if row.name.startswith("pool"))]


def test_d4s_pooling_halves_28_to_14_to_7_and_rounds_up_to_4() -> None:
    assert sides(cnn_values([2, 2, 2], [])) == [28, 14, 7, 4]


def test_valid_pooling_rounds_down_to_3() -> None:
    values = {**cnn_values([2, 2, 2], []), "conv.pool_padding": "valid"}
    assert sides(values) == [28, 14, 7, 3]


def test_d4s_searched_cnns_shrink_with_stride_2_in_the_second_layer() -> None:
    values = {**cnn_values([2, 2], []), "conv.2.kernel": 5, "conv.2.stride": 2}
    assert sides(values) == [28, 14, 4]


def kinds(module: nn.Sequential) -> list[str]:
    return [type(layer).__name__ for layer in module]


def test_dropout_stands_before_every_hidden_layer_and_the_output() -> None:
    module = build(mlp_values(64, 64, 64, dropout=0.2), model="mlp")
    hidden = ["Dropout", "Linear", "ReLU"]
    assert kinds(module) == ["Flatten", *hidden, *hidden, *hidden, "Dropout", "Linear"]
    assert {layer.p for layer in module if isinstance(layer, nn.Dropout)} == {0.2}


def test_d0s_mlp_has_one_dropout_between_its_hidden_layers() -> None:
    values, _ = MLPS["D0 baseline"]
    layers = ["Flatten", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Linear"]
    assert kinds(build(values, model="mlp")) == layers


def test_a_cnns_dropout_stands_after_the_convolutions() -> None:
    module = build(cnn_values([2, 2], [8], dropout=0.2), model="cnn")
    block = ["Conv2d", "MaxPool2d", "ReLU"]
    tail = ["Flatten", "Dropout", "Linear", "ReLU", "Dropout", "Linear"]
    assert kinds(module) == [*block, *block, *tail]


def test_without_dropout_there_is_no_dropout_layer() -> None:
    assert "Dropout" not in kinds(build(cnn_values([2], [8]), model="cnn"))


def test_batch_norm_stands_before_every_activation_and_the_outputs_after_the_output() -> None:
    module = build({**D1_NORMALISED, "conv.pool": "average"}, model="cnn")
    block = ["Conv2d", "BatchNorm2d", "Sigmoid", "AvgPool2d"]
    tail = ["Flatten", "Linear", "BatchNorm1d", "Sigmoid", "Linear", "BatchNorm1d"]
    assert kinds(module) == [*block, *block, *tail]


def conv_only(layer: ConvLayer, *, size: int, activation: str = "relu") -> nn.Sequential:
    """A network of one convolutional layer with one filter, up to its flatten layer."""
    network = Network.model_validate({"conv": (layer,), "activation": activation})
    module = build_network(network, image_shape=(1, size, size), num_classes=2)
    return module[: list(dict(module.named_children())).index("flatten")]


def the_conv(module: nn.Sequential) -> nn.Conv2d:
    return next(layer for layer in module if isinstance(layer, nn.Conv2d))


def tensorflow_same(
    image: NDArray[np.float64], kernel: NDArray[np.float64], stride: int
) -> NDArray[np.float64]:
    """TensorFlow's rule: ceil(n / stride) outputs; an odd pixel of padding at the end."""
    n, k = len(image), len(kernel)
    outputs = -(-n // stride)
    total = max((outputs - 1) * stride + k - n, 0)
    padded = np.pad(image, (total // 2, total - total // 2))
    return np.array(
        [
            [
                (padded[y : y + k, x : x + k] * kernel).sum()
                for x in range(0, outputs * stride, stride)
            ]
            for y in range(0, outputs * stride, stride)
        ]
    )


@pytest.mark.parametrize("size", [7, 8, 28])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_same_padding_is_tensorflows_with_any_stride(kernel: int, stride: int, size: int) -> None:
    layer = ConvLayer(filters=1, kernel=kernel, stride=stride, pool="none")
    module = conv_only(layer, size=size)
    rng = np.random.default_rng(0)
    image, weights = rng.random((size, size)), rng.random((kernel, kernel))
    with torch.no_grad():
        the_conv(module).weight.copy_(torch.from_numpy(weights))
        output = module(torch.from_numpy(image).float().reshape(1, 1, size, size))[0, 0]
    np.testing.assert_allclose(output, tensorflow_same(image, weights, stride), rtol=1e-5)


def test_an_odd_pixel_of_padding_goes_to_the_right_and_bottom() -> None:
    """By hand: ones of 4 x 4, kernel 3, stride 2 need one row and one column of zeros."""
    module = conv_only(ConvLayer(filters=1, kernel=3, stride=2, pool="none"), size=4)
    with torch.no_grad():
        the_conv(module).weight.fill_(1)
        output = module(torch.ones(1, 1, 4, 4))[0, 0]
    assert output.tolist() == [[9, 6], [6, 4]]


def test_average_pooling_at_the_border_is_the_mean_of_the_pixels_that_are_there() -> None:
    """As TensorFlow's; by hand on the nine numbers from 1 to 9."""
    module = conv_only(ConvLayer(filters=1, kernel=1, pool="average"), size=3)
    with torch.no_grad():
        the_conv(module).weight.fill_(1)
        output = module(torch.arange(1.0, 10).reshape(1, 1, 3, 3))[0, 0]
    assert output.tolist() == [[3, 4.5], [7.5, 9]]


@pytest.mark.parametrize(
    ("name", "function"),
    [("relu", torch.relu), ("sigmoid", torch.sigmoid), ("tanh", torch.tanh)],
)
@pytest.mark.parametrize("size", [7, 8])
def test_pooling_before_the_activation_gives_the_same_numbers_and_gradients(
    name: str, function: torch.nn.Module, size: int
) -> None:
    torch.manual_seed(0)
    module = conv_only(ConvLayer(filters=4), size=size, activation=name)
    images = torch.randn(3, 1, size, size)
    weight = the_conv(module).weight
    ours = module(images)
    slopes = torch.randn_like(ours)
    ours_gradient = torch.autograd.grad(ours, weight, slopes)[0]
    activated = function(functional.conv2d(images, weight, padding=1))
    theirs = functional.max_pool2d(activated, 2, ceil_mode=True)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    gradient: Tensor = torch.autograd.grad(theirs, weight, slopes)[0]
    torch.testing.assert_close(ours_gradient, gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_uniform"])
def test_weights_fill_the_initializers_interval_and_biases_are_zero(initializer: str) -> None:
    """Glorot & Bengio 2010: sqrt(6 / (in + out)); He et al. 2015: sqrt(6 / in)."""
    torch.manual_seed(0)
    module = build({**D1, "initializer": initializer}, model="cnn")
    fans = {
        "conv1": (9, 9 * 32),
        "conv2": (25 * 32, 25 * 64),
        "dense1": (3136, 128),
        "output": (128, 10),
    }
    for name, (fan_in, fan_out) in fans.items():
        weight = module.get_submodule(name).weight
        bound = sqrt(6 / (fan_in + fan_out if initializer == "glorot_uniform" else fan_in))
        assert 0.97 * bound < weight.abs().max() <= bound * (1 + 1e-6)
        assert weight.std().item() == pytest.approx(bound / sqrt(3), rel=0.1)
        assert not module.get_submodule(name).bias.any()


def test_the_seed_decides_the_weights() -> None:
    first, same, other = (
        (torch.manual_seed(seed), build(D1, model="cnn").state_dict()["conv1.weight"])[1]
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


CONV_LAYERS = st.builds(
    ConvLayer,
    filters=st.integers(1, 3),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 3),
    padding=st.sampled_from(["same", "valid"]),
    pool=st.sampled_from(["max", "average", "none"]),
    pool_size=st.integers(1, 4),
    pool_padding=st.sampled_from(["same", "valid"]),
)


@settings(max_examples=80)
@given(
    layers=st.lists(CONV_LAYERS, min_size=1, max_size=3).map(tuple),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
)
def test_the_sizes_computed_without_pytorch_are_the_networks_own(
    layers: tuple[ConvLayer, ...], height: int, width: int
) -> None:
    network, image = Network(conv=layers), (1, height, width)
    try:
        sizes = feature_map_sizes(network, image_shape=image)
    except InfeasibleConfigurationError:
        with pytest.raises(InfeasibleConfigurationError):
            build_network(network, image_shape=image, num_classes=2)
        return
    module = build_network(network, image_shape=image, num_classes=2)
    rows = layer_table(module, image_shape=image)
    before = next(i for i, row in enumerate(rows) if row.name == "flatten") - 1
    assert rows[before].output_shape == (layers[-1].filters, *sizes[-1])
    assert rows[-1].output_shape == (2,)


def test_the_layer_that_leaves_no_pixel_is_named() -> None:
    values = {**cnn_values([2, 2, 2], []), **KERAS_DEFAULT}
    with pytest.raises(InfeasibleConfigurationError, match="conv layer 3 leaves no pixel of 3 x 3"):
        build({**values, "conv.2.kernel": 8}, model="cnn")
