import copy
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hpsearch.configuration import Configuration, resolve
from hpsearch.space import Scalar
from hpsearch.training.optimizers import Optimizer

Values = Mapping[str, Scalar]


class Weight(nn.Module):
    """One weight, at 1."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(1))


def minimize_half_square(values: Values, *, steps: int) -> list[float]:
    """The weight after each step down w^2 / 2, whose gradient is w."""
    module = Weight()
    configuration = resolve(values, model="mlp")
    optimizer = Optimizer(configuration.optimizer, module.parameters())
    weights = []
    for _ in range(steps):
        optimizer.step([module.w.detach()], configuration.learning_rate)
        weights.append(module.w.item())
    return weights


SGD = {"optimizer": "sgd", "learning_rate": 0.1}


@pytest.mark.parametrize(
    ("values", "weights"),
    [
        ({**SGD, "momentum": 0.0}, [0.9, 0.81, 0.729]),
        # v = m v + g; w -= lr v: v is 1, 1.7, 2.09
        ({**SGD, "momentum": 0.8}, [0.9, 0.73, 0.521]),
        # v = m v + g; w -= lr (g + m v): v is 1, 1.62, 1.9044
        ({**SGD, "momentum": 0.8, "nesterov": True}, [0.82, 0.6084, 0.395208]),
        # g = w + 0.5 w
        ({**SGD, "momentum": 0.0, "weight_decay": 0.5}, [0.85, 0.7225, 0.614125]),
        # Nesterov without momentum is plain descent
        ({**SGD, "momentum": 0.0, "nesterov": True}, [0.9, 0.81, 0.729]),
    ],
)
def test_sgd_steps_as_computed_by_hand(values: Values, weights: list[float]) -> None:
    assert minimize_half_square(values, steps=3) == pytest.approx(weights, rel=1e-6)


def test_adam_steps_as_computed_by_hand() -> None:
    """Kingma & Ba 2015, betas 0.9 and 0.999: g is 1, then 0.9.

    m / (1 - 0.9^2) = (0.09 + 0.09) / 0.19; v / (1 - 0.999^2) = (0.000999 + 0.00081) / 0.001999.
    """
    second = 0.9 - 0.1 * (0.18 / 0.19) / (0.001809 / 0.001999) ** 0.5
    weights = minimize_half_square({"learning_rate": 0.1}, steps=2)
    assert weights == pytest.approx([0.9, second], rel=1e-6)


def pytorchs_optimizer(configuration: Configuration, module: nn.Module) -> torch.optim.Optimizer:
    """The same optimiser from PyTorch's public interface."""
    settings = configuration.optimizer.model_dump(exclude={"name"})
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    return kinds[configuration.optimizer.name](
        module.parameters(), lr=configuration.learning_rate, **settings
    )


def train_a_little(module: nn.Module, step: Callable[[list[Tensor]], None]) -> list[float]:
    """Fifty steps on made images, and their losses; `step` gets the gradients."""
    generator = torch.Generator().manual_seed(3)
    losses = []
    for _ in range(50):
        images = torch.rand(16, 20, generator=generator)
        labels = torch.randint(10, (16,), generator=generator)
        loss = cross_entropy(module(images), labels)
        step(list(torch.autograd.grad(loss, list(module.parameters()))))
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(
    "values",
    [
        {"learning_rate": 0.01},
        {"learning_rate": 0.01, "weight_decay": 0.1},
        {**SGD, "momentum": 0.0},
        {**SGD, "momentum": 0.9},
        {**SGD, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    ],
)
def test_fifty_steps_lose_what_they_lose_with_torch_optim(values: Values) -> None:
    configuration = resolve(values, model="mlp")
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 10))
    theirs = copy.deepcopy(ours)
    optimizer = Optimizer(configuration.optimizer, ours.parameters())
    reference = pytorchs_optimizer(configuration, theirs)

    def reference_step(gradients: list[Tensor]) -> None:
        for parameter, gradient in zip(theirs.parameters(), gradients, strict=True):
            parameter.grad = gradient
        reference.step()

    losses = train_a_little(
        ours, partial(optimizer.step, learning_rate=configuration.learning_rate)
    )
    expected = train_a_little(theirs, reference_step)
    assert losses == pytest.approx(expected, rel=1e-5)
    assert losses[-1] != pytest.approx(losses[0], rel=1e-3), "the weights have moved"


@pytest.mark.parametrize("values", [{"learning_rate": 0.01}, {**SGD, "momentum": 0.9}])
def test_weights_in_any_memory_order_make_the_same_steps(values: Values) -> None:
    configuration = resolve(values, model="mlp")
    torch.manual_seed(0)
    rows = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 10))
    columns = copy.deepcopy(rows)
    for layer in (columns[0], columns[2]):
        layer.weight.data = layer.weight.data.t().contiguous().t()
    losses = []
    for module in (rows, columns):
        optimizer = Optimizer(configuration.optimizer, module.parameters())
        step = partial(optimizer.step, learning_rate=configuration.learning_rate)
        losses.append(train_a_little(module, step))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("values", [{"learning_rate": 0.01}, {**SGD, "momentum": 0.9}])
def test_a_state_serves_weights_in_another_memory_order(values: Values) -> None:
    configuration = resolve(values, model="mlp")
    torch.manual_seed(0)
    rows = nn.Sequential(nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 10))
    first = Optimizer(configuration.optimizer, rows.parameters())
    rate = configuration.learning_rate
    train_a_little(rows, partial(first.step, learning_rate=rate))
    columns = copy.deepcopy(rows)
    columns[0].weight.data = columns[0].weight.data.t().contiguous().t()
    second = Optimizer(configuration.optimizer, columns.parameters())
    second.load_state(copy.deepcopy(first.state()))
    losses = [
        train_a_little(module, partial(optimizer.step, learning_rate=rate))
        for module, optimizer in ((rows, first), (columns, second))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_gradients_reach_the_kernel_laid_out_as_their_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def kernel(weights: list[Tensor], gradients: list[Tensor], *_: object, **__: object) -> None:
        seen.extend((w.stride(), g.stride()) for w, g in zip(weights, gradients, strict=True))

    monkeypatch.setattr(torch, "_fused_adam_", kernel)
    weight = nn.Parameter(torch.zeros(10, 40, 49).permute(0, 2, 1))
    step = Optimizer(resolve({}, model="mlp").optimizer, [weight]).step
    step([torch.zeros(40, 10, 49).permute(1, 2, 0)], 0.1)
    assert [ours == theirs for ours, theirs in seen] == [True]


def test_an_optimizer_goes_on_from_its_state() -> None:
    configuration = resolve({"learning_rate": 0.1}, model="mlp")
    module = Weight()
    optimizer = Optimizer(configuration.optimizer, module.parameters())
    weights = []
    for step in range(4):
        if step == 2:
            state = copy.deepcopy(optimizer.state())
            optimizer = Optimizer(configuration.optimizer, module.parameters())
            optimizer.load_state(state)
        optimizer.step([module.w.detach()], configuration.learning_rate)
        weights.append(module.w.item())
    assert weights == minimize_half_square({"learning_rate": 0.1}, steps=4)


def test_a_training_does_not_import_the_compiler() -> None:
    """What `torch.optim.Optimizer` would do: 82 MB and seconds in every worker."""
    code = (
        "import sys, torch; from hpsearch.configuration import resolve; "
        "from hpsearch.training.optimizers import Optimizer; w = torch.nn.Linear(1, 1); "
        "gradients = torch.autograd.grad(w(torch.ones(1)).sum(), list(w.parameters())); "
        "Optimizer(resolve({}, model='mlp').optimizer, w.parameters()).step(gradients, 0.1); "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
