"""Running one task: the training, its checkpoints and its weights, as a stream of events.

Used by every executor's worker, so that a task gives the same events wherever it runs.
"""

import json
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict

import torch
from safetensors.torch import save

from hpsearch.data.tensors import DataCache
from hpsearch.errors import InfeasibleConfigurationError, UserError
from hpsearch.executors.messages import (
    CheckpointFailed,
    EpochFinished,
    Event,
    Task,
    TrainingDiverged,
    TrainingFailed,
    TrainingFinished,
    TrainingStarted,
)
from hpsearch.home import atomic_path
from hpsearch.models.layer_table import layer_table
from hpsearch.models.memory import is_out_of_memory
from hpsearch.ownmodel import OwnNetwork
from hpsearch.text import error_text, one_line
from hpsearch.training.checkpoint import load_checkpoint, save_checkpoint
from hpsearch.training.device import device_name
from hpsearch.training.epochs import DivergedError, Training

_CHECKPOINT_EVERY_S = 10.0


class TaskRun:
    """One task under way on this process' device."""

    def __init__(self, task: Task, data: DataCache, *, device: torch.device) -> None:
        self.task = task
        self._data = data
        self._device = device
        self._training: Training | None = None

    def events(self) -> Iterator[Event]:
        """Train, and yield what happens; the last event ends the task."""
        try:
            yield from self._train()
        except DivergedError as error:
            yield TrainingDiverged(self.task.key, str(error))
        except InfeasibleConfigurationError as error:  # an own model says so
            yield TrainingFailed(self.task.key, "infeasible", one_line(str(error)), traceback="")
        except (Exception, SystemExit) as error:  # a model's own mistake must not end the search
            yield self._failed("out-of-memory" if is_out_of_memory(error) else "error", error)

    def save_checkpoint(self) -> list[CheckpointFailed]:
        """Save the training as it is after its last finished epoch; return what was in the way."""
        if self._training is None:
            return []
        fingerprint = self.task.plan.fingerprint
        try:
            save_checkpoint(self.task.checkpoint, self._training, plan=fingerprint)
        except (OSError, UserError) as error:
            return [CheckpointFailed(self.task.key, f"no checkpoint: {error}")]
        return []

    def _train(self) -> Iterator[Event]:
        task = self.task
        data = self._data.load(task.plan.training_set)
        name = device_name(self._device)
        training = Training(
            task.plan,
            data,
            device=self._device,
            plain=task.plain,
            method=task.begun.method if task.begun and task.begun.device == name else None,
        )
        load_checkpoint(task.checkpoint, training, plan=task.plan.fingerprint, device=self._device)
        self._training = training
        yield TrainingStarted(task.key, training.method, name, len(training.history) + 1)
        for metrics in training.history:
            yield EpochFinished(task.key, metrics)
        saved = time.monotonic()
        for metrics in training.epochs():
            if time.monotonic() - saved >= _CHECKPOINT_EVERY_S:
                yield from self.save_checkpoint()
                saved = time.monotonic()
            yield EpochFinished(task.key, metrics)
        if task.weights is not None:
            self._save_weights(training)
        yield TrainingFinished(task.key, training.num_parameters)

    def _save_weights(self, training: Training) -> None:
        assert self.task.weights is not None
        plan = self.task.plan
        metadata = {
            "configuration": plan.configuration.model_dump_json(),
            "image_shape": json.dumps(plan.training_set.image_shape),
            "num_classes": json.dumps(plan.training_set.num_classes),
        }
        if isinstance(plan.configuration.network, OwnNetwork):  # a page must not run its code
            table = layer_table(training.module, image_shape=plan.training_set.image_shape)
            metadata["layers"] = json.dumps([asdict(row) for row in table])
        weights = {name: value.cpu().contiguous() for name, value in training.best_weights.items()}
        with atomic_path(self.task.weights) as temporary:
            temporary.write_bytes(save(weights, metadata))  # save_file makes it private

    def _failed(self, outcome: str, error: BaseException) -> TrainingFailed:
        reason = error_text(error)
        text = "".join(traceback.format_exception(error))
        return TrainingFailed(self.task.key, outcome, reason, text)  # type: ignore[arg-type]
