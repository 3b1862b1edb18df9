"""From a configuration's network to a PyTorch module.

Every MLP and CNN here is one `nn.Sequential` with named layers: conv1, norm1, pool1, relu1, ...,
flatten, dropout, dense1, ..., output. The output is logits; softmax is part of the loss.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from torch import Tensor, nn

from hpsearch.architecture import ConvLayer, Network, Padding, feature_map_sizes, window_steps
from hpsearch.models.dropout import Dropout
from hpsearch.models.own import build_own_network
from hpsearch.ownmodel import OwnNetwork

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
_INITIALIZERS: dict[str, Callable[[Tensor], Tensor]] = {
    "glorot_uniform": nn.init.xavier_uniform_,
    "he_uniform": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
}


def build_network(
    network: Network | OwnNetwork, *, image_shape: tuple[int, int, int], num_classes: int
) -> nn.Module:
    """Build and initialise a network from PyTorch's global random generator.

    Args:
        network: the architecture, or the user's own.
        image_shape: channels, height, width; the module takes (B, C, H, W) float images.
        num_classes: the module returns (B, num_classes) logits.

    Raises:
        InfeasibleConfigurationError: a layer would leave no pixel.
        ModelError: the user's own function cannot be called or makes no network.
    """
    if isinstance(network, OwnNetwork):
        return build_own_network(network, image_shape=image_shape, num_classes=num_classes)
    return _sequential(network, image_shape, num_classes)


def _sequential(
    network: Network, image_shape: tuple[int, int, int], num_classes: int
) -> nn.Sequential:
    layers = OrderedDict(_layers(network, image_shape, num_classes))
    module = nn.Sequential(layers)
    for layer in module:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            _INITIALIZERS[network.initializer](layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        if isinstance(layer, nn.Linear):
            layer.weight.data = _column_major(layer.weight.data)
    return module


def _layers(
    network: Network, image_shape: tuple[int, int, int], num_classes: int
) -> Iterator[tuple[str, nn.Module]]:
    channels, height, width = image_shape
    sizes = feature_map_sizes(network, image_shape=image_shape)
    for number, (conv, size) in enumerate(zip(network.conv, sizes, strict=True), start=1):
        yield from _conv_block(number, conv, network, channels, (height, width))
        channels, (height, width) = conv.filters, size
    yield "flatten", nn.Flatten()
    features = channels * height * width
    for number, dense in enumerate(network.dense, start=len(network.conv) + 1):
        name = number - len(network.conv)
        if dense.dropout:
            yield f"dropout{name}", Dropout(dense.dropout)
        yield f"dense{name}", nn.Linear(features, dense.units)
        if network.batch_norm:
            yield f"norm{number}", nn.BatchNorm1d(dense.units)
        yield f"{network.activation}{number}", _ACTIVATIONS[network.activation]()
        features = dense.units
    if network.output.dropout:
        yield "output_dropout", Dropout(network.output.dropout)
    yield "output", nn.Linear(features, num_classes)
    if network.output.batch_norm:
        yield "output_norm", nn.BatchNorm1d(num_classes)


def _conv_block(
    number: int, conv: ConvLayer, network: Network, channels: int, size: tuple[int, int]
) -> Iterator[tuple[str, nn.Module]]:
    left, right, top, bottom = _same_padding(conv.kernel, conv.stride, conv.padding, size)
    symmetric = left == right and top == bottom
    if not symmetric:
        yield f"pad{number}", nn.ZeroPad2d((left, right, top, bottom))
    padding = (top, left) if symmetric else (0, 0)
    yield f"conv{number}", nn.Conv2d(channels, conv.filters, conv.kernel, conv.stride, padding)
    if network.batch_norm:
        yield f"norm{number}", nn.BatchNorm2d(conv.filters)
    activation = f"{network.activation}{number}", _ACTIVATIONS[network.activation]()
    if conv.pool != "max":
        yield activation
    if conv.pool != "none":
        pool = (
            nn.MaxPool2d if conv.pool == "max" else partial(nn.AvgPool2d, count_include_pad=False)
        )
        after_conv = [window_steps(n, conv.kernel, conv.stride, conv.padding) for n in size]
        left, _, top, _ = _same_padding(
            conv.pool_size, conv.pool_size, conv.pool_padding, after_conv
        )
        ceil = conv.pool_padding == "same"  # gives the right and the bottom the odd pixel
        yield f"pool{number}", pool(conv.pool_size, padding=(top, left), ceil_mode=ceil)
    if conv.pool == "max":
        # after the pooling: relu, sigmoid and tanh rise, so the largest activation is the
        # activation of the largest, and a quarter of them is left to compute
        yield activation


def _same_padding(
    window: int, stride: int, padding: Padding, size: Sequence[int]
) -> tuple[int, int, int, int]:
    """Left, right, top, bottom as TensorFlow pads: an odd pixel goes to the right and bottom."""
    if padding == "valid":
        return 0, 0, 0, 0
    height, width = (max((-(-n // stride) - 1) * stride + window - n, 0) for n in size)
    return width // 2, width - width // 2, height // 2, height - height // 2


def _column_major(matrix: Tensor) -> Tensor:
    """The same matrix with its columns in one piece each.

    On a CPU the product of 64 images and 784 x 128 such weights takes half the time; shapes, values
    and saved files stay as they are.
    """
    return matrix.t().contiguous().t()


def num_parameters(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
