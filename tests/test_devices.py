import os
import subprocess
import sys

import pytest
import torch

from hpsearch.devices import Placement, available_devices, physical_cores, place_workers
from hpsearch.errors import DeviceError

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


@pytest.mark.parametrize("workers", [1, 5])
def test_there_are_as_many_workers_as_asked_for(workers: int) -> None:
    placement = place_workers("cpu", workers=workers, workers_per_gpu=1)
    assert placement == Placement(("cpu",) * workers)


def test_no_workers_means_this_process() -> None:
    assert place_workers("cpu", workers=0, workers_per_gpu=1) == Placement(("cpu",), inline=True)


def test_by_default_there_is_a_worker_for_each_physical_core() -> None:
    placement = place_workers("cpu", workers=None, workers_per_gpu=1)
    assert placement == Placement(("cpu",) * physical_cores())
    assert 1 <= physical_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("device", "workers", "per_gpu", "devices"),
    [
        ("cuda", None, 1, ("cuda:0", "cuda:1")),
        ("auto", None, 2, ("cuda:0", "cuda:1", "cuda:0", "cuda:1")),
        ("cuda", 3, 2, ("cuda:0", "cuda:1", "cuda:0")),
        ("cuda:1", None, 2, ("cuda:1", "cuda:1")),
    ],
)
def test_workers_are_dealt_out_over_the_gpus(
    device: str,
    workers: int | None,
    per_gpu: int,
    devices: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hpsearch.devices._may_have_gpu", lambda: True)
    monkeypatch.setattr("hpsearch.devices._num_gpus", lambda: 2)
    placement = place_workers(device, workers=workers, workers_per_gpu=per_gpu)
    assert placement == Placement(devices)


def test_more_workers_than_fit_on_the_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpsearch.devices._num_gpus", lambda: 2)
    with pytest.raises(DeviceError, match="--workers 5 do not fit on 2 GPU"):
        place_workers("cuda", workers=5, workers_per_gpu=2)


def test_a_search_on_the_processor_does_not_import_pytorch() -> None:
    code = (
        "import sys, hpsearch.run; from hpsearch.devices import place_workers; "
        "place_workers('cpu', workers=None, workers_per_gpu=1); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
