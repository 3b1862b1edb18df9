import pytest
import torch

from hpsearch.training.device import denormals_flushed, prepare_device

NUM_GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0


def test_a_prepared_processor_computes_on_one_thread() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert prepare_device("cpu") == torch.device("cpu")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def denormal() -> float:
    return float((torch.full((64,), 1e-30) * 1e-10).sum())


def test_denormal_numbers_are_zero_in_the_context_only() -> None:
    assert denormal() > 0
    with denormals_flushed():
        assert denormal() == 0.0
    assert denormal() > 0
    with pytest.raises(ValueError, match="inside"), denormals_flushed():
        raise ValueError("inside")
    assert denormal() > 0


@pytest.mark.skipif(NUM_GPUS == 0, reason="needs a GPU")
def test_a_prepared_gpu_is_deterministic() -> None:
    try:
        assert prepare_device("cuda:0") == torch.device("cuda:0")
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(mode=False)
