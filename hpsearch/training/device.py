"""The device of a training process: which there are, and how one is made ready."""

import os

import torch

from hpsearch.errors import DeviceError


def available_devices(wanted: str) -> list[str]:
    """The devices that `--device` names, one entry each: ["cpu"], or ["cuda:0", "cuda:1"].

    Args:
        wanted: "auto" (every GPU, else the CPU), "cpu", "cuda" (every GPU) or "cuda:0,1".

    Raises:
        DeviceError: the machine has no such device.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = f"this machine has {_gpus(count)}; allowed: auto, cpu, cuda, cuda:N[,N...]"
    if wanted == "cpu" or (wanted == "auto" and count == 0):
        return ["cpu"]
    if wanted in ("auto", "cuda") and count:
        return [f"cuda:{index}" for index in range(count)]
    kind, _, numbers = wanted.partition(":")
    chosen = numbers.split(",")
    if kind != "cuda" or not count or not all(n.isdecimal() and int(n) < count for n in chosen):
        raise DeviceError(f"--device {wanted}: {there}")
    return [f"cuda:{int(number)}" for number in dict.fromkeys(chosen)]


def _gpus(count: int) -> str:
    return (
        "no GPU" if count == 0 else f"{count} GPU{'s' if count > 1 else ''}, cuda:0 to {count - 1}"
    )


def prepare_device(device: str) -> torch.device:
    """Make this process compute the same numbers every time, and return its device.

    One thread on the CPU: sums split over threads would depend on how many there are.
    """
    torch.set_num_threads(1)
    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS' condition for it
        # warn only: some versions call the gradient of any max-pooling nondeterministic, but its
        # sums vary in order only where windows overlap, and ours do not
        torch.use_deterministic_algorithms(True, warn_only=True)
        # nothing here reads memory before writing it
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = False
    return torch.device(device)
