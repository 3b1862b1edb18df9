from collections.abc import Sequence
from dataclasses import replace

from made_plans import METHOD
from safetensors import safe_open
from small_studies import bench, small_study

from hpsearch.executors.inline import InlineExecutor
from hpsearch.executors.messages import (
    EpochFinished,
    Event,
    Task,
    TrainingDiverged,
    TrainingFailed,
    TrainingFinished,
    TrainingPaused,
    TrainingStarted,
)
from hpsearch.home import Home
from hpsearch.spec import StudySpec

SPEC = small_study(training={"epochs": 3})


def task_of(home: Home, spec: StudySpec = SPEC) -> Task:
    with bench(home, spec) as study:
        return study.task(0)


def drain(executor: InlineExecutor) -> list[Event]:
    events: list[Event] = []
    while polled := executor.poll(0):
        events += polled
    return events


def epochs_of(events: Sequence[Event]) -> list[EpochFinished]:
    return [event for event in events if isinstance(event, EpochFinished)]


def test_a_task_gives_its_epochs_and_then_its_end(home: Home) -> None:
    executor = InlineExecutor(device="cpu")
    task = task_of(home)
    executor.submit(task)
    first, *events = drain(executor)
    assert first == TrainingStarted(task.key, METHOD, "cpu", 1)
    assert [event.metrics.epoch for event in epochs_of(events)] == [1, 2, 3]
    # 64 pixels to 8 units to 10 classes, with biases: 520 + 90
    assert events[3:] == [TrainingFinished(task.key, 610)]


def test_a_paused_task_is_continued_and_not_trained_again(home: Home) -> None:
    task = task_of(home)
    executor = InlineExecutor(device="cpu")
    executor.submit(task)
    before = [event for _ in range(3) for event in executor.poll(0)]
    assert executor.pause(0) == [TrainingPaused(task.key)]
    assert executor.poll(0) == []

    other = InlineExecutor(device="cpu")
    other.submit(task)
    first, *after = drain(other)
    assert first == TrainingStarted(task.key, METHOD, "cpu", 3)
    assert after[:2] == before[1:]  # to the time they took: they come from the checkpoint
    assert [event.metrics.epoch for event in epochs_of(after)] == [1, 2, 3]


def test_a_checkpoint_of_another_plan_is_not_continued(home: Home) -> None:
    task = task_of(home)
    executor = InlineExecutor(device="cpu")
    executor.submit(task)
    (before,) = epochs_of([*executor.poll(0), *executor.poll(0)])
    executor.pause(0)
    executor.submit(replace(task, plan=replace(task.plan, seed=99)))
    (after,) = epochs_of([*executor.poll(0), *executor.poll(0)])
    assert after.metrics.epoch == 1
    assert after.metrics.loss != before.metrics.loss


def test_a_stopped_task_says_nothing_more_and_leaves_no_checkpoint(home: Home) -> None:
    task = task_of(home)
    executor = InlineExecutor(device="cpu")
    executor.submit(task)
    executor.poll(0)
    executor.stop(task.key)
    assert executor.poll(0) == []
    assert not task.checkpoint.exists()


def test_a_loss_that_is_not_finite_ends_the_task_as_diverged(home: Home) -> None:
    task = task_of(home)
    configuration = SPEC.configuration(
        {"learning_rate": 1e20, "optimizer": "sgd", "dense.units": 8}
    )
    executor = InlineExecutor(device="cpu")
    executor.submit(replace(task, plan=replace(task.plan, configuration=configuration)))
    reason = "the loss was not finite in epoch 1"
    assert drain(executor)[1:] == [TrainingDiverged(task.key, reason)]


def test_an_exception_is_an_event_with_its_traceback(home: Home) -> None:
    task = task_of(home)
    shape = (1, 9, 9)  # the images have 8 x 8 pixels
    training_set = replace(task.plan.training_set, image_shape=shape)
    executor = InlineExecutor(device="cpu")
    executor.submit(replace(task, plan=replace(task.plan, training_set=training_set)))
    event = drain(executor)[-1]
    assert isinstance(event, TrainingFailed)
    assert event.outcome == "error"
    assert event.reason.startswith("RuntimeError: ")
    assert "64x64 and 81x8" in event.reason
    assert "\n" not in event.reason
    assert "Traceback" in event.traceback


def test_weights_say_which_network_they_are_of(home: Home) -> None:
    task = replace(task_of(home), weights=home.root / "weights.safetensors")
    executor = InlineExecutor(device="cpu")
    executor.submit(task)
    drain(executor)
    assert task.weights is not None
    with safe_open(task.weights, framework="numpy") as file:
        shapes = sorted(file.get_slice(name).get_shape() for name in file.keys())  # noqa: SIM118
        metadata = file.metadata()
    assert shapes == [[8], [8, 64], [10], [10, 8]]
    assert metadata["configuration"] == task.plan.configuration.model_dump_json()
    assert (metadata["image_shape"], metadata["num_classes"]) == ("[1, 8, 8]", "10")
