"""Which floating-point format a training computes in.

bf16 means autocast: weights, their updates and the loss stay in 32 bits. `auto` takes bf16 only
where a probe on this device finds this network's steps at least a tenth faster.
"""

import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hpsearch.records import Precision

_STEPS = 8
_WORTHWHILE = 0.9  # of fp32's time


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context in which the forward pass runs."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def choose_precision(module: nn.Module, images: Tensor, labels: Tensor) -> Precision:
    """Time some steps of a copy of the network in both formats, and name the one to use.

    Args:
        module: the network, left as it is.
        images: one batch, (B, C, H, W) float.
        labels: (B,) int64.
    """
    device = images.device
    if device.type == "cpu" and not _cpu_has_bf16():
        return "fp32"
    fp32, bf16 = (_time_steps(module, images, labels, p) for p in ("fp32", "bf16"))
    return "bf16" if bf16 < _WORTHWHILE * fp32 else "fp32"


def _cpu_has_bf16() -> bool:
    """Whether the processor computes in bf16; one that emulates it is always slower."""
    probes: list[Callable[[], bool]] = [
        probe
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if (probe := getattr(torch.cpu, name, None)) is not None
    ]
    return any(probe() for probe in probes)


def _time_steps(module: nn.Module, images: Tensor, labels: Tensor, precision: Precision) -> float:
    module = copy.deepcopy(module).train()
    start = 0.0
    for step in range(_STEPS):
        if step == 2:  # the first two choose algorithms and fill caches
            _wait(images.device)
            start = time.perf_counter()
        module.zero_grad(set_to_none=True)
        with autocast(precision, images.device):
            loss = cross_entropy(module(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
    _wait(images.device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
