"""The learning curves of every network in D4's MLP space, as a table that T6 replays.

    python -m benchmarks.curves TABLE --home DIR     (or scripts/curves)

108 configurations, three seeds each, trained by the protocol of `studies/mlp-fashion.toml` until
its early stopping, nothing pruned: hours on two cores. Started again, it goes on where it was.
"""

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hpsearch.data.training_set import TrainingSet, prepare_training_set
from hpsearch.devices import physical_cores
from hpsearch.executors.local import LocalExecutor
from hpsearch.executors.messages import EpochFinished, Task, TrainingFinished
from hpsearch.home import atomic_path
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.spec import StudySpec, load_study_file
from hpsearch.studyfiles import find_study_file
from hpsearch.training.plan import Plan

TABLE = Path(__file__).parent / "mlp-fashion-curves.csv.gz"
SEEDS = 3
_COLUMNS = ("configuration", "seed", "epoch", "val_accuracy", "val_loss", "duration_s")


@dataclass(frozen=True)
class CurveEpoch:
    """One epoch of one curve."""

    val_accuracy: float
    val_loss: float
    duration_s: float


Curves = dict[tuple[str, int], list[CurveEpoch]]  # by a configuration's fingerprint, and the seed


def load_curves(path: Path = TABLE) -> Curves:
    """Read the table."""
    curves: Curves = {}
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            epochs = curves.setdefault((row["configuration"], int(row["seed"])), [])
            figures = (float(row[name]) for name in _COLUMNS[3:])
            epochs.append(CurveEpoch(*figures))
    return curves


def save_curves(path: Path, curves: Curves) -> None:
    """Write the table, the same bytes for the same curves."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for (configuration, seed), epochs in sorted(curves.items()):
        for number, epoch in enumerate(epochs, start=1):
            figures = (f"{epoch.val_accuracy:.6f}", f"{epoch.val_loss:.5f}")
            writer.writerow((configuration, seed, number, *figures, f"{epoch.duration_s:.3f}"))
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def mlp_study() -> StudySpec:
    """The study whose space and protocol the curves have."""
    return load_study_file(find_study_file("mlp-fashion"))


def _plans(spec: StudySpec, training_set: TrainingSet) -> Iterator[tuple[TrainingKey, Plan]]:
    """Every training of the table; seed by seed, so that an unfinished table is of use."""
    for seed in range(SEEDS):
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
    workers: Annotated[int | None, typer.Option(min=1)] = None,
    device: str = "cpu",
) -> None:
    """Train what the table lacks."""
    spec = mlp_study()
    training_set = prepare_training_set(
        spec.dataset, spec.training, data_dir=data_dir, cache=home / "cache"
    )
    curves = load_curves(path) if path.exists() else {}
    todo = {
        key: plan
        for key, plan in _plans(spec, training_set)
        if (plan.configuration.fingerprint, key.seed) not in curves
    }
    executor = LocalExecutor([device] * (workers or physical_cores()))
    try:
        for key, epochs in _train(executor, todo, home):
            curves[todo[key].configuration.fingerprint, key.seed] = epochs
            save_curves(path, curves)
            print(f"{len(curves)} of {SEEDS * 108} curves, {len(epochs)} epochs", flush=True)
    finally:
        executor.close()


def _train(
    executor: LocalExecutor, plans: Mapping[TrainingKey, Plan], home: Path
) -> Iterator[tuple[TrainingKey, list[CurveEpoch]]]:
    """Each training's epochs, when it is over."""
    waiting = list(plans)
    running: dict[TrainingKey, list[CurveEpoch]] = {}
    while waiting or running:
        while waiting and len(running) < executor.num_slots:
            key = waiting.pop(0)
            checkpoint = home / f"curve-{key.trial}-{key.seed}.pt"
            executor.submit(Task(key, plans[key], checkpoint))
            running[key] = []
        for event in executor.poll(1.0):
            match event:
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
