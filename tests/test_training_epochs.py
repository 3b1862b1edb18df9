from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from made_data import prepare_digits
from made_plans import CNN, CPU, MLP, make_plan, start, without_times
from torch.nn.functional import cross_entropy

from hpsearch.data.tensors import DeviceData, ImageSet, load_device_data
from hpsearch.data.training_set import TrainingSet
from hpsearch.records import EpochMetrics, Objective, best_epoch
from hpsearch.space import Scalar
from hpsearch.studytables import EarlyStopping
from hpsearch.training.checkpoint import load_checkpoint, save_checkpoint
from hpsearch.training.epochs import DivergedError, Training, stale_epochs

Values = Mapping[str, Scalar]
SGD = {"optimizer": "sgd", "momentum": 0.8, "nesterov": True, "learning_rate": 0.05}
NETWORKS: dict[str, tuple[Literal["mlp", "cnn"], Values]] = {
    "mlp adam": ("mlp", MLP),
    "mlp sgd inverse_time": ("mlp", {**MLP, **SGD, "schedule": "inverse_time", "decay_steps": 5}),
    "mlp one_cycle batch norm": ("mlp", {**MLP, "batch_norm": True, "schedule": "one_cycle"}),
    "cnn adam": ("cnn", CNN),
    "cnn sgd cosine": ("cnn", {**CNN, **SGD, "schedule": "cosine"}),
    "cnn one_cycle stride": ("cnn", {**CNN, "conv.1.stride": 2, "schedule": "one_cycle"}),
    "cnn inverse_time average": (
        "cnn",
        {**CNN, **SGD, "conv.pool": "average", "activation": "tanh", "schedule": "inverse_time"},
    ),
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    return prepare_digits(tmp_path_factory.mktemp("cache"))


def assert_same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@pytest.mark.parametrize("name", NETWORKS)
def test_epochs_are_bit_identical_also_across_a_checkpoint_after_any_of_them(
    name: str, digits: TrainingSet, tmp_path: Path
) -> None:
    model, values = NETWORKS[name]
    plan = make_plan(digits, values, model=model)
    unbroken = start(plan)
    save_checkpoint(tmp_path / "0.pt", unbroken, plan=plan.fingerprint)
    for metrics in unbroken.epochs():
        save_checkpoint(tmp_path / f"{metrics.epoch}.pt", unbroken, plan=plan.fingerprint)
    assert len(unbroken.history) == 3
    for epoch in range(4):
        torch.rand(epoch)  # another state of the random generator than the first run's
        resumed = start(plan)
        path = tmp_path / f"{epoch}.pt"
        assert load_checkpoint(path, resumed, plan=plan.fingerprint, device=CPU)
        assert len(list(resumed.epochs())) == 3 - epoch
        assert without_times(resumed.history) == without_times(unbroken.history)
        assert_same_weights(resumed.module.state_dict(), unbroken.module.state_dict())
        assert_same_weights(resumed.best_weights, unbroken.best_weights)


def test_another_seed_gives_other_numbers(digits: TrainingSet) -> None:
    one, other = (next(start(make_plan(digits, seed=seed)).epochs()) for seed in (1, 2))
    assert one.loss != other.loss


def test_neighbouring_seeds_do_not_share_their_epochs_shuffling(digits: TrainingSet) -> None:
    """Epoch 2 of seed 1 must not be epoch 1 of seed 2, as `seed + epoch` would make it."""
    frozen = {**MLP, **SGD, "learning_rate": 1e-30}
    losses = []
    for seed in (1, 2):
        training = start(make_plan(digits, frozen, seed=seed))
        training.module.load_state_dict(start(make_plan(digits, frozen)).module.state_dict())
        losses += [metrics.loss for metrics in training.epochs()]
    assert len(set(losses)) == 6


def test_a_training_learns_the_digits(digits: TrainingSet) -> None:
    plan = make_plan(
        digits,
        {**CNN, "dropout": 0.0, "learning_rate": 0.01},
        model="cnn",
        epochs=12,
        stop_after=12,
    )
    *_, last = start(plan).epochs()
    assert last.accuracy > 0.9
    assert last.val_accuracy is not None
    assert last.val_accuracy > 0.7


FROZEN = {"dense.units": 16, "batch_size": 64, "optimizer": "sgd", "learning_rate": 1e-30}


def loss_and_accuracy(training: Training, images: ImageSet) -> tuple[float, float]:
    """Over all images at once."""
    pixels = images.images[images.indices].float() / 255
    labels = images.labels[images.indices]
    with torch.no_grad():
        logits = training.module.eval()(pixels)
    accuracy = float((logits.argmax(1) == labels).double().mean())
    return float(cross_entropy(logits.double(), labels)), accuracy


def test_every_training_image_weighs_the_same_also_in_a_smaller_last_batch(
    digits: TrainingSet,
) -> None:
    training = start(make_plan(digits, FROZEN))  # 160 images: 64, 64 and 32
    metrics = next(training.epochs())
    loss, accuracy = loss_and_accuracy(training, load_device_data(digits, device=CPU).train)
    assert metrics.loss == pytest.approx(loss, rel=1e-6)
    assert metrics.accuracy == pytest.approx(accuracy)


@pytest.mark.parametrize("count", [1, 100, 512, 513, 1000, 1025])
def test_every_validation_image_counts(count: int, tmp_path: Path) -> None:
    digits = prepare_digits(tmp_path, subset=None)
    data = load_device_data(digits, device=CPU)
    validation = replace(data.validation, indices=torch.arange(count))
    held_out = DeviceData(data.train, validation, data.everything)
    training = start(make_plan(digits, FROZEN), held_out)
    metrics = next(training.epochs())
    loss, accuracy = loss_and_accuracy(training, validation)
    assert metrics.val_loss == pytest.approx(loss, rel=1e-6)
    assert metrics.val_accuracy == pytest.approx(accuracy)


def test_dropout_is_off_in_validation(digits: TrainingSet) -> None:
    training = start(make_plan(digits, {**FROZEN, "dropout": 0.9}))
    metrics = next(training.epochs())
    loss, _ = loss_and_accuracy(training, load_device_data(digits, device=CPU).validation)
    assert metrics.val_loss == pytest.approx(loss, rel=1e-6)
    assert metrics.loss != pytest.approx(loss, rel=1e-2)


def test_the_recorded_rate_is_that_of_the_epochs_last_step(digits: TrainingSet) -> None:
    """By hand: two steps an epoch, four in all; (1 + cos(pi * step / 4)) / 2 at steps 1 and 3."""
    values = {"batch_size": 80, "learning_rate": 0.1, "schedule": "cosine"}
    training = start(make_plan(digits, values, epochs=2, stop_after=2))
    rates = [metrics.learning_rate for metrics in training.epochs()]
    assert rates == pytest.approx([0.0853553390593, 0.0146446609407])


def test_a_shorter_training_follows_the_schedule_of_its_horizon(digits: TrainingSet) -> None:
    values = {**MLP, "schedule": "cosine"}
    whole, short = (start(make_plan(digits, values, stop_after=n)) for n in (3, 2))
    assert without_times(list(short.epochs())) == without_times(list(whole.epochs()))[:2]


def test_training_on_everything_validates_nothing_and_keeps_the_last_weights(
    digits: TrainingSet,
) -> None:
    rule = EarlyStopping(patience=1)
    plan = make_plan(digits, train_on="train+validation", early_stopping=rule)
    training = start(plan)
    history = list(training.epochs())
    assert [(m.val_loss, m.val_accuracy) for m in history] == [(None, None)] * 3
    assert_same_weights(training.best_weights, training.module.state_dict())


def test_training_on_everything_uses_the_validation_images_too(digits: TrainingSet) -> None:
    training = start(make_plan(digits, FROZEN, train_on="train+validation"))
    metrics = next(training.epochs())
    loss, _ = loss_and_accuracy(training, load_device_data(digits, device=CPU).everything)
    assert metrics.loss == pytest.approx(loss, rel=1e-6)


def history_of(monitor: Objective, values: list[float]) -> list[EpochMetrics]:
    """Epochs whose other measure always improves, so that it must not be looked at."""
    falling = np.linspace(0.9, 0.1, len(values)).tolist()
    return [
        EpochMetrics(
            epoch=epoch,
            loss=1.0,
            accuracy=0.5,
            val_loss=value if monitor == "val_loss" else other,
            val_accuracy=value if monitor == "val_accuracy" else 1 - other,
            learning_rate=0.1,
            duration_s=1.0,
            images_per_s=1.0,
        )
        for epoch, (value, other) in enumerate(zip(values, falling, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("monitor", "min_delta", "values", "stale"),
    [
        ("val_loss", 0.0, [], 0),
        ("val_loss", 0.0, [1.0], 0),
        ("val_loss", 0.0, [1.0, 0.9, 0.8], 0),
        ("val_loss", 0.0, [1.0, 0.9, 0.95, 0.91], 2),
        ("val_loss", 0.0, [1.0, 0.9, 0.9], 1),  # the same again is no improvement
        ("val_loss", 0.0, [1.0, 1.1, 0.9], 0),  # the count starts again
        ("val_loss", 0.1, [1.0, 0.95, 0.875], 0),  # measured from the best, 1.0
        ("val_loss", 0.1, [1.0, 0.95, 0.92], 2),
        ("val_loss", 0.125, [1.0, 0.875], 1),  # by more than min_delta, not just by it
        ("val_accuracy", 0.0, [0.5, 0.6, 0.7], 0),
        ("val_accuracy", 0.0, [0.5, 0.7, 0.6, 0.7], 2),
        ("val_accuracy", 0.1, [0.5, 0.55, 0.625], 0),
        ("val_accuracy", 0.1, [0.5, 0.55, 0.58], 2),
        ("val_accuracy", 0.125, [0.5, 0.625], 1),
    ],
)
def test_stale_epochs_are_those_since_the_last_real_improvement(
    monitor: Objective, min_delta: float, values: list[float], stale: int
) -> None:
    rule = EarlyStopping(monitor=monitor, min_delta=min_delta)
    assert stale_epochs(history_of(monitor, values), rule) == stale


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
@pytest.mark.parametrize("patience", [1, 3])
def test_training_stops_after_patience_epochs_without_improvement(
    monitor: Objective, patience: int, digits: TrainingSet
) -> None:
    rule = EarlyStopping(monitor=monitor, patience=patience, min_delta=100.0)
    plan = make_plan(digits, early_stopping=rule, epochs=9, stop_after=9)
    training = start(plan)
    assert len(list(training.epochs())) == 1 + patience
    assert list(training.epochs()) == [], "it stays finished"


@pytest.mark.parametrize("objective", ["val_loss", "val_accuracy"])
def test_the_best_epochs_weights_are_kept_when_later_ones_are_worse(
    objective: Objective, digits: TrainingSet
) -> None:
    values = {"dense.units": 24, "learning_rate": 0.01}
    plan = make_plan(digits, values, objective=objective, epochs=5, stop_after=5)
    training = start(plan)
    for metrics in training.epochs():
        if metrics.epoch == 3:
            best = {name: v.clone() for name, v in training.module.state_dict().items()}
            # a network of zeros has dead hidden units and cannot recover
            with torch.no_grad():
                for parameter in training.module.parameters():
                    parameter.zero_()
    scores = [metrics.value_of(objective) for metrics in training.history]
    assert scores[2] in (min(scores), max(scores)), "the third epoch is the best"
    assert scores[3] != scores[2]
    assert_same_weights(training.best_weights, best)


def test_the_last_epochs_weights_are_kept_where_the_plan_says_so(digits: TrainingSet) -> None:
    values = {"dense.units": 24, "learning_rate": 0.01}
    training = start(make_plan(digits, values, keep="last", epochs=4, stop_after=4))
    for metrics in training.epochs():
        if metrics.epoch == 2:  # from here on it cannot get better again
            with torch.no_grad():
                for parameter in training.module.parameters():
                    parameter.zero_()
    best = best_epoch(training.history, objective="val_accuracy")
    assert best.epoch < 4
    assert_same_weights(training.best_weights, training.module.state_dict())


@pytest.mark.parametrize("train_on", ["train", "train+validation"])
def test_a_loss_that_is_not_finite_ends_the_training_and_is_not_counted(
    train_on: str, digits: TrainingSet
) -> None:
    values = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 1e38}
    training = start(make_plan(digits, values, train_on=train_on))
    with pytest.raises(DivergedError, match="epoch 1"):
        list(training.epochs())
    assert training.history == []


def test_adams_means_do_not_become_denormal_and_the_process_stays_as_it_was(
    digits: TrainingSet,
) -> None:
    """Images in which one pixel is lit once: its gradient is 0 in all later steps."""
    data = load_device_data(digits, device=CPU)
    images = data.train.images.clone()
    images[:, :, 0, 0] = 0
    images[data.train.indices[0], :, 0, 0] = 255
    lit = replace(data.train, images=images)
    plan = make_plan(digits, {**MLP, "batch_size": 1}, epochs=8, stop_after=8)
    training = start(plan, DeviceData(lit, data.validation, data.everything))
    for _ in training.epochs():
        assert float(torch.full((1,), 1e-30) * 1e-10) > 0
    means = training.state()["optimizer"]["means"][0]
    assert not ((means != 0) & (means.abs() < 1.17e-38)).any()


def test_a_finished_training_resumed_has_nothing_left_to_do(
    digits: TrainingSet, tmp_path: Path
) -> None:
    plan = make_plan(digits, stop_after=1)
    training, again = start(plan), start(plan)
    list(training.epochs())
    save_checkpoint(tmp_path / "end.pt", training, plan=plan.fingerprint)
    assert load_checkpoint(tmp_path / "end.pt", again, plan=plan.fingerprint, device=CPU)
    assert list(again.epochs()) == []
    assert again.history == training.history
