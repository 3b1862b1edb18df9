"""The layers of a network as a table: what `summary()` prints in Keras, with its way of counting.

Keras counts batch norm's running mean and variance as parameters that are not trainable; PyTorch
keeps them as buffers. Both counts can be read here: `parameters` is Keras' total, and `trainable`
those that the optimiser changes.
"""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class LayerRow:
    """One layer."""

    name: str
    kind: str  # PyTorch's class name
    output_shape: tuple[int, ...]  # without the batch
    parameters: int  # with batch norm's running statistics
    trainable: int


def layer_table(module: nn.Sequential, *, image_shape: tuple[int, int, int]) -> list[LayerRow]:
    """One row a layer, in the order of computation."""
    rows = []
    was_training = module.training
    module.eval()
    with torch.no_grad():
        x = torch.zeros(1, *image_shape)
        for name, layer in module.named_children():
            x = layer(x)
            trainable = sum(p.numel() for p in layer.parameters())
            running = sum(b.numel() for b in layer.buffers() if b.is_floating_point())
            shape = tuple(x.shape[1:])
            rows.append(LayerRow(name, type(layer).__name__, shape, trainable + running, trainable))
    module.train(was_training)
    return rows
