"""After the search: the winner is chosen by validation, retrained, and tested once.

    evaluation = Evaluation(session)
    winner = evaluation.choose_winner()
    evaluation.retrain(winner)
    reading = read_test_set(
        session, winner.trial, winner.configuration, role="winner", data_dir=data_dir
    )

The best trials of a search are partly lucky ones. So the best few, the finalists, are trained again
with fresh seeds, and the best mean on the validation set wins. Only then is the test set opened, by
`read_test_set` alone, and every opening is recorded before it happens. (`compare_outputs` sees
test images, too, but says only whether two programs compute the same network.)
"""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from hpsearch.configuration import Configuration
from hpsearch.data.files import ensure_files, read_test
from hpsearch.data.tensors import scale_pixels
from hpsearch.errors import RunFailedError
from hpsearch.executors.messages import Task, TrainingDiverged, TrainingFailed, TrainingFinished
from hpsearch.measures import measure
from hpsearch.models.network import build_network
from hpsearch.predictions import Logits, Predictions, missed, save_predictions
from hpsearch.records import EpochMetrics, Role, TrainingKey, best_epoch, is_maximized, sample_std
from hpsearch.session import Session
from hpsearch.spec import StudySpec
from hpsearch.storage import record as records
from hpsearch.storage.record import StudyRecord, TestReading, rank_trials

Outputs = Callable[[torch.Tensor], torch.Tensor]  # (B, C, H, W) float in [0, 1] -> (B, classes)

_TEST_BATCH = 512  # images


@dataclass(frozen=True)
class Winner:
    """The configuration that is retrained and tested."""

    trial: int
    configuration: Configuration
    epochs: int  # the mean of its best epochs, rounded: how long it is retrained
    mean: float  # of the objective over the finalist's seeds
    std: float | None  # None with one seed
    seeds: int


class Evaluation:
    """The trainings after one study's search."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._spec = session.spec
        assert session.spec.final is not None, "a fixed set has no winner"
        self._final = session.spec.final
        self._record = session.record

    def choose_winner(self) -> Winner:
        """Train the finalists again with fresh seeds and take the best mean.

        Raises:
            RunFailedError: no trial was completed, or no finalist could be trained again.
        """
        finalists = rank_trials(self._record, objective=self._spec.objective)[
            : self._final.finalists
        ]
        if not finalists:
            raise RunFailedError("no trial was completed, so there is nothing to retrain and test")
        configurations = {
            trial.number: self._spec.configuration(self._spec.space.replay(trial.params))
            for trial in finalists
        }
        tasks = [
            self._session.task(TrainingKey("finalist", number, seed), configuration)
            for number, configuration in configurations.items()
            for seed in range(self._final.seeds)
        ]
        failures = self._train(tasks, title="finalists")
        winner = choose_winner(self._record, self._spec, configurations)
        if winner is None:
            raise RunFailedError(f"no finalist could be trained again: {failures[0]}")
        return winner

    def retrain(self, winner: Winner) -> None:
        """Train the winner for each seed on what the study file says, for its best epoch count.

        Raises:
            RunFailedError: a training failed.
        """
        tasks = [
            self._session.task(
                TrainingKey("winner", winner.trial, seed),
                winner.configuration,
                epochs=winner.epochs,
            )
            for seed in range(self._final.seeds)
        ]
        failures = self._train(tasks, title="retraining")
        if failures:
            raise RunFailedError(f"the winner could not be retrained: {failures[0]}")

    def _train(self, tasks: list[Task], *, title: str) -> list[str]:
        """Run those tasks that are not done yet; the reasons of those that failed."""
        done = {key for role in ("finalist", "winner") for key in self._record.trainings(role=role)}
        todo = [task for task in tasks if not _is_done(task, done)]
        dispatcher, observer = self._session.dispatcher, self._session.observer
        observer.phase(title, done=len(tasks) - len(todo), total=len(tasks))
        for task in todo:
            dispatcher.submit(task, known=self._record.epochs(task.key))
        failures = []
        while dispatcher.num_active:
            for event in dispatcher.events():
                match event:
                    case TrainingFinished(key):
                        self._session.forget_checkpoint(key)
                        self._record.note_failure(key, "")
                        observer.ended(key, outcome="complete", detail=self._result(key))
                    case TrainingDiverged(key, reason):
                        failures.append(reason)
                        self._record.note_failure(key, f"diverged: {reason}")
                        observer.ended(key, outcome="diverged", detail=reason)
                    case TrainingFailed(key, outcome, reason, traceback):
                        where = self._session.keep_traceback(key, traceback)
                        failures.append(f"{reason}{where}")
                        self._record.note_failure(key, f"{outcome}: {reason}")
                        observer.ended(key, outcome=outcome, detail=reason)
        return failures

    def _result(self, key: TrainingKey) -> str:
        epochs = self._record.epochs(key)
        if epochs[-1].val_loss is None:
            return f"trained for {len(epochs)} epochs"
        objective = self._spec.objective
        best = best_epoch(epochs, objective=objective)
        return f"{objective} {best.value_of(objective):.4f} in epoch {best.epoch}"


def _is_done(task: Task, done: Iterable[TrainingKey]) -> bool:
    return task.key in done and (task.weights is None or task.weights.exists())


def choose_winner(
    record: StudyRecord, spec: StudySpec, configurations: dict[int, Configuration]
) -> Winner | None:
    """The finalist with the best mean objective over its seeds; None if none was trained again."""
    finished = record.trainings(role="finalist")
    histories = record.all_epochs(role="finalist")
    winners = []
    for trial, configuration in configurations.items():
        runs = [histories[key] for key in finished if key.trial == trial]
        if runs:
            winners.append(_summarize(trial, configuration, runs, spec))
    sign = 1 if is_maximized(spec.objective) else -1
    return max(winners, key=lambda winner: sign * winner.mean, default=None)


def _summarize(
    trial: int, configuration: Configuration, runs: list[list[EpochMetrics]], spec: StudySpec
) -> Winner:
    best = [best_epoch(epochs, objective=spec.objective) for epochs in runs]
    values = [metrics.value_of(spec.objective) for metrics in best]
    return Winner(
        trial=trial,
        configuration=configuration,
        epochs=max(1, round(statistics.mean(metrics.epoch for metrics in best))),
        mean=statistics.mean(values),
        std=sample_std(values),
        seeds=len(values),
    )


def read_test_set(
    session: Session, trial: int, configuration: Configuration, *, role: Role, data_dir: Path
) -> TestReading:
    """Measure a trial's trainings in a role on the test set, each of its seeds: one reading.

    The outputs for every test image are kept beside the weights, so that later comparisons need no
    second reading.

    Raises:
        DataError: the test set is missing or damaged; nothing was read.
    """
    spec, record, home = session.spec, session.record, session.home
    trainings = record.trainings(role=role)
    ensure_files(spec.dataset, data_dir=data_dir)
    reading = record.start_reading(trial)
    images, labels = read_test(spec.dataset, data_dir=data_dir)
    logits: dict[int, Logits] = {}
    results = []
    truth = torch.from_numpy(labels)
    for key in sorted(key for key in trainings if key.trial == trial):
        weights = home.weights(record.name, key)
        outputs = _logits(weights, configuration, torch.from_numpy(images), spec)
        logits[key.seed] = outputs.numpy()
        epochs = record.epochs(key)
        results.append(
            records.Evaluation(
                seed=key.seed,
                **asdict(measure(outputs, truth, class_names=spec.dataset.class_names)),
                epochs=len(epochs),
                train_seconds=sum(metrics.duration_s for metrics in epochs),
                num_parameters=trainings[key].num_parameters,
                weights=weights.name,
            )
        )
    wrong = missed(labels, logits)
    predictions = Predictions(labels, logits, wrong, images[wrong])
    save_predictions(home.predictions(record.name, reading), predictions)
    record.finish_reading(reading, results)
    stored = record.last_reading()
    assert stored is not None
    return stored


def _logits(
    weights: Path, configuration: Configuration, images: torch.Tensor, spec: StudySpec
) -> torch.Tensor:
    """The network's outputs, (N, classes), in 32 bits on the CPU: the same on every machine."""
    module = build_network(
        configuration.network,
        image_shape=spec.dataset.image_shape,
        num_classes=spec.dataset.num_classes,
    )
    module.load_state_dict(load_file(weights))
    module.eval()
    with torch.inference_mode():
        batches = (scale_pixels(batch) for batch in torch.split(images, _TEST_BATCH))
        return torch.cat([module(batch) for batch in batches])


@dataclass(frozen=True)
class Agreement:
    """How near two ways to compute the same outputs are."""

    num_images: int
    difference: float  # the largest of all absolute ones; NaN if an output is
    largest: float  # absolute output


def compare_outputs(
    spec: StudySpec, one: Outputs, other: Outputs, *, data_dir: Path, num_images: int = 1000
) -> Agreement:
    """How far two ways to compute a network differ on the first test images.

    No label is looked at and no answer leaves: nothing can be chosen by it, so it is no reading.

    Raises:
        DataError: the test set is missing or damaged.
    """
    ensure_files(spec.dataset, data_dir=data_dir)
    images, _ = read_test(spec.dataset, data_dir=data_dir)
    differences, sizes = [], []
    with torch.inference_mode():
        for batch in torch.split(torch.from_numpy(images[:num_images]), _TEST_BATCH):
            scaled = scale_pixels(batch)
            outputs = one(scaled)
            differences.append((outputs - other(scaled)).abs().max())
            sizes.append(outputs.abs().max())
    difference, largest = torch.stack(differences).max(), torch.stack(sizes).max()
    return Agreement(min(num_images, len(images)), float(difference), float(largest))
