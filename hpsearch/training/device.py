"""How the device of a training process is made ready."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
        torch.cuda.set_device(device)  # graphs are recorded on the current one
    return torch.device(device)


def device_name(device: torch.device) -> str:
    """What kind of device it is: cpu, or the model of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """While in the context, this thread's processor takes denormal numbers for 0.

    Adam's means of gradients that stay 0 (a dead unit, a pixel that is always black) shrink to
    denormal numbers and stay there, and each of these costs a hundred cycles.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
