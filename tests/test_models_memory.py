import pytest
import torch

from hpsearch.models.memory import is_out_of_memory


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:114] . DefaultCPUAllocator: not enough"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_want_of_memory_has_many_names(error: Exception) -> None:
    assert is_out_of_memory(error)
    later = RuntimeError("operation failed due to a previous error during capture")
    later.__context__ = error
    assert is_out_of_memory(later)


def test_other_errors_are_not_for_want_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
