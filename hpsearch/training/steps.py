"""One training step: forward, backward, update.

`AutogradStep` trains every network. `DenseStep` does the same for an MLP with the gradient written
out: the operations that matter there are so small that autograd's bookkeeping takes a third of the
time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hpsearch.models.dropout import Dropout
from hpsearch.records import Precision
from hpsearch.training.optimizers import Optimizer
from hpsearch.training.precision import autocast


class Step(Protocol):
    """Trains on one batch."""

    def __call__(self, images: Tensor, labels: Tensor, *, learning_rate: float | Tensor) -> Tensor:
        """Move the weights once.

        Args:
            images: (B, C, H, W) float.
            labels: (B,) int64.
            learning_rate: of this step; a tensor where the step is recorded to be replayed.

        Returns:
            (B, classes) logits of the weights before they were moved.
        """


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that are trained; an own model may have frozen ones."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


class AutogradStep:
    """The step of any module."""

    def __init__(
        self, module: nn.Module, optimizer: Optimizer, *, precision: Precision = "fp32"
    ) -> None:
        self._module = module
        self._parameters = trainable(module)
        self._optimizer = optimizer
        self._precision = precision

    def __call__(self, images: Tensor, labels: Tensor, *, learning_rate: float | Tensor) -> Tensor:
        with autocast(self._precision, images.device):
            logits: Tensor = self._module(images)
            loss = cross_entropy(logits, labels)
        # an own model may leave a parameter unused: its gradient is 0
        gradients = torch.autograd.grad(loss, self._parameters, materialize_grads=True)
        self._optimizer.step(gradients, learning_rate)
        return logits.detach()


_Backward = Callable[[Tensor, Tensor], Tensor]  # gradient after, output -> gradient before
_BACKWARD: dict[type, _Backward] = {
    nn.ReLU: lambda gradient, output: torch.ops.aten.threshold_backward(gradient, output, 0),
    nn.Sigmoid: torch.ops.aten.sigmoid_backward,
    nn.Tanh: torch.ops.aten.tanh_backward,
}


def can_write_out(module: nn.Sequential) -> bool:
    """Whether `DenseStep` can train a network: an MLP without batch norm."""
    known = (nn.Flatten, nn.Linear, Dropout, *_BACKWARD)
    return all(isinstance(part, known) for part in module)


@dataclass
class _DenseLayer:
    """A fully connected layer with what stands before and after it."""

    linear: nn.Linear
    dropout: Dropout | None
    activation: nn.Module | None = None


class _Passed(NamedTuple):
    """What the forward pass leaves behind of a layer."""

    before: Tensor  # (B, in), the previous layer's output
    mask: Tensor | None  # (B, in), the dropout between
    inputs: Tensor  # (B, in), both multiplied


class DenseStep:
    """The step of an MLP without batch norm, in 32 bits on a CPU."""

    def __init__(self, module: nn.Sequential, optimizer: Optimizer) -> None:
        self._layers = _dense_layers(module)
        self._optimizer = optimizer
        self._truth = torch.eye(self._layers[-1].linear.out_features)  # one-hot rows, by label

    @torch.no_grad()
    def __call__(self, images: Tensor, labels: Tensor, *, learning_rate: float | Tensor) -> Tensor:
        passed = []
        values = images.flatten(1)
        for layer in self._layers:
            mask = layer.dropout.mask(values) if layer.dropout else None
            inputs = values if mask is None else values * mask
            passed.append(_Passed(values, mask, inputs))
            values = layer.linear(inputs)
            values = layer.activation(values) if layer.activation else values
        # of the mean cross-entropy by the logits
        gradient = values.softmax(1).sub_(self._truth.index_select(0, labels)).div_(len(labels))
        self._optimizer.step(self._gradients(passed, gradient), learning_rate)
        return values

    def _gradients(self, passed: list[_Passed], gradient: Tensor) -> list[Tensor]:
        """By each weight and bias, in the module's order; `gradient` is that by the logits."""
        found: list[Tensor] = []
        for number in reversed(range(len(passed))):
            layer, (before, mask, inputs) = self._layers[number], passed[number]
            found[:0] = [(inputs.t() @ gradient).t(), gradient.sum(0)]
            if number == 0:
                break
            gradient = gradient @ layer.linear.weight
            gradient = gradient if mask is None else gradient.mul_(mask)
            backward = _BACKWARD[type(self._layers[number - 1].activation)]
            gradient = backward(gradient, before)
        return found


def _dense_layers(module: nn.Sequential) -> list[_DenseLayer]:
    layers: list[_DenseLayer] = []
    dropout: Dropout | None = None
    for part in module:
        if isinstance(part, Dropout):
            dropout = part
        elif isinstance(part, nn.Linear):
            layers.append(_DenseLayer(part, dropout))
            dropout = None
        elif not isinstance(part, nn.Flatten):
            layers[-1].activation = part
    return layers
