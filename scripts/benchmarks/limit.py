"""T8: how far the hardware's limit still is.

Achieved FLOP/s of the reference networks' training against a plain large matrix product in the same
precision, on a GPU or on as many processes as there are workers; and where a worker's time goes, by
PyTorch's profiler, without what the others do to it.

Also the matrix product's own program: `python -m benchmarks.limit SECONDS DEVICE PRECISION`.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contest import Setting
from benchmarks.reference import Model
from benchmarks.throughput import throughput_plan
from hpsearch.data.tensors import load_device_data
from hpsearch.models.network import build_network
from hpsearch.records import Precision
from hpsearch.training.device import prepare_device
from hpsearch.training.epochs import Training
from hpsearch.training.plan import Plan

_SIDE = {"cpu": 1024, "cuda": 8192}
_PROFILE_ROWS = 12


@dataclass(frozen=True)
class Limit:
    """One reference network against the machine."""

    model: Model
    images_per_s: float
    mflop_per_image: float  # forward and backward
    achieved_gflop_s: float
    precision: Precision  # of both
    matrix_product_gflop_s: float
    profile: list[tuple[str, float]]  # operation or, on a GPU, kernel; share of one worker's time

    @property
    def share(self) -> float:
        """Of the machine's matrix product."""
        return self.achieved_gflop_s / self.matrix_product_gflop_s


def measure_limit(setting: Setting, *, model: Model, images_per_s: float) -> Limit:
    """T8 for one network, whose throughput was measured before; trains in this process."""
    plan = throughput_plan(setting, model, seed=0)
    device = prepare_device(setting.worker_device)
    training = Training(plan, load_device_data(plan.training_set, device=device), device=device)
    flops = flops_per_image(plan)
    precision = training.method.precision
    return Limit(
        model=model,
        images_per_s=images_per_s,
        mflop_per_image=flops / 1e6,
        achieved_gflop_s=images_per_s * flops / 1e9,
        precision=precision,
        matrix_product_gflop_s=_matrix_product_gflop_s(setting, precision),
        profile=_profile(training),
    )


def flops_per_image(plan: Plan) -> float:
    """Of a training step, in PyTorch's own layers: its counter does not know oneDNN's."""
    training_set = plan.training_set
    module = build_network(
        plan.configuration.network,
        image_shape=training_set.image_shape,
        num_classes=training_set.num_classes,
    )
    images, labels = torch.zeros(64, *training_set.image_shape), torch.zeros(64, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        cross_entropy(module(images), labels).backward()  # type: ignore[no-untyped-call]
    return float(counter.get_total_flops()) / 64


def _matrix_product_gflop_s(setting: Setting, precision: Precision) -> float:
    seconds = 2.0 if setting.quick else 10.0
    command = [sys.executable, "-m", "benchmarks.limit", str(seconds), setting.device, precision]
    num = 1 if setting.device == "cuda" else setting.workers
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(num)
    ]
    return sum(float(json.loads(process.communicate()[0])) for process in running)


def _profile(training: Training) -> list[tuple[str, float]]:
    epochs = training.epochs()
    next(epochs)
    on_gpu = training.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiler:
        next(epochs)
    # an operation's row holds the time of its kernels, which have rows of their own
    kind = "CUDA" if on_gpu else "CPU"
    times = {
        row.key: row.self_device_time_total if on_gpu else row.self_cpu_time_total
        for row in profiler.key_averages()
        if row.device_type.name == kind and not row.is_user_annotation
    }
    total = sum(times.values())
    largest = sorted(times.items(), key=lambda item: item[1], reverse=True)[:_PROFILE_ROWS]
    return [(name, spent / total) for name, spent in largest]


def main() -> None:
    """Multiply large matrices for a while and print GFLOP/s."""
    seconds, device, precision = float(sys.argv[1]), sys.argv[2], sys.argv[3]
    torch.set_num_threads(1)
    side, dtype = _SIDE[device], torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    _multiply(a, b)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        _multiply(a, b)
        count += 1
    print(2 * side**3 * count / (time.perf_counter() - start) / 1e9)


def _multiply(a: torch.Tensor, b: torch.Tensor) -> None:
    a @ b
    if a.is_cuda:
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
