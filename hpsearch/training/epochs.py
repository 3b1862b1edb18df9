"""The training loop.

    training = Training(plan, data, device=device)
    for metrics in training.epochs():   # an EpochMetrics an epoch; stop whenever you like
        ...

No callbacks, no printing, no Optuna in here. The same plan on the same kind of device gives the
same numbers, bit for bit, also when `state()` is saved after any epoch and loaded into a new
`Training`: every epoch seeds its own shuffling, augmentation and dropout.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hpsearch.data.tensors import DeviceData, ImageSet, num_batches
from hpsearch.errors import HpsearchError
from hpsearch.models.dropout import seed_dropout
from hpsearch.models.network import build_network, num_parameters
from hpsearch.ownmodel import OwnNetwork
from hpsearch.records import EpochMetrics, Method, best_epoch, is_better, is_maximized
from hpsearch.studytables import EarlyStopping
from hpsearch.training.augment import Augmenter
from hpsearch.training.device import denormals_flushed
from hpsearch.training.learner import make_learner
from hpsearch.training.methods import candidate_methods, choose_method
from hpsearch.training.plan import Plan
from hpsearch.training.precision import autocast
from hpsearch.training.schedules import rate_factor

_AUGMENTATION = 1  # the number of its stream of random numbers in an epoch
_VALIDATION_BATCH = 512  # images; larger ones leave a CPU's cache


class DivergedError(HpsearchError):
    """The loss is not a finite number any more."""


class _Measured(NamedTuple):
    """What one pass over some images measured, as means over these."""

    loss: float
    accuracy: float
    balanced_accuracy: float  # the mean of the recalls of the classes that are there


class Training:
    """One network under training: its weights, its optimiser, and how far it has come."""

    def __init__(
        self,
        plan: Plan,
        data: DeviceData,
        *,
        device: torch.device,
        plain: bool = False,
        method: Method | None = None,
    ) -> None:
        """Build the network, its weights as the plan's seed says.

        Args:
            plan: all that decides the numbers.
            data: the plan's training set on the device.
            device: where to train.
            plain: by PyTorch's own layers and autograd only.
            method: by this one, instead of what would be chosen.
        """
        self.plan = plan
        self.device = device
        self.history: list[EpochMetrics] = []
        self._train = data.train if plan.train_on == "train" else data.everything
        self._validation = data.validation if plan.train_on == "train" else None
        configuration, training_set = plan.configuration, plan.training_set
        torch.manual_seed(_epoch_seed(plan.seed, 0))
        module = build_network(
            configuration.network,
            image_shape=training_set.image_shape,
            num_classes=training_set.num_classes,
        ).to(device)
        self._use(module, method or self._choose_method(module, plain=plain))
        self.best_weights = self._copy_weights()

    @property
    def num_parameters(self) -> int:
        """Trainable parameters of the network."""
        return num_parameters(self.module)

    def epochs(self) -> Iterator[EpochMetrics]:
        """Train epoch after epoch, from where the history ends until the plan says stop.

        Raises:
            DivergedError: a loss is not finite; the epoch is not counted.
        """
        while not self._is_finished():
            with denormals_flushed():
                metrics = self._run_epoch(len(self.history) + 1)
            if not math.isfinite(metrics.loss + (metrics.val_loss or 0.0)):
                raise DivergedError(f"the loss was not finite in epoch {metrics.epoch}")
            if self._is_best(metrics):
                self.best_weights = self._copy_weights()
            self.history.append(metrics)
            yield metrics

    def state(self) -> dict[str, Any]:
        """All that a new `Training` of the same plan needs to go on: tensors and plain values."""
        return {
            "history": [asdict(metrics) for metrics in self.history],
            "module": self.module.state_dict(),
            "optimizer": self._optimizer.state(),
            "best_weights": self.best_weights,
            "device": self.device.type,
            "method": asdict(self.method),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned; of another kind of device, all but the method."""
        if state["device"] == self.device.type:
            self._use(self.module, Method(**state["method"]))
        self.history = [EpochMetrics(**metrics) for metrics in state["history"]]
        self.module.load_state_dict(state["module"])
        self._optimizer.load_state(state["optimizer"])
        self.best_weights = {k: v.to(self.device) for k, v in state["best_weights"].items()}

    def _run_epoch(self, epoch: int) -> EpochMetrics:
        start = time.perf_counter()
        seed = _epoch_seed(self.plan.seed, epoch)
        torch.manual_seed(seed)  # dropout on a GPU
        seed_dropout(self.module, seed)  # and on the CPU
        order = self._train.shuffled(torch.Generator().manual_seed(seed))
        rates = self._learning_rates(epoch)
        trained = self._train_on(order, rates, self._augmenter(epoch))
        validated = None if self._validation is None else self._validate(self._validation)
        duration_s = time.perf_counter() - start
        return EpochMetrics(
            epoch=epoch,
            loss=trained.loss,
            accuracy=trained.accuracy,
            val_loss=validated.loss if validated else None,
            val_accuracy=validated.accuracy if validated else None,
            learning_rate=rates[-1],
            duration_s=duration_s,
            images_per_s=len(self._train) / duration_s,
            val_balanced_accuracy=validated.balanced_accuracy if validated else None,
        )

    def _learning_rates(self, epoch: int) -> list[float]:
        """The rate of each step of an epoch."""
        configuration = self.plan.configuration
        num_steps = num_batches(len(self._train), configuration.batch_size)
        first = (epoch - 1) * num_steps
        return [
            configuration.learning_rate
            * rate_factor(
                step, schedule=configuration.schedule, total_steps=self.plan.epochs * num_steps
            )
            for step in range(first, first + num_steps)
        ]

    def _augmenter(self, epoch: int) -> Augmenter | None:
        settings = self.plan.configuration.augmentation
        if settings is None:
            return None
        return Augmenter(
            settings, seed=_epoch_seed(self.plan.seed, epoch, _AUGMENTATION), device=self.device
        )

    def _train_on(
        self, order: Tensor, rates: list[float], augmenter: Augmenter | None
    ) -> _Measured:
        """One pass over the images, measured as they are seen, dropout on, as the weights move."""
        self.module.train()
        seen = []
        batches = self._train.batches(order, self.plan.configuration.batch_size)
        for (images, labels), rate in zip(batches, rates, strict=True):
            changed = images if augmenter is None else augmenter(images)
            logits = self._step(changed, labels, learning_rate=rate)  # (B, classes)
            seen.append((logits, labels))
        return _measure(seen)

    def _validate(self, validation: ImageSet) -> _Measured:
        """One pass over the held-out images with the network as it is."""
        self.module.eval()
        with torch.inference_mode(), autocast(self.method.precision, self.device):
            batches = validation.batches(validation.indices, _VALIDATION_BATCH, drop_single=False)
            return _measure([(self.module(images), labels) for images, labels in batches])

    def _choose_method(self, module: nn.Module, *, plain: bool) -> Method:
        configuration = self.plan.configuration
        order = self._train.indices[: configuration.batch_size]
        batch = next(self._train.batches(order, len(order)))
        candidates = candidate_methods(
            module,
            precision=self.plan.precision,
            device=self.device,
            plain=plain,
            own=batch[0] if isinstance(configuration.network, OwnNetwork) else None,
        )
        return choose_method(module, configuration, candidates, batch)

    def _use(self, module: nn.Module, method: Method) -> None:
        self.method = method
        learner = make_learner(module, self.plan.configuration, method)
        self.module, self._optimizer, self._step = learner.module, learner.optimizer, learner.step

    def _is_best(self, metrics: EpochMetrics) -> bool:
        if self._validation is None or self.plan.keep == "last":
            return True
        objective = self.plan.objective
        best = (
            best_epoch(self.history, objective=objective).value_of(objective)
            if self.history
            else None
        )
        return is_better(metrics.value_of(objective), best, objective=objective)

    def _is_finished(self) -> bool:
        if len(self.history) >= self.plan.stop_after:
            return True
        rule = self.plan.early_stopping
        if rule is None or self._validation is None:
            return False
        return stale_epochs(self.history, rule) >= rule.patience

    def _copy_weights(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.module.state_dict().items()}


def _measure(seen: list[tuple[Tensor, Tensor]]) -> _Measured:
    """Loss and accuracy over many batches' logits and labels: the one wait for the device."""
    logits, labels = (torch.cat(parts) for parts in zip(*seen, strict=True))
    # in double precision: 60,000 losses would cost a float its tail
    loss = cross_entropy(logits.double(), labels)
    is_right = (logits.argmax(1) == labels).double()
    # sums of whole numbers, which are exact in any order
    zeros = is_right.new_zeros(logits.shape[1])
    totals = zeros.index_add(0, labels, torch.ones_like(is_right))
    recalls = zeros.index_add(0, labels, is_right) / totals
    return _Measured(float(loss), float(is_right.mean()), float(recalls[totals > 0].mean()))


def stale_epochs(history: list[EpochMetrics], rule: EarlyStopping) -> int:
    """Epochs since the monitored value last improved by more than `min_delta`, as Keras counts."""
    best: float | None = None
    stale = 0
    for metrics in history:
        value = metrics.value_of(rule.monitor)
        margin = -rule.min_delta if is_maximized(rule.monitor) else rule.min_delta
        if is_better(value + margin, best, objective=rule.monitor):
            best, stale = value, 0
        else:
            stale += 1
    return stale


def _epoch_seed(seed: int, epoch: int, *stream: int) -> int:
    """Independent of its neighbours, unlike `seed + epoch`; epoch 0 is the initial weights'."""
    return int(np.random.SeedSequence([seed, epoch, *stream]).generate_state(1, np.uint64)[0] >> 1)
