"""Which method a training is computed by: precision, layout of the feature maps, kind of step.

On a CPU it follows from the network, by what was measured (see the README), except for bf16 under
`precision = "auto"`; on a GPU the methods are tried against each other when a training begins. The
choice is kept with checkpoint and record: another method rounds otherwise.
"""

import copy
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from hpsearch.configuration import Configuration
from hpsearch.models.layout import bears_channels_last, can_block, copy_of
from hpsearch.models.memory import is_out_of_memory
from hpsearch.records import Layout, Method, Precision
from hpsearch.training.learner import Learner, make_learner
from hpsearch.training.steps import can_write_out

_UNTIMED_STEPS = 4  # choose algorithms, fill caches, record a graph
_TIMED_STEPS = 8
_WORTHWHILE = 0.9  # of the usual method's time


def candidate_methods(
    module: nn.Module,
    *,
    precision: Literal["fp32", "bf16", "auto"],
    device: torch.device,
    plain: bool = False,
    own: Tensor | None = None,
) -> list[Method]:
    """The usual method, then those to be tried against it.

    A step of the user's own module is never captured: what its Python does, a coin thrown on the
    CPU say, would silently be done once only.

    Args:
        module: the network.
        precision: the protocol's.
        device: where it is trained.
        plain: PyTorch's own layers, layout and autograd only.
        own: of the user's own module, some images (B, C, H, W) to try a layout with.
    """
    may_use_bf16 = device.type != "cpu" or _cpu_has_bf16()
    precisions: list[Precision] = ["fp32"] if precision == "auto" else [precision]
    if plain:
        return [Method(precisions[0], "contiguous", "autograd")]
    if precision == "auto" and may_use_bf16:
        precisions.append("bf16")
    if own is not None:
        layout: Layout = "channels-last" if bears_channels_last(module, own) else "contiguous"
        if len(precisions) > 1 and copy_of(module) is None:  # methods are tried on copies
            precisions = precisions[:1]
        return [Method(precision, layout, "autograd") for precision in precisions]
    assert isinstance(module, nn.Sequential)
    if device.type == "cpu":
        return [_on_cpu(module, precision) for precision in precisions]
    layouts: list[Layout] = (
        ["contiguous", "channels-last"] if _convolves(module) else ["contiguous"]
    )
    return [
        Method(precision, layout, step)
        for precision in precisions
        for layout in layouts
        for step in ("autograd", "captured")
    ]


def choose_method(
    module: nn.Module,
    configuration: Configuration,
    candidates: Sequence[Method],
    batch: tuple[Tensor, Tensor],
) -> Method:
    """Try the candidates on copies of a network.

    Args:
        module: the network, left as it is.
        configuration: its hyperparameters.
        candidates: see `candidate_methods`.
        batch: images (B, C, H, W) float and labels (B,) on the device.
    """

    def seconds(method: Method) -> float:
        learner = make_learner(copy.deepcopy(module), configuration, method)
        return _time_steps(learner, batch, learning_rate=configuration.learning_rate)

    return fastest(candidates, seconds)


def fastest(candidates: Sequence[Method], seconds: Callable[[Method], float]) -> Method:
    """The first candidate, unless another takes a tenth less time."""
    usual, *others = candidates
    if not others:
        return usual
    limit = _WORTHWHILE * seconds(usual)
    times = {method: _attempt(method, seconds) for method in others}
    best = min(times, key=times.__getitem__)
    return best if times[best] < limit else usual


def _attempt(method: Method, seconds: Callable[[Method], float]) -> float:
    try:
        return seconds(method)
    except RuntimeError as error:  # what a driver or a kernel may say of a graph, or of bf16
        if is_out_of_memory(error):
            raise
        warnings.warn(f"left out, for it does not work here: {method}: {error}", stacklevel=2)
        return float("inf")


def _on_cpu(module: nn.Sequential, precision: Precision) -> Method:
    if precision == "fp32" and can_write_out(module):
        return Method(precision, "contiguous", "written-out")
    if precision == "fp32" and can_block(module):
        return Method(precision, "blocked", "autograd")
    return Method(precision, "channels-last" if _convolves(module) else "contiguous", "autograd")


def _convolves(module: nn.Sequential) -> bool:
    return any(isinstance(part, nn.Conv2d) for part in module)


def _cpu_has_bf16() -> bool:
    """Whether the processor computes in bf16; one that emulates it is always slower."""
    probes: list[Callable[[], bool]] = [
        probe
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if (probe := getattr(torch.cpu, name, None)) is not None
    ]
    return any(probe() for probe in probes)


def _time_steps(learner: Learner, batch: tuple[Tensor, Tensor], *, learning_rate: float) -> float:
    learner.module.train()
    images, labels = batch
    start = 0.0
    for number in range(_UNTIMED_STEPS + _TIMED_STEPS):
        if number == _UNTIMED_STEPS:
            _wait(images.device)
            start = time.perf_counter()
        learner.step(images, labels, learning_rate=learning_rate)
    _wait(images.device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
