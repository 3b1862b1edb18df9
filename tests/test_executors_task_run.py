import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_data import prepare_digits
from made_plans import CNN, CPU, METHOD, make_plan, start, without_times
from safetensors import safe_open
from safetensors.torch import load_file

from hpsearch.configuration import Configuration
from hpsearch.data.tensors import DataCache
from hpsearch.data.training_set import TrainingSet
from hpsearch.executors import task_run
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
from hpsearch.executors.task_run import TaskRun
from hpsearch.models.network import build_network
from hpsearch.records import EpochMetrics, Method, TrainingKey
from hpsearch.training.device import prepare_device
from hpsearch.training.plan import Plan

KEY = TrainingKey("search", 4)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    return prepare_digits(tmp_path_factory.mktemp("cache"))


def begin(plan: Plan, folder: Path, *, weights: bool = False) -> TaskRun:
    prepare_device("cpu")
    checkpoint = folder / "checkpoint.pt"
    task = Task(KEY, plan, checkpoint, folder / "weights.safetensors" if weights else None)
    return TaskRun(task, DataCache(CPU), device=CPU)


def metrics_of(events: list[Event]) -> list[EpochMetrics]:
    return without_times([event.metrics for event in events if isinstance(event, EpochFinished)])


def test_a_task_sends_its_epochs_and_then_that_it_is_finished(
    digits: TrainingSet, tmp_path: Path
) -> None:
    plan = make_plan(digits)
    first, *epochs, last = begin(plan, tmp_path).events()
    assert first == TrainingStarted(KEY, METHOD, "cpu", 1)
    assert [type(event) for event in epochs] == [EpochFinished] * 3
    assert metrics_of(epochs) == without_times(list(start(plan).epochs()))
    # 64 pixels, 24 hidden units, 10 classes
    assert last == TrainingFinished(KEY, 64 * 24 + 24 + 24 * 10 + 10)
    assert {event.key for event in [*epochs, last]} == {KEY}


def test_a_task_paused_after_any_epoch_is_continued_and_tells_of_every_epoch_again(
    digits: TrainingSet, tmp_path: Path
) -> None:
    plan = make_plan(digits, CNN, model="cnn")
    unbroken = metrics_of(list(begin(plan, tmp_path / "unbroken").events()))
    for epoch in (1, 2, 3):
        folder = tmp_path / str(epoch)
        first = begin(plan, folder)
        events = first.events()
        _, *times = [next(events) for _ in range(1 + epoch)]
        first.save_checkpoint()
        events.close()
        started, *second = begin(plan, folder).events()
        assert isinstance(started, TrainingStarted)
        assert started.epoch == epoch + 1
        assert second[:epoch] == times, "the same epochs with the times they had"
        assert metrics_of(second) == unbroken


def test_a_checkpoint_is_left_while_training(
    digits: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_run, "_CHECKPOINT_EVERY_S", 0.0)
    events = begin(make_plan(digits), tmp_path).events()
    assert [type(next(events)) for _ in range(2)] == [TrainingStarted, EpochFinished]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    monkeypatch.undo()
    continued = begin(make_plan(digits), tmp_path)
    assert len(metrics_of(list(continued.events()))) == 3


def test_a_checkpoint_that_cannot_be_written_is_told_and_the_training_goes_on(
    digits: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_run, "_CHECKPOINT_EVERY_S", 0.0)
    (tmp_path / "full").touch()
    task = replace(begin(make_plan(digits), tmp_path).task, checkpoint=tmp_path / "full" / "a.pt")
    run = TaskRun(task, DataCache(CPU), device=CPU)
    _, *events, last = run.events()
    assert [type(event) for event in events] == [CheckpointFailed, EpochFinished] * 3
    assert isinstance(last, TrainingFinished)
    assert isinstance(events[0], CheckpointFailed)
    assert "full" in events[0].reason


def test_images_that_do_not_fit_fail_the_task_for_want_of_memory(
    digits: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("hpsearch.data.tensors.load_device_data", full)
    (failed,) = begin(make_plan(digits), tmp_path).events()
    assert isinstance(failed, TrainingFailed)
    assert failed.outcome == "out-of-memory"


@pytest.mark.parametrize(("device", "kept"), [("cpu", True), ("some GPU", False)])
def test_an_earlier_life_s_method_is_kept_on_such_a_device(
    digits: TrainingSet, tmp_path: Path, device: str, kept: bool
) -> None:
    plain = Method("fp32", "contiguous", "autograd")
    task = begin(make_plan(digits), tmp_path).task
    again = replace(task, begun=TrainingStarted(KEY, plain, device, 1))
    started = next(TaskRun(again, DataCache(CPU), device=CPU).events())
    assert started == TrainingStarted(KEY, plain if kept else METHOD, "cpu", 1)


def test_a_damaged_checkpoint_starts_the_task_over(digits: TrainingSet, tmp_path: Path) -> None:
    plan = make_plan(digits)
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 and no more")
    *epochs, last = begin(plan, tmp_path).events()
    assert metrics_of(epochs) == without_times(list(start(plan).epochs()))
    assert isinstance(last, TrainingFinished)


def test_saving_before_the_training_began_saves_nothing(
    digits: TrainingSet, tmp_path: Path
) -> None:
    begin(make_plan(digits), tmp_path).save_checkpoint()
    assert list(tmp_path.iterdir()) == []


def test_the_best_epochs_weights_are_left_with_all_that_rebuilds_the_network(
    digits: TrainingSet, tmp_path: Path
) -> None:
    plan = make_plan(digits, CNN, model="cnn")
    list(begin(plan, tmp_path, weights=True).events())
    reference = start(plan)
    list(reference.epochs())
    path = tmp_path / "weights.safetensors"
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    module = build_network(
        Configuration.model_validate_json(metadata["configuration"]).network,
        image_shape=tuple(json.loads(metadata["image_shape"])),
        num_classes=json.loads(metadata["num_classes"]),
    )
    module.load_state_dict(load_file(path))
    for name, value in module.state_dict().items():
        assert torch.equal(value, reference.best_weights[name]), name


def test_a_search_trial_leaves_no_weights(digits: TrainingSet, tmp_path: Path) -> None:
    list(begin(make_plan(digits), tmp_path).events())
    assert list(tmp_path.rglob("*.safetensors")) == []


def test_a_diverged_training_is_told_and_ends_the_task(digits: TrainingSet, tmp_path: Path) -> None:
    values = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 1e38}
    _, event = begin(make_plan(digits, values), tmp_path).events()
    assert isinstance(event, TrainingDiverged)
    assert "epoch 1" in event.reason


def test_a_models_exception_fails_the_task_with_its_traceback(
    digits: TrainingSet, tmp_path: Path
) -> None:
    too_few = replace(digits, num_classes=5)  # there are labels up to 9
    _, event = begin(make_plan(too_few), tmp_path).events()
    assert isinstance(event, TrainingFailed)
    assert event.outcome == "error"
    assert event.reason.startswith("IndexError: ")
    assert "\n" not in event.reason
    assert event.traceback.startswith("Traceback (most recent call last)")


@contextmanager
def address_space(limit_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_a_network_larger_than_memory_is_told_as_out_of_memory(
    digits: TrainingSet, tmp_path: Path
) -> None:
    values = {"dense_layers": 2, "dense.units": 1_048_576}  # weights of 4 TiB
    with address_space(2**40):
        (event,) = begin(make_plan(digits, values), tmp_path).events()
    assert isinstance(event, TrainingFailed)
    assert event.outcome == "out-of-memory"
