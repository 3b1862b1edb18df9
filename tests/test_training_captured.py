import copy
from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hpsearch.configuration import Configuration, resolve
from hpsearch.models.network import build_network
from hpsearch.training.captured import CapturedStep, _record_graph
from hpsearch.training.optimizers import Optimizer
from hpsearch.training.steps import AutogradStep, Step

CPU = torch.device("cpu")
ADAM = resolve({"dense.units": 24}, model="mlp")
SGD = resolve({"dense.units": 24, "optimizer": "sgd", "momentum": 0.9}, model="mlp")


def build(configuration: Configuration) -> nn.Sequential:
    torch.manual_seed(1)
    return build_network(configuration.network, image_shape=(1, 6, 6), num_classes=10).train()


def autograd_step(module: nn.Module, configuration: Configuration) -> AutogradStep:
    return AutogradStep(module, Optimizer(configuration.optimizer, module.parameters()))


def batches(num_batches: int, *, device: torch.device = CPU) -> list[tuple[Tensor, Tensor]]:
    """Made batches of 16, every fifth smaller, as an epoch's last is."""
    generator = torch.Generator().manual_seed(2)
    sizes = [7 if number % 5 == 4 else 16 for number in range(num_batches)]
    return [
        (
            torch.rand(size, 1, 6, 6, generator=generator).to(device),
            torch.randint(10, (size,), generator=generator).to(device),
        )
        for size in sizes
    ]


def train(step: Step, made: list[tuple[Tensor, Tensor]]) -> list[float]:
    """The losses, under a learning rate that falls; read at the end, when all steps were made."""
    logits = [
        step(images, labels, learning_rate=0.01 / (1 + number / 10))
        for number, (images, labels) in enumerate(made)
    ]
    return [cross_entropy(z, labels).item() for z, (_, labels) in zip(logits, made, strict=True)]


class FakeGraph:
    """Records as a GPU does: nothing runs, and a replay reads and writes the recorded tensors."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0
        self._result: Tensor | None = None

    def record(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        self.recorded += 1

        def replay() -> Tensor:
            self.replayed += 1
            result = work()
            if self._result is None:
                self._result = result
            return self._result.copy_(result)

        return replay


@pytest.mark.parametrize("configuration", [ADAM, SGD], ids=["adam", "sgd"])
def test_fifty_captured_steps_lose_what_the_same_steps_lose_otherwise(
    configuration: Configuration,
) -> None:
    module = build(configuration)
    other, graph = copy.deepcopy(module), FakeGraph()
    step = CapturedStep(autograd_step(module, configuration), device=CPU, record=graph.record)
    expected = train(autograd_step(other, configuration), batches(50))
    assert train(step, batches(50)) == pytest.approx(expected, rel=1e-5)
    assert graph.recorded == 1
    # 3 steps warm up, and of the other 47 the ten smaller batches are not replayed
    assert graph.replayed == 37
    for one, two in zip(module.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_batches_that_are_all_small_are_recorded_too() -> None:
    graph = FakeGraph()
    step = CapturedStep(autograd_step(build(ADAM), ADAM), device=CPU, record=graph.record)
    small = [batch for batch in batches(50) if len(batch[1]) == 7]
    train(step, small)
    assert graph.replayed == len(small) - 3


def test_a_first_epoch_s_small_rest_is_not_what_is_recorded() -> None:
    graph = FakeGraph()
    step = CapturedStep(autograd_step(build(ADAM), ADAM), device=CPU, record=graph.record)
    made = batches(50)[1:]
    assert [len(labels) for _, labels in made[:5]] == [16, 16, 16, 7, 16]
    train(step, made)
    assert graph.replayed == sum(len(labels) == 16 for _, labels in made) - 3


def test_a_failed_recording_is_left_with_a_new_state_of_the_generator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Generator:
        state = "recording"

        def graphsafe_set_state(self, state: str) -> None:
            self.state = state

    def work() -> Tensor:
        raise RuntimeError("operation not permitted when stream is capturing")

    generators = [Generator(), Generator()]
    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph: nullcontext())
    monkeypatch.setattr(torch.cuda, "default_generators", generators)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch, "Generator", lambda device: f"new on {device}")
    with pytest.raises(RuntimeError, match="capturing"):
        _record_graph(work)
    assert [generator.state for generator in generators] == ["recording", "new on cuda"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_dropout_works_after_a_failed_recording() -> None:
    images = torch.ones(64, device="cuda")

    def work() -> Tensor:
        torch.nn.functional.dropout(images)
        torch.cuda.synchronize()  # which a recording cannot
        return images

    with pytest.raises(RuntimeError):
        _record_graph(work)
    torch.manual_seed(0)
    assert 0 < int((torch.nn.functional.dropout(images) == 0).sum()) < 64


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("configuration", [ADAM, SGD], ids=["adam", "sgd"])
def test_a_cuda_graph_computes_what_its_step_computes(configuration: Configuration) -> None:
    cuda = torch.device("cuda")
    module = build(configuration).to(cuda)
    other = copy.deepcopy(module)
    step = CapturedStep(autograd_step(module, configuration), device=cuda)
    expected = train(autograd_step(other, configuration), batches(50, device=cuda))
    assert train(step, batches(50, device=cuda)) == pytest.approx(expected, rel=1e-5)
