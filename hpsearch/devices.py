"""The devices of this machine, and where a run's trainings go.

PyTorch takes seconds to import, and the search itself does not need it: it is asked only where
there may be a GPU.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from hpsearch.errors import DeviceError

# one of these is there on a Linux machine whose GPU PyTorch can use
_GPU_NODES = ("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/dxg", "/dev/kfd")


@dataclass(frozen=True)
class Placement:
    """Where trainings run."""

    devices: tuple[str, ...]  # one a worker: cpu, cuda:0
    inline: bool = False  # in this process, on the one device


def place_workers(device: str, *, workers: int | None, workers_per_gpu: int) -> Placement:
    """Turn the options of `run` into devices.

    Args:
        device: as for `available_devices`.
        workers: None: one a GPU, or one a physical core; 0: this process.
        workers_per_gpu: at most so many share a GPU.

    Raises:
        DeviceError: the machine does not have what was asked for.
    """
    devices = available_devices(device)
    if workers == 0:
        return Placement((devices[0],), inline=True)
    if devices == ["cpu"]:
        return Placement(("cpu",) * (physical_cores() if workers is None else workers))
    slots = [name for _ in range(workers_per_gpu) for name in devices]
    if workers is not None and workers > len(slots):
        raise DeviceError(
            f"--workers {workers} do not fit on {len(devices)} GPU(s) with "
            f"--workers-per-gpu {workers_per_gpu}"
        )
    return Placement(tuple(slots[:workers]))


def physical_cores() -> int:
    """The physical cores that this process may use."""
    physical = psutil.cpu_count(logical=False) or 1
    if hasattr(os, "sched_getaffinity"):  # Linux, where a container may have a share only
        return max(1, min(physical, len(os.sched_getaffinity(0))))
    return physical


def available_devices(wanted: str) -> list[str]:
    """The devices that `--device` names, one entry each: ["cpu"], or ["cuda:0", "cuda:1"].

    Args:
        wanted: "auto" (every GPU, else the CPU), "cpu", "cuda" (every GPU) or "cuda:0,1".

    Raises:
        DeviceError: the machine has no such device.
    """
    if wanted == "cpu" or (wanted == "auto" and not _may_have_gpu()):
        return ["cpu"]
    count = _num_gpus()
    if wanted == "auto" and count == 0:
        return ["cpu"]
    if wanted in ("auto", "cuda") and count:
        return [f"cuda:{index}" for index in range(count)]
    kind, _, numbers = wanted.partition(":")
    chosen = numbers.split(",")
    if kind != "cuda" or not count or not all(n.isdecimal() and int(n) < count for n in chosen):
        there = f"this machine has {_gpus(count)}; allowed: auto, cpu, cuda, cuda:N[,N...]"
        raise DeviceError(f"--device {wanted}: {there}")
    return [f"cuda:{int(number)}" for number in dict.fromkeys(chosen)]


def _may_have_gpu() -> bool:
    return sys.platform != "linux" or any(Path(node).exists() for node in _GPU_NODES)


def _num_gpus() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _gpus(count: int) -> str:
    return (
        "no GPU" if count == 0 else f"{count} GPU{'s' if count > 1 else ''}, cuda:0 to {count - 1}"
    )
