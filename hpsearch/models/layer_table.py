"""The layers of a network as a table: what `summary()` prints in Keras, with its way of counting.

Keras counts batch norm's running mean and variance as parameters that are not trainable; PyTorch
keeps them as buffers. Both counts can be read here: `parameters` is Keras' total, and `trainable`
those that the optimiser changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LayerRow:
    """One layer."""

    name: str
    kind: str  # PyTorch's class name
    output_shape: tuple[int, ...]  # without the batch
    parameters: int  # with batch norm's running statistics
    trainable: int


def layer_table(module: nn.Module, *, image_shape: tuple[int, int, int]) -> list[LayerRow]:
    """One row a layer, in the order of computation.

    A layer is a part without parts, or one with parameters of its own. One that is passed twice
    stands where it was first, and a parameter that two layers share is counted there; a layer that
    is never passed comes last, without a shape. A script module has none: nothing can look into it.
    """
    if isinstance(module, torch.jit.ScriptModule):
        return []
    parts = dict(_parts(module))
    shapes: dict[str, tuple[int, ...]] = {}

    def note(part: nn.Module, _: object, output: object) -> None:
        shapes.setdefault(names[part], _shape(output))

    names = {part: name for name, part in parts.items()}
    handles = [part.register_forward_hook(note) for part in names]
    was_training = module.training
    module.eval()
    with torch.no_grad():
        module(torch.zeros(1, *image_shape, device=next(module.parameters()).device))
    module.train(was_training)
    for handle in handles:
        handle.remove()
    counted: set[Tensor] = set()
    unused = [name for name in parts if name not in shapes and [*parts[name].parameters()]]
    return [_row(name, parts[name], shapes.get(name, ()), counted) for name in [*shapes, *unused]]


def _parts(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, part in module.named_modules():
        own = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
        if own or not list(part.children()):
            yield name or type(module).__name__, part


def _shape(output: object) -> tuple[int, ...]:
    """Without the batch; of several outputs, the first one's."""
    while isinstance(output, tuple | list) and output:
        output = output[0]
    return tuple(output.shape[1:]) if isinstance(output, Tensor) else ()


def _row(name: str, part: nn.Module, shape: tuple[int, ...], counted: set[Tensor]) -> LayerRow:
    own = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
    new = [value for value in own if value not in counted and value.is_floating_point()]
    counted.update(new)
    trainable = sum(value.numel() for value in new if value.requires_grad)
    total = sum(value.numel() for value in new)
    return LayerRow(name, type(part).__name__, shape, total, trainable)
