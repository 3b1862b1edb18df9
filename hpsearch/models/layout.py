"""How a network's feature maps lie in memory: what it computes stays the same, its speed does not.

`contiguous` is PyTorch's own; `channels-last` keeps a pixel's channels together, which halves a
convolutional step on a CPU; `blocked` leaves the layout to oneDNN from the first convolution to the
last pooling, which saves another tenth to fifth where nothing between needs the plain layout.
"""

import copy
from collections import OrderedDict
from itertools import takewhile

import torch
from torch import Tensor, nn

from hpsearch.models.memory import is_out_of_memory
from hpsearch.records import Layout

_NUM_TRIED = 2  # images
_MIN_CHANNELS = 16  # of a block; with 8 filters the blocked layout took 1.08 times as long


class Blocked(nn.Sequential):
    """A convolutional network whose feature maps are oneDNN's from its first convolution on."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits of (B, C, H, W) images."""
        values = images
        for part in self:
            if isinstance(part, nn.Conv2d):
                values = _convolve(values if values.is_mkldnn else values.to_mkldnn(), part)
            elif isinstance(part, nn.Flatten):
                values = part(values.to_dense())
            else:
                values = part(values)
        return values


def _convolve(values: Tensor, conv: nn.Conv2d) -> Tensor:
    # conv2d itself would have blocked weights, which cannot be trained
    convolved: Tensor = torch.ops.aten.mkldnn_convolution(
        values, conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups
    )
    return convolved


def lay_out(module: nn.Sequential, layout: Layout) -> nn.Sequential:
    """The same layers, with the same parameters, in a layout."""
    kind = Blocked if layout == "blocked" else nn.Sequential
    last = layout == "channels-last"
    return kind(OrderedDict(module.named_children())).to(
        memory_format=torch.channels_last if last else torch.contiguous_format
    )


def lay_out_own(module: nn.Module, layout: Layout) -> nn.Module:
    """The user's own module itself, the weights of its convolutions in a layout."""
    last = layout == "channels-last"
    return module.to(memory_format=torch.channels_last if last else torch.contiguous_format)


def copy_of(module: nn.Module) -> nn.Module | None:
    """A copy of a user's own module, to try something on; None: it cannot be copied."""
    try:
        return copy.deepcopy(module)
    except Exception as error:  # a lock, a compiled function, whatever the user's code raises
        if is_out_of_memory(error):
            raise
        return None


def bears_channels_last(module: nn.Module, images: Tensor) -> bool:
    """Whether the user's own module has convolutions and trains with channels last.

    It does not where its code asks for the plain layout, as `view` of feature maps does.
    """
    if not any(isinstance(part, nn.Conv2d) for part in module.modules()):
        return False
    tried = copy_of(module)
    if tried is None:
        return False
    try:
        with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
            lay_out_own(tried, "channels-last").train()
            tried(images[:_NUM_TRIED]).sum().backward()
    except (RuntimeError, TypeError) as error:
        if is_out_of_memory(error):
            raise
        return False
    return True


def can_block(module: nn.Sequential) -> bool:
    """Whether the blocked layout serves a network on a CPU without a way back between its layers.

    An uneven padding needs the plain layout; before the first convolution this is there anyway.
    """
    parts = list(takewhile(lambda part: not isinstance(part, nn.Flatten), module))
    if parts and isinstance(parts[0], nn.ZeroPad2d):
        parts = parts[1:]
    channels = [part.out_channels for part in parts if isinstance(part, nn.Conv2d)]
    return (
        bool(channels)
        and min(channels) >= _MIN_CHANNELS
        and all(isinstance(part, nn.Conv2d | nn.MaxPool2d | nn.ReLU) for part in parts)
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    )
