"""The benchmark's command line; `scripts/bench` starts it in the right environment."""

import json
import os
import platform
import sys
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

from benchmarks.contest import Contest, Setting, run_json
from benchmarks.curves import TABLE, Curves, load_curves
from benchmarks.footprint import measure_footprint
from benchmarks.growth import measure_growth
from benchmarks.limit import measure_limit
from benchmarks.reference import Model
from benchmarks.tables import (
    show_contest,
    show_footprint,
    show_growth,
    show_limit,
    show_overheads,
    show_targets,
)
from benchmarks.target import measure_target
from benchmarks.throughput import measure_throughput
from benchmarks.trials import TRAINING_IMAGES, measure_trials
from hpsearch.devices import physical_cores
from hpsearch.environment import processor_name
from hpsearch.output import stdout

Measure = Literal["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8"]
_PEERS = ("torch", "torchvision", "optuna", "tensorflow", "tensorflow-cpu", "keras", "ray")
MEASURES: tuple[Measure, ...] = get_args(Measure)


@dataclass
class Results:
    """What a run of the benchmark has found so far; in its file at once, should it be cut off."""

    path: Path
    machine: dict[str, Any]
    settings: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, value: Any, **more: Any) -> None:
        """Keep a dataclass, and what belongs to it, under a name."""
        self.values[name] = {**asdict(value), **more}
        self.write()

    def write(self) -> None:
        """Write all of it as JSON."""
        document = {"machine": self.machine, "settings": self.settings, **self.values}
        self.path.write_text(json.dumps(document, indent=1) + "\n")


def bench(
    *,
    quick: Annotated[bool, typer.Option(help="Fewer images, repeats and measures.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="T1 to T8; may be repeated.")] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Of each contestant; by default 5, or 2 if quick.")
    ] = None,
    trial_images: Annotated[
        int | None,
        typer.Option(min=1_000, max=TRAINING_IMAGES, help="That each trial of T3 trains on."),
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="cuda: the first GPU.")] = "cpu",
    workers_per_gpu: Annotated[int, typer.Option(min=1, max=64, help="Ours, on cuda.")] = 4,
    data_dir: Annotated[Path, typer.Option(envvar="HPSEARCH_DATA")] = Path("data"),
    peers_python: Annotated[
        Path, typer.Option(exists=True, help="Python of the peers' environment.")
    ] = Path(sys.executable),
    output: Annotated[Path, typer.Option("--json", help="Where to write the results.")] = Path(
        "bench.json"
    ),
) -> None:
    """Measure hpsearch beside its peers; one that cannot be imported is left out."""
    if device == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter("--device cuda: PyTorch sees no GPU here")
    curves = load_curves(TABLE) if TABLE.exists() else {}
    wanted = _wanted(only, quick=quick, can_replay=bool(curves))
    with tempfile.TemporaryDirectory(prefix="hpsearch-bench-") as scratch:
        setting = Setting(
            peers_python=peers_python.absolute(),
            data_dir=data_dir.absolute(),
            scratch=Path(scratch),
            device=device,
            workers=workers_per_gpu if device == "cuda" else physical_cores(),
            cores=physical_cores(),
            repeats=repeats or (2 if quick else 5),
            quick=quick,
            trial_images=trial_images or (2_550 if quick else TRAINING_IMAGES),
        )
        results = Results(output, _machine(setting), _settings(setting))
        try:
            results.write()
        except OSError as error:
            raise typer.BadParameter(f"{output} cannot be written: {error.strerror}") from None
        _measure(setting, wanted, curves, results)
    print(f"written: {output}")


def _wanted(only: list[str] | None, *, quick: bool, can_replay: bool) -> set[str]:
    """The measures to take: those asked for, or all that can be taken."""
    wanted = set(only or (["T1", "T2", "T7", "T8"] if quick else MEASURES))
    if unknown := wanted - set(MEASURES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}; allowed: {', '.join(MEASURES)}")
    if "T8" in wanted and not wanted & {"T1", "T2"}:
        raise typer.BadParameter("T8 is about the throughput that T1 or T2 finds: name one of them")
    if "T6" in wanted and not can_replay:
        reason = f"T6 replays {TABLE.name}, which is not there or has no seed complete yet"
        if only:
            raise typer.BadParameter(f"{reason}; scripts/curves makes it")
        print(f"left out: {reason}")
        wanted.remove("T6")
    return wanted


def _measure(setting: Setting, wanted: set[str], curves: Curves, results: Results) -> None:
    console = stdout()
    contests = _measure_throughputs(setting, wanted, results, console)
    if wanted & {"T3", "T4"}:
        _measure_trials(setting, results, console)
    if "T5" in wanted:
        sizes = (100, 1_000) if setting.quick else (100, 1_000, 10_000)
        growth = measure_growth(sizes, scratch=setting.scratch)
        results.add("T5", growth)
        show_growth(console, growth)
    if "T6" in wanted:
        targets = measure_target(curves, seeds=3 if setting.quick else 10)
        results.add("T6", targets)
        show_targets(console, targets)
    if "T7" in wanted:
        footprint = measure_footprint(
            data_dir=setting.data_dir, scratch=setting.scratch, repeats=setting.repeats
        )
        results.add("T7", footprint)
        show_footprint(console, footprint)
    if "T8" in wanted:  # last: it trains in this process, whose settings the others would inherit
        _measure_limits(setting, contests, results, console)


def _measure_throughputs(
    setting: Setting, wanted: set[str], results: Results, console: Console
) -> dict[Model, Contest]:
    contests: dict[Model, Contest] = {}
    models: dict[str, Model] = {"T1": "cnn", "T2": "mlp"}
    for measure, model in models.items():
        if measure in wanted:
            contests[model] = measure_throughput(setting, model=model)
            results.add(measure, contests[model])
            show_contest(console, contests[model], {})
    return contests


def _measure_trials(setting: Setting, results: Results, console: Console) -> None:
    overheads = []
    models: tuple[Model, ...] = get_args(Model)
    for model in models:
        contest, overhead, accuracies = measure_trials(setting, model=model)
        results.add(f"T3-{model}", contest, val_accuracy=accuracies)
        show_contest(console, contest, accuracies)
        if overhead is not None:
            results.add(f"T4-{model}", overhead)
            overheads.append(overhead)
    show_overheads(console, overheads)


def _measure_limits(
    setting: Setting, contests: dict[Model, Contest], results: Results, console: Console
) -> None:
    for model, contest in contests.items():
        if not contest.ours.samples:
            console.print(f"T8: {model}: left out, as hpsearch has no throughput of it")
            continue
        limit = measure_limit(setting, model=model, images_per_s=contest.ours.median)
        results.add(f"T8-{model}", limit)
        show_limit(console, limit)


def _machine(setting: Setting) -> dict[str, Any]:
    return {
        "date": f"{datetime.now().astimezone():%Y-%m-%d %H:%M %z}",
        "processor": processor_name(),
        "cores": psutil.cpu_count(logical=False),
        "load": os.getloadavg(),
        "gpu": torch.cuda.get_device_name() if setting.device == "cuda" else None,
        "workers": setting.workers,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("torch", "torchvision", "optuna", "numpy")},
    }


def _settings(setting: Setting) -> dict[str, Any]:
    """How the run was started, and what its peers are."""
    shown = ("device", "workers", "cores", "repeats", "quick", "trial_images")
    return {
        "command": sys.argv[1:],
        **{name: getattr(setting, name) for name in shown},
        "peers": _versions(setting.peers_python),
    }


def _versions(python: Path) -> dict[str, str]:
    """The peers' packages, by name, as far as they are installed."""
    code = (
        "import json, importlib.metadata as m; print(json.dumps({d.metadata['Name']: "
        "d.version for d in m.distributions() if d.metadata['Name']}))"
    )
    found = run_json([str(python), "-c", code], timeout_s=60)
    installed = {name.lower().replace("_", "-"): str(release) for name, release in found.items()}
    return {name: installed[name] for name in _PEERS if name in installed}


if __name__ == "__main__":
    typer.run(bench)
