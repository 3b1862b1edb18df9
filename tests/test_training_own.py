"""Trainings of the user's own networks."""

import copy
import threading
from pathlib import Path

import pytest
import torch
from made_data import prepare_digits
from made_models import GOOD, WRITTEN_OUT, write_model
from made_plans import make_plan, start, train_with_and_without_a_break
from safetensors.torch import load_file
from torch import Tensor, nn

from hpsearch.configuration import resolve
from hpsearch.data.training_set import TrainingSet
from hpsearch.executors.inline import InlineExecutor
from hpsearch.executors.messages import Event, Task, TrainingFailed, ends_task
from hpsearch.models.layout import bears_channels_last
from hpsearch.models.network import build_network
from hpsearch.records import TrainingKey
from hpsearch.training.methods import candidate_methods
from hpsearch.training.plan import Plan


@pytest.fixture
def digits(tmp_path: Path) -> TrainingSet:
    return prepare_digits(tmp_path)


def own_plan(folder: Path, digits: TrainingSet, code: str = GOOD, **values: int | float) -> Plan:
    write_model(folder, code)
    given = {"learning_rate": 0.01, "batch_size": 32, **values}
    configuration = resolve(given, model="own_models:build", folder=str(folder))
    return make_plan(digits, configuration=configuration)


@pytest.mark.parametrize(
    ("code", "method"),
    [
        (GOOD, "fp32, channels-last, autograd"),
        (WRITTEN_OUT, "fp32, contiguous, autograd"),  # `view` does not bear the other
    ],
)
def test_an_own_model_learns_and_goes_on_bit_for_bit(
    code: str, method: str, digits: TrainingSet, tmp_path: Path
) -> None:
    plan = own_plan(tmp_path, digits, code)
    unbroken, resumed = train_with_and_without_a_break(plan, tmp_path)
    assert str(unbroken.method) == method
    history = unbroken.history
    assert history[-1].loss < history[0].loss
    assert all(map(torch.equal, unbroken.best_weights.values(), resumed.best_weights.values()))


def test_an_own_sequential_of_linear_layers_is_not_taken_for_one_of_ours(
    digits: TrainingSet, tmp_path: Path
) -> None:
    code = """
        from torch import nn
        def build(image_shape, num_classes):
            hidden = nn.Linear(64, 16, bias=False)
            return nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), nn.Linear(16, num_classes))
    """
    training = start(own_plan(tmp_path, digits, code))
    assert str(training.method) == "fp32, contiguous, autograd"
    first, *_, last = training.epochs()
    assert last.loss < first.loss


def test_frozen_and_unused_parameters_stay_and_tied_ones_stay_tied(
    digits: TrainingSet, tmp_path: Path
) -> None:
    training = start(own_plan(tmp_path, digits, WRITTEN_OUT))
    before = {name: value.clone() for name, value in training.module.state_dict().items()}
    list(training.epochs())
    after = training.module.state_dict()
    for name in ("scale", "unused.weight"):
        assert torch.equal(before[name], after[name])
    assert not torch.equal(before["two.weight"], after["two.weight"])
    assert torch.equal(after["two.weight"], after["three.weight"])
    assert int(after["steps"]) == 3 * 5  # batches of 160 images in three epochs, none in validation


def test_a_step_of_an_own_model_is_never_captured(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    images = torch.rand(4, 1, 8, 8)
    device = torch.device("cuda")
    methods = candidate_methods(module, precision="fp32", device=device, own=images)
    assert [str(method) for method in methods] == ["fp32, contiguous, autograd"]


class Stubborn:
    def __deepcopy__(self, memo: object) -> "Stubborn":
        raise copy.Error("not me")


@pytest.mark.parametrize(
    ("held", "methods"),
    [(None, ["fp32", "bf16"]), (threading.Lock(), ["fp32"]), (Stubborn(), ["fp32"])],
)
def test_methods_are_tried_on_copies_so_what_cannot_be_copied_has_the_usual_one(
    held: object, methods: list[str]
) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    module.held = held  # type: ignore[assignment]
    found = candidate_methods(
        module, precision="auto", device=torch.device("cuda"), own=torch.rand(4, 1, 8, 8)
    )
    assert [method.precision for method in found] == methods


class Full(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, images: Tensor) -> Tensor:
        raise RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")


def test_a_layout_that_is_tried_without_enough_memory_is_not_taken_for_one_that_does_not_fit() -> (
    None
):
    with pytest.raises(RuntimeError, match="ALLOC_FAILED"):
        bears_channels_last(Full(), torch.rand(4, 1, 8, 8))


def events_of(plan: Plan, tmp_path: Path) -> list[Event]:
    key = TrainingKey("winner", 0)
    executor = InlineExecutor(device="cpu")
    executor.submit(Task(key, plan, tmp_path / "c.pt", tmp_path / "w.safetensors"))
    events: list[Event] = []
    while not events or not ends_task(events[-1]):
        events += executor.poll(0)
    return events


def test_weights_with_shared_tensors_are_saved_and_fit_again(
    digits: TrainingSet, tmp_path: Path
) -> None:
    plan = own_plan(tmp_path, digits, WRITTEN_OUT)
    events_of(plan, tmp_path)
    module = build_network(plan.configuration.network, image_shape=(1, 8, 8), num_classes=10)
    module.load_state_dict(load_file(tmp_path / "w.safetensors"))
    assert torch.equal(module.three.weight, module.two.weight)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "outcome", "reason"),
    [
        ("raise InfeasibleConfigurationError('too wide')", "infeasible", "too wide"),
        ("raise ValueError('too wide')", "error", "ValueError: too wide"),
        ("raise MemoryError", "out-of-memory", "MemoryError"),
        ("raise RuntimeError('CUDA error: out of memory')", "out-of-memory", "RuntimeError"),
    ],
)
def test_what_a_model_raises_decides_what_becomes_of_its_trial(
    line: str, outcome: str, reason: str, digits: TrainingSet, tmp_path: Path
) -> None:
    code = f"""
        from hpsearch.errors import InfeasibleConfigurationError
        def build(image_shape, num_classes):
            {line}
    """
    (event,) = events_of(own_plan(tmp_path, digits, code), tmp_path)
    assert isinstance(event, TrainingFailed)
    assert event.outcome == outcome
    assert reason in event.reason
    assert ("own_models.py" in event.traceback) is (outcome != "infeasible")
