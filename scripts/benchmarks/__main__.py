"""The benchmark's command line; `scripts/bench` starts it in the right environment."""

import json
import os
import platform
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import psutil
import torch
import typer
from rich.console import Console

from benchmarks.contest import OURS, Contest, Setting
from benchmarks.curves import TABLE
from benchmarks.footprint import measure_footprint
from benchmarks.growth import measure_growth
from benchmarks.limit import measure_limit
from benchmarks.tables import show_contest, show_limit, show_overheads, show_targets
from benchmarks.target import measure_target
from benchmarks.throughput import measure_throughput
from benchmarks.trials import measure_trials

Measure = Literal["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8"]
MEASURES: tuple[Measure, ...] = get_args(Measure)


@dataclass
class Results:
    """Everything that one run of the benchmark found."""

    machine: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, value: Any) -> None:
        """Keep a dataclass under a name."""
        self.values[name] = asdict(value)


def bench(
    *,
    quick: Annotated[bool, typer.Option(help="Fewer images, repeats and measures.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="T1 to T8; may be repeated.")] = None,
    repeats: Annotated[int, typer.Option(min=1)] = 5,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    data_dir: Annotated[Path, typer.Option(envvar="HPSEARCH_DATA")] = Path("data"),
    peers_python: Annotated[Path, typer.Option(help="Python of the peers' environment.")],
    output: Annotated[Path, typer.Option("--json", help="Where to write the results.")] = Path(
        "bench.json"
    ),
) -> None:
    """Measure hpsearch beside its peers."""
    wanted = set(only or (["T1", "T2", "T7", "T8"] if quick else MEASURES))
    if unknown := wanted - set(MEASURES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}; allowed: {', '.join(MEASURES)}")
    if device not in ("cpu", "cuda"):
        raise typer.BadParameter(f"--device {device}; allowed: cpu, cuda")
    if "T6" in wanted and not TABLE.exists():
        raise typer.BadParameter(
            f"T6 replays {TABLE.name}, which is not there; scripts/curves makes it"
        )
    with tempfile.TemporaryDirectory(prefix="hpsearch-bench-") as scratch:
        setting = Setting(
            peers_python=peers_python.absolute(),
            data_dir=data_dir.absolute(),
            scratch=Path(scratch),
            device=device,
            processes=psutil.cpu_count(logical=False) or 1,
            repeats=2 if quick else repeats,
            quick=quick,
        )
        results = Results(_machine(device))
        _measure(setting, wanted, results, Console())
    output.write_text(json.dumps({"machine": results.machine, **results.values}, indent=1) + "\n")
    print(f"written: {output}")


def _measure(setting: Setting, wanted: set[str], results: Results, console: Console) -> None:
    for measure, model in (("T1", "cnn"), ("T2", "mlp")):
        if measure in wanted:
            contest = measure_throughput(setting, model=model)
            results.add(measure, contest)
            show_contest(console, contest, {})
            if "T8" in wanted:
                _measure_limit(setting, model, contest, results, console)
    if wanted & {"T3", "T4"}:
        _measure_trials(setting, results, console)
    if "T5" in wanted:
        sizes = (100, 1_000) if setting.quick else (100, 1_000, 10_000)
        growth = measure_growth(sizes, scratch=setting.scratch)
        results.add("T5", growth)
        console.print_json(json.dumps(asdict(growth)))
    if "T6" in wanted:
        targets = measure_target(seeds=3 if setting.quick else 10, table=TABLE)
        results.add("T6", targets)
        show_targets(console, targets)
    if "T7" in wanted:
        footprint = measure_footprint(
            data_dir=setting.data_dir, scratch=setting.scratch, repeats=setting.repeats
        )
        results.add("T7", footprint)
        console.print_json(json.dumps(asdict(footprint)))


def _measure_limit(
    setting: Setting, model: str, contest: Contest, results: Results, console: Console
) -> None:
    ours = next(score for score in contest.scores if score.contestant == OURS)
    limit = measure_limit(setting, model=model, images_per_s=ours.median)
    results.add(f"T8-{model}", limit)
    show_limit(console, limit)


def _measure_trials(setting: Setting, results: Results, console: Console) -> None:
    overheads = []
    for model in ("cnn", "mlp"):
        contest, overhead, accuracies = measure_trials(setting, model=model)
        results.add(f"T3-{model}", contest)
        results.add(f"T4-{model}", overhead)
        results.values[f"T3-{model}"]["val_accuracy"] = accuracies
        show_contest(console, contest, accuracies)
        overheads.append(overhead)
    show_overheads(console, overheads)


def _machine(device: str) -> dict[str, Any]:
    return {
        "date": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %z}",
        "processor": _processor(),
        "cores": psutil.cpu_count(logical=False),
        "load": os.getloadavg(),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("torch", "torchvision", "optuna", "numpy")},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    typer.run(bench)
