"""T8: how far the hardware's limit still is.

Achieved FLOP/s of the reference networks' training against a plain large matrix product on the same
number of processes, and where a worker's time goes, by PyTorch's profiler.

Also the matrix product's own program: `python -m benchmarks.limit SECONDS DEVICE`.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contest import Setting
from benchmarks.throughput import reference_plan
from hpsearch.data.tensors import load_device_data
from hpsearch.training.device import prepare_device
from hpsearch.training.epochs import Training

_SIDE = {"cpu": 1024, "cuda": 8192}
_PROFILE_ROWS = 12


@dataclass(frozen=True)
class Limit:
    """One reference network against the machine."""

    model: str
    images_per_s: float
    mflop_per_image: float  # forward and backward
    achieved_gflop_s: float
    matrix_product_gflop_s: float
    profile: list[tuple[str, float]]  # operation, share of one worker's time

    @property
    def share(self) -> float:
        """Of the machine's matrix product."""
        return self.achieved_gflop_s / self.matrix_product_gflop_s


def measure_limit(setting: Setting, *, model: str, images_per_s: float) -> Limit:
    """T8 for one network, whose throughput was measured before."""
    training = _training(setting, model)
    flops = _flops_per_image(training)
    return Limit(
        model=model,
        images_per_s=images_per_s,
        mflop_per_image=flops / 1e6,
        achieved_gflop_s=images_per_s * flops / 1e9,
        matrix_product_gflop_s=_matrix_product_gflop_s(setting),
        profile=_profile(training),
    )


def _training(setting: Setting, model: str) -> Training:
    plan = reference_plan(setting, model, seed=0)
    device = prepare_device("cuda:0" if setting.device == "cuda" else "cpu")
    return Training(plan, load_device_data(plan.training_set, device=device), device=device)


def _flops_per_image(training: Training) -> float:
    images = torch.zeros(64, *training.plan.training_set.image_shape, device=training.device)
    labels = torch.zeros(64, dtype=torch.int64, device=training.device)
    with FlopCounterMode(display=False) as counter:
        cross_entropy(training.module(images), labels).backward()  # type: ignore[no-untyped-call]
    training.module.zero_grad()
    return float(counter.get_total_flops()) / 64


def _matrix_product_gflop_s(setting: Setting) -> float:
    seconds = 2.0 if setting.quick else 10.0
    command = [sys.executable, "-m", "benchmarks.limit", str(seconds), setting.device]
    num = 1 if setting.device == "cuda" else setting.processes
    path = {"PYTHONPATH": str(Path(__file__).parent.parent), "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=path) for _ in range(num)
    ]
    return sum(float(json.loads(process.communicate()[0])) for process in running)


def _profile(training: Training) -> list[tuple[str, float]]:
    epochs = training.epochs()
    next(epochs)
    activities = [ProfilerActivity.CPU]
    on_gpu = training.device.type == "cuda"
    if on_gpu:
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        next(epochs)
    times = {
        row.key: row.self_device_time_total if on_gpu else row.self_cpu_time_total
        for row in profiler.key_averages()
    }
    total = sum(times.values())
    largest = sorted(times.items(), key=lambda item: item[1], reverse=True)[:_PROFILE_ROWS]
    return [(name, spent / total) for name, spent in largest]


def main() -> None:
    """Multiply large matrices for a while and print GFLOP/s."""
    seconds, device = float(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    side = _SIDE[device]
    a, b = torch.randn(side, side, device=device), torch.randn(side, side, device=device)
    a @ b
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        count += 1
    print(2 * side**3 * count / (time.perf_counter() - start) / 1e9)


if __name__ == "__main__":
    main()
