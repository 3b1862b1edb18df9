import copy
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hpsearch.configuration import resolve
from hpsearch.models.dropout import seed_dropout
from hpsearch.models.network import build_network
from hpsearch.space import Scalar
from hpsearch.training.optimizers import Optimizer
from hpsearch.training.steps import AutogradStep, DenseStep, Step

Values = Mapping[str, Scalar]
SGD = {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True}


def build(values: Values) -> nn.Sequential:
    torch.manual_seed(1)
    network = resolve(values, model="mlp").network
    return build_network(network, image_shape=(1, 6, 6), num_classes=10).train()


def train(step: Step, *, learning_rate: float, num_steps: int = 50) -> tuple[list[float], Tensor]:
    """The losses of some steps on made images, the last batch smaller, and the last logits."""
    generator = torch.Generator().manual_seed(2)
    losses = []
    for number in range(num_steps):
        size = 7 if number == num_steps - 1 else 16
        images = torch.rand(size, 1, 6, 6, generator=generator)
        labels = torch.randint(10, (size,), generator=generator)
        logits = step(images, labels, learning_rate=learning_rate)
        losses.append(cross_entropy(logits, labels).item())
    return losses, logits


@pytest.mark.parametrize("optimizer", [{"learning_rate": 0.01}, SGD], ids=["adam", "sgd"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize(
    "layers",
    [
        {"dense_layers": 0},
        {"dense_layers": 1, "dense.units": 24},
        {"dense_layers": 3, "dense.units": 24, "dropout": 0.2},
        {"dense_layers": 2, "dense.1.units": 24, "dense.2.units": 12, "dense.2.dropout": 0.5},
        {"dense_layers": 2, "dense.units": 24, "output.dropout": 0.3},
    ],
    ids=["none", "one", "dropout everywhere", "dropout between", "dropout last"],
)
def test_fifty_written_out_steps_lose_what_autograd_loses(
    layers: Values, activation: str, optimizer: Values
) -> None:
    values = {**layers, **optimizer, "activation": activation}
    configuration = resolve(values, model="mlp")
    module = build(values)
    other = copy.deepcopy(module)
    seed_dropout(module, 3)
    seed_dropout(other, 3)
    dense = DenseStep(module, Optimizer(configuration.optimizer, module.parameters()))
    plain = AutogradStep(other, Optimizer(configuration.optimizer, other.parameters()))
    rate = configuration.learning_rate
    losses, logits = train(dense, learning_rate=rate)
    expected, expected_logits = train(plain, learning_rate=rate)
    assert losses == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(logits, expected_logits, rtol=1e-3, atol=1e-4)
    for (name, one), two in zip(module.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4, msg=name)


def test_a_step_returns_the_logits_from_before_the_weights_moved() -> None:
    values = {"dense_layers": 1, "learning_rate": 0.1}
    settings = resolve(values, model="mlp").optimizer
    images, labels = torch.rand(4, 1, 6, 6), torch.tensor([1, 2, 3, 4])
    for kind in (DenseStep, AutogradStep):
        module = build(values)
        before = module(images).detach()
        logits = kind(module, Optimizer(settings, module.parameters()))(
            images, labels, learning_rate=0.1
        )
        torch.testing.assert_close(logits, before)
        assert not logits.requires_grad
        assert not torch.allclose(module(images), before)
