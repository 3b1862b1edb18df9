"""The architecture of a network of ours, and the sizes of its feature maps in plain integers.

An impossible network is refused here, before PyTorch is imported.
"""

from typing import Annotated, Literal

from pydantic import Field

from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.frozen import Frozen
from hpsearch.ownmodel import OwnNetwork

Padding = Literal["same", "valid"]


class ConvLayer(Frozen):
    """A convolution, its activation and the pooling after it."""

    filters: Annotated[int, Field(ge=1, le=65_536)] = 32
    kernel: Annotated[int, Field(ge=1, le=1_024)] = 3
    stride: Annotated[int, Field(ge=1, le=1_024)] = 1
    padding: Padding = "same"  # as Keras pads: the output has ceil(size / stride) pixels
    pool: Literal["max", "average", "none"] = "max"
    pool_size: Annotated[int, Field(ge=1, le=1_024)] = 2  # the window and its stride
    pool_padding: Padding = "same"  # same: 7 pools to 4; valid: 7 pools to 3

    def output_size(self, size: int) -> int:
        """Pixels along one side after convolution and pooling; below 1 if nothing is left."""
        size = window_steps(size, self.kernel, self.stride, self.padding)
        if self.pool != "none":
            size = window_steps(size, self.pool_size, self.pool_size, self.pool_padding)
        return size


class DenseLayer(Frozen):
    """A fully connected hidden layer, and the dropout before it."""

    units: Annotated[int, Field(ge=1, le=1_048_576)] = 128
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class OutputLayer(Frozen):
    """The last layer, one unit a class; softmax is part of the loss."""

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    batch_norm: bool = False


class Network(Frozen):
    """The architecture: convolutions (none in an MLP), hidden layers, output."""

    conv: tuple[ConvLayer, ...] = ()
    dense: tuple[DenseLayer, ...] = ()
    output: OutputLayer = OutputLayer()
    activation: Literal["relu", "sigmoid", "tanh"] = "relu"
    batch_norm: bool = False  # before every activation
    initializer: Literal["glorot_uniform", "he_uniform"] = "glorot_uniform"  # biases start at 0


def running_statistics(network: Network, *, num_classes: int) -> int:
    """Numbers that batch norm keeps without training them: a mean and a variance a channel."""
    layers = [layer.filters for layer in network.conv] + [layer.units for layer in network.dense]
    channels = sum(layers) if network.batch_norm else 0
    return 2 * (channels + (num_classes if network.output.batch_norm else 0))


def window_steps(size: int, window: int, stride: int, padding: Padding) -> int:
    """Positions of a sliding window along one side."""
    if padding == "same":
        return -(-size // stride)
    return (size - window) // stride + 1


def feature_map_sizes(
    network: Network | OwnNetwork, *, image_shape: tuple[int, int, int]
) -> list[tuple[int, int]]:
    """Height and width after each convolutional layer; of an own network nothing is known.

    Raises:
        InfeasibleConfigurationError: a layer leaves no pixel.
    """
    if isinstance(network, OwnNetwork):
        return []
    _, height, width = image_shape
    sizes = []
    for number, layer in enumerate(network.conv, start=1):
        before = f"{height} x {width}"
        height, width = layer.output_size(height), layer.output_size(width)
        if height < 1 or width < 1:
            message = f"conv layer {number} leaves no pixel of {before}"
            raise InfeasibleConfigurationError(message)
        sizes.append((height, width))
    return sizes
