"""The learning curves of every network in D4's MLP space, as a table that T6 replays.

    python -m benchmarks.curves TABLE --home DIR     (or scripts/curves)

108 configurations with some seeds each, trained by the protocol of `studies/mlp-fashion.toml` until
its early stopping, nothing pruned: hours on two cores. Started again, it goes on where it was.
"""

import csv
import gzip
import io
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from hpsearch.data.training_set import TrainingSet, prepare_training_set
from hpsearch.devices import physical_cores
from hpsearch.executors.local import LocalExecutor
from hpsearch.executors.messages import (
    EpochFinished,
    Executor,
    Task,
    TrainingFinished,
    TrainingStarted,
)
from hpsearch.home import atomic_path
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.spec import StudySpec
from hpsearch.studyfiles import find_study_file
from hpsearch.studyparser import load_study_file
from hpsearch.training.plan import Plan

TABLE = Path(__file__).parent / "mlp-fashion-curves.csv.gz"
_COLUMNS = ("configuration", "seed", "epoch", "val_accuracy", "val_loss", "duration_s")


@dataclass(frozen=True)
class CurveEpoch:
    """One epoch of one curve."""

    val_accuracy: float
    val_loss: float
    duration_s: float


Curve = list[CurveEpoch]
Table = dict[tuple[str, int], Curve]  # by a configuration's fingerprint, and the seed
Curves = dict[str, list[Curve]]  # by a configuration's fingerprint, one for each seed


def load_curves(path: Path = TABLE) -> Curves:
    """What can be replayed: the curves of the complete seeds; empty if there are none.

    Every epoch of a configuration takes the median over all of its epochs with all seeds: they all
    do the same work, and what else the machine did at the time is no part of it.
    """
    table = read_table(path)
    seeds, durations_s = complete_seeds(table), _median_durations_s(table)
    if not seeds:
        return {}
    return {
        one: [_evened(table[one, seed], durations_s[one]) for seed in seeds]
        for one in _configurations()
    }


def complete_seeds(table: Table) -> list[int]:
    """The seeds with which every configuration of the study has been trained."""
    wanted = _configurations()
    seeds = sorted({seed for _, seed in table})
    return [seed for seed in seeds if all((one, seed) in table for one in wanted)]


def _configurations() -> list[str]:
    """The fingerprints of the study's configurations."""
    spec = mlp_study()
    return [spec.configuration(values).fingerprint for values in spec.space.grid()]


def _median_durations_s(table: Table) -> dict[str, float]:
    durations: dict[str, list[float]] = defaultdict(list)
    for (configuration, _), curve in table.items():
        durations[configuration] += [epoch.duration_s for epoch in curve]
    return {one: statistics.median(values) for one, values in durations.items()}


def _evened(curve: Curve, duration_s: float) -> Curve:
    return [replace(epoch, duration_s=duration_s) for epoch in curve]


def read_table(path: Path) -> Table:
    """Every curve as it was measured."""
    table: Table = {}
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            curve = table.setdefault((row["configuration"], int(row["seed"])), [])
            figures = (float(row[name]) for name in _COLUMNS[3:])
            curve.append(CurveEpoch(*figures))
    return table


def write_table(path: Path, table: Table) -> None:
    """Write the table, the same bytes for the same curves."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for (configuration, seed), curve in sorted(table.items()):
        for number, epoch in enumerate(curve, start=1):
            figures = (f"{epoch.val_accuracy:.6f}", f"{epoch.val_loss:.5f}")
            writer.writerow((configuration, seed, number, *figures, f"{epoch.duration_s:.3f}"))
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def mlp_study() -> StudySpec:
    """The study whose space and protocol the curves have."""
    return load_study_file(find_study_file("mlp-fashion"))


def _plans(
    spec: StudySpec, training_set: TrainingSet, *, num_seeds: int
) -> Iterator[tuple[TrainingKey, Plan]]:
    """Every training of the table; seed by seed, so that an unfinished table is of use."""
    for seed in range(num_seeds):
        for number, values in enumerate(spec.space.grid()):
            plan = Plan(
                configuration=spec.configuration(values),
                training_set=training_set,
                seed=1_000 * seed + number,
                epochs=spec.training.epochs,
                stop_after=spec.training.epochs,
                objective=spec.objective,
                early_stopping=spec.training.early_stopping,
                precision="fp32",
                train_on="train",
            )
            yield TrainingKey("search", number, seed), plan


def make_curves(
    path: Annotated[Path, typer.Argument(help="The table to make or complete.")] = TABLE,
    *,
    home: Annotated[Path, typer.Option(help="For checkpoints and decoded images.")],
    data_dir: Annotated[Path, typer.Option(envvar="HPSEARCH_DATA")] = Path("data"),
    seeds: Annotated[int, typer.Option(min=1, help="Of each configuration.")] = 3,
    workers: Annotated[int | None, typer.Option(min=1)] = None,
    device: str = "cpu",
) -> None:
    """Train what the table lacks."""
    spec = mlp_study()
    training_set = prepare_training_set(
        spec.dataset, spec.training, data_dir=data_dir, cache=home / "cache"
    )
    table = read_table(path) if path.exists() else {}
    plans = dict(_plans(spec, training_set, num_seeds=seeds))
    todo = {
        key: plan
        for key, plan in plans.items()
        if (plan.configuration.fingerprint, key.seed) not in table
    }
    executor = LocalExecutor([device] * (workers or physical_cores()))
    try:
        num_done = len(plans) - len(todo)
        for number, (key, curve) in enumerate(
            train_curves(executor, todo, home), start=num_done + 1
        ):
            table[todo[key].configuration.fingerprint, key.seed] = curve
            write_table(path, table)
            print(f"{number} of {len(plans)} curves, {len(curve)} epochs", flush=True)
    finally:
        executor.close()


def train_curves(
    executor: Executor, plans: Mapping[TrainingKey, Plan], home: Path
) -> Iterator[tuple[TrainingKey, Curve]]:
    """Each training's epochs, when it is over."""
    waiting = list(plans)
    running: dict[TrainingKey, Curve] = {}
    while waiting or running:
        while waiting and len(running) < executor.num_slots:
            key = waiting.pop(0)
            checkpoint = home / f"curve-{key.trial}-{key.seed}.pt"
            executor.submit(Task(key, plans[key], checkpoint))
            running[key] = []
        for event in executor.poll(1.0):
            match event:
                case TrainingStarted():
                    pass
                case EpochFinished(key, metrics):
                    running[key].append(_curve_epoch(metrics))
                case TrainingFinished(key):
                    (home / f"curve-{key.trial}-{key.seed}.pt").unlink(missing_ok=True)
                    yield key, running.pop(key)
                case _:
                    raise SystemExit(f"a curve could not be trained: {event}")


def _curve_epoch(metrics: EpochMetrics) -> CurveEpoch:
    return CurveEpoch(
        metrics.value_of("val_accuracy"), metrics.value_of("val_loss"), metrics.duration_s
    )


if __name__ == "__main__":
    typer.run(make_curves)
