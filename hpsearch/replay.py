"""Training a recorded trial again, and comparing every epoch with the record.

    replayed = replay_trial(record, 17, data_dir=data_dir, home=home, device="auto")

On the kind of device that trained it, by the same method, every number must come out the same, bit
for bit; on another kind the trainings drift apart, and the tolerance says how far they may.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hpsearch.data.tensors import load_device_data
from hpsearch.data.training_set import prepare_training_set
from hpsearch.devices import available_devices
from hpsearch.entries import flatten
from hpsearch.environment import current_environment
from hpsearch.errors import NothingToShowError
from hpsearch.home import Home
from hpsearch.modelcode import code_of
from hpsearch.records import EpochMetrics, Method, TrainingKey
from hpsearch.session import plan_training
from hpsearch.spec import StudySpec
from hpsearch.storage.record import DOCUMENT, SPLIT, Start, StudyRecord
from hpsearch.studyparser import parse_stored
from hpsearch.training.device import device_name, prepare_device
from hpsearch.training.epochs import DivergedError, Training

# on another kind of device
ACCURACY_TOLERANCE = 0.02
LOSS_TOLERANCE = 0.1  # of the recorded loss

_FIGURES = (
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "val_balanced_accuracy",
    "learning_rate",
)
_COMPARED = ("code", "models", "python", "packages", "processor")


@dataclass(frozen=True)
class Difference:
    """The first figure of an epoch that is not as recorded."""

    epoch: int
    figure: str  # a field of EpochMetrics
    recorded: float | None
    replayed: float | None


@dataclass(frozen=True)
class Replay:
    """What came of it."""

    study: str
    trial: int
    method: str
    device: str
    epochs: int  # that were compared
    exact: bool  # whether the same kind of device was to give the same numbers
    is_same: bool  # bit for bit where `exact`, else within the tolerance
    differences: list[Difference]  # one an epoch at most
    changes: list[str]  # of code, packages, processor, device and data since


def replay_trial(
    record: StudyRecord, trial: int, *, data_dir: Path, home: Home, device: str
) -> Replay:
    """Train a trial of the search again for as many epochs as are recorded.

    Raises:
        NothingToShowError: the study has no such trial, or it was not trained.
        DeviceError: the machine has no such device.
        DataError: the data set is not there.
    """
    spec = parse_stored(record.study.user_attrs[DOCUMENT], name=record.name)
    key = TrainingKey("search", trial)
    recorded = record.epochs(key)
    if not recorded:
        raise NothingToShowError(f"study {record.name!r} has no epochs of a trial {trial}")
    starts = [start for start in record.starts(role="search") if start.key == key]
    on = prepare_device(available_devices(device)[0])
    exact = all(start.device == device_name(on) for start in starts)
    training_set = prepare_training_set(
        spec.dataset, spec.training, data_dir=data_dir, cache=home.cache
    )
    configuration = spec.configuration(spec.space.replay(_parameters(record, trial)))
    training = Training(
        plan_training(spec, key, configuration, training_set),
        load_device_data(training_set, device=on),
        device=on,
        method=Method.parse(starts[-1].method) if starts and exact else None,
    )
    replayed = list(islice(_epochs(training), len(recorded)))
    return Replay(
        study=record.name,
        trial=trial,
        method=str(training.method),
        device=device_name(on),
        epochs=len(recorded),
        exact=exact,
        is_same=len(replayed) == len(recorded)
        and all(map(_is_same if exact else _is_close, recorded, replayed)),
        differences=list(_differences(recorded, replayed)),
        changes=_changes(
            record, spec, starts, device=device_name(on), split=training_set.fingerprint
        ),
    )


def _parameters(record: StudyRecord, trial: int) -> Mapping[str, Any]:
    return record.study.get_trials(deepcopy=False)[trial].params


def _epochs(training: Training) -> Iterator[EpochMetrics]:
    try:
        yield from training.epochs()
    except DivergedError:
        return


def _is_same(one: EpochMetrics, two: EpochMetrics) -> bool:
    return all(getattr(one, name) == getattr(two, name) for name in _recorded(one))


def _recorded(metrics: EpochMetrics) -> list[str]:
    """The figures that were recorded; an older hpsearch had no balanced accuracy."""
    return [name for name in _FIGURES if getattr(metrics, name) is not None]


def _is_close(one: EpochMetrics, two: EpochMetrics) -> bool:
    accuracies = ((one.accuracy, two.accuracy), (one.val_accuracy or 0, two.val_accuracy or 0))
    losses = ((one.loss, two.loss), (one.val_loss or 0, two.val_loss or 0))
    return all(abs(a - b) <= ACCURACY_TOLERANCE for a, b in accuracies) and all(
        abs(a - b) <= LOSS_TOLERANCE * a for a, b in losses
    )


def _differences(
    recorded: list[EpochMetrics], replayed: list[EpochMetrics]
) -> Iterator[Difference]:
    for one, two in zip(recorded, replayed, strict=False):  # a replay may diverge sooner
        for name in _recorded(one):
            if getattr(one, name) != getattr(two, name):
                yield Difference(one.epoch, name, getattr(one, name), getattr(two, name))
                break


def _changes(
    record: StudyRecord, spec: StudySpec, starts: list[Start], *, device: str, split: str
) -> list[str]:
    """What is another now than in any run that trained the trial, a line each."""
    runs = {run.id: run.environment for run in record.runs()}
    now = flatten(_compared({**current_environment(), "models": code_of(spec)}))
    changes = {
        f"{name}: {before[name]} -> {now.get(name)}"
        for start in starts
        if start.run in runs
        for before in [flatten(_compared(runs[start.run]))]
        for name in before
        if before[name] != now.get(name)
    }
    changes |= {f"device: {s.device} -> {device}" for s in starts if s.device != device}
    if record.study.user_attrs[SPLIT] != split:
        changes.add(f"data and split: {record.study.user_attrs[SPLIT]} -> {split}")
    return sorted(changes)


def _compared(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {name: environment.get(name, {}) for name in _COMPARED}
