"""Optimisers: PyTorch's own fused arithmetic, and our state.

Not `torch.optim`: making its first optimiser imports PyTorch's compiler, 82 MB and seconds a
worker, and every step pays for hooks, profiling and sorting by device that nobody asked for: two
fifths of Adam's time for a small MLP.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from hpsearch.configuration import Adam, Sgd

State = dict[str, list[Tensor]]


class Optimizer:
    """The configuration's optimiser over some parameters."""

    def __init__(self, settings: Adam | Sgd, parameters: Iterable[nn.Parameter]) -> None:
        self._settings = settings
        values = [parameter.detach() for parameter in parameters]
        self._orders = [_memory_order(value) for value in values]
        self._values = [v.permute(order) for v, order in zip(values, self._orders, strict=True)]
        if isinstance(settings, Adam):
            self._state: State = {
                "means": self._zeros(),
                "squares": self._zeros(),
                "step": [torch.zeros((), device=self._values[0].device)],
            }
        else:
            self._state = {"momentum": self._zeros() if settings.momentum else []}

    def step(self, gradients: Iterable[Tensor], learning_rate: float | Tensor) -> None:
        """Move the parameters along their gradients, which come in the parameters' order.

        A captured step keeps its learning rate in a tensor on the device, to change it later.
        """
        # the fused kernels of a GPU refuse gradients laid out in another way than the weights
        ordered = [
            gradient.permute(order).contiguous()
            for gradient, order in zip(gradients, self._orders, strict=True)
        ]
        if isinstance(self._settings, Adam):
            self._adam(ordered, learning_rate)
        else:
            self._sgd(ordered, learning_rate, self._settings)

    def state(self) -> State:
        """The tensors to save: `load_state` of a new optimiser goes on with them.

        In the parameters' own shapes, however the weights lie in memory there and here.
        """
        return {
            name: [self._as_parameter(tensor, number) for number, tensor in enumerate(tensors)]
            for name, tensors in self._state.items()
        }

    def load_state(self, state: State) -> None:
        """Take over what `state` returned."""
        for name, tensors in self._state.items():
            for number, (mine, other) in enumerate(zip(tensors, state[name], strict=True)):
                self._as_parameter(mine, number).copy_(other)

    def _as_parameter(self, tensor: Tensor, number: int) -> Tensor:
        """One of ours as a view with its parameter's order of dimensions; a count has none."""
        order = self._orders[number]
        if tensor.ndim != len(order):
            return tensor
        return tensor.permute(sorted(range(len(order)), key=order.__getitem__))

    def _adam(self, gradients: list[Tensor], learning_rate: float | Tensor) -> None:
        """Kingma & Ba 2015."""
        state = self._state
        (step,) = state["step"]
        step.add_(1)
        torch._fused_adam_(
            self._values,
            gradients,
            state["means"],
            state["squares"],
            [],
            [step] * len(gradients),
            lr=learning_rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=self._settings.weight_decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def _sgd(self, gradients: list[Tensor], learning_rate: float | Tensor, settings: Sgd) -> None:
        torch._fused_sgd_(
            self._values,
            gradients,
            self._state["momentum"],
            weight_decay=settings.weight_decay,
            momentum=settings.momentum,
            lr=learning_rate,
            dampening=0.0,
            nesterov=settings.nesterov,
            maximize=False,
            is_first_step=False,
        )

    def _zeros(self) -> list[Tensor]:
        return [torch.zeros_like(v) for v in self._values]


def _memory_order(tensor: Tensor) -> list[int]:
    """The dimensions from the largest stride to the smallest.

    So permuted, column-major and channels-last weights are contiguous; the fused kernels would copy
    them, and their gradients, at every step otherwise.
    """
    return sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
