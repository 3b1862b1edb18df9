"""Whether an error means that there was not enough memory, on the host or on a device."""

from collections.abc import Iterator

import torch

from hpsearch.text import error_text

# where PyTorch has no exception of its own for it: the CPU, a GPU's context, its libraries
_WORDS = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error, or one that it came from, is for want of memory."""
    return any(
        isinstance(cause, torch.OutOfMemoryError | MemoryError)
        or any(word in error_text(cause) for word in _WORDS)
        for cause in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
