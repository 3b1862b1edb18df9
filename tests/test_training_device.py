import pytest
import torch

from hpsearch.errors import DeviceError
from hpsearch.training.device import available_devices, prepare_device

NUM_GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0


def test_the_processor_is_always_there() -> None:
    assert available_devices("cpu") == ["cpu"]


def test_auto_is_every_gpu_and_without_one_the_processor() -> None:
    assert available_devices("auto") == ([f"cuda:{n}" for n in range(NUM_GPUS)] or ["cpu"])


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "gpu",
        "CPU",
        "cpu:0",
        "mps",
        "cuda:",
        "cuda:x",
        "cuda:-1",
        "cuda:0.5",
        "cuda:0,",
        "cuda:99",
    ],
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are_allowed(wanted: str) -> None:
    with pytest.raises(DeviceError, match=r"allowed: auto, cpu, cuda, cuda:N\[,N...\]") as caught:
        available_devices(wanted)
    assert f"--device {wanted}:" in str(caught.value)


@pytest.mark.skipif(NUM_GPUS > 0, reason="needs a machine without a GPU")
@pytest.mark.parametrize("wanted", ["cuda", "cuda:0"])
def test_without_a_gpu_it_says_so(wanted: str) -> None:
    with pytest.raises(DeviceError, match="this machine has no GPU"):
        available_devices(wanted)


@pytest.mark.skipif(NUM_GPUS == 0, reason="needs a GPU")
def test_gpus_are_named_one_by_one_and_none_twice() -> None:
    assert available_devices("cuda") == [f"cuda:{n}" for n in range(NUM_GPUS)]
    assert available_devices("cuda:0,0") == ["cuda:0"]


def test_a_prepared_processor_computes_on_one_thread() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert prepare_device("cpu") == torch.device("cpu")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(NUM_GPUS == 0, reason="needs a GPU")
def test_a_prepared_gpu_is_deterministic() -> None:
    try:
        assert prepare_device("cuda:0") == torch.device("cuda:0")
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(mode=False)
