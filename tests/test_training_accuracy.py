"""What was made fast must not have been made worse: accuracy beside PyTorch's own plain loop."""

import math
import statistics
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from made_data import prepare_digits
from made_plans import CPU, make_plan, start
from torch import nn
from torch.nn.functional import cross_entropy

from hpsearch.configuration import resolve
from hpsearch.data.tensors import DeviceData, load_device_data, scale_pixels
from hpsearch.models.dropout import Dropout
from hpsearch.models.network import build_network
from hpsearch.space import Scalar

Values = Mapping[str, Scalar]
SEEDS = 10
EPOCHS = 6
MLP = {"dense.units": 32, "dropout": 0.2, "batch_size": 32, "learning_rate": 0.003}
CNN = {"conv.filters": 16, "dense.units": 16, "dropout": 0.2, "learning_rate": 0.003}


def plain_network(values: Values, *, model: str) -> nn.Sequential:
    """The same layers, with PyTorch's dropout and weights stored as PyTorch stores them."""
    network = resolve(values, model=model).network  # type: ignore[arg-type]
    module = build_network(network, image_shape=(1, 8, 8), num_classes=10)
    for name, part in list(module.named_children()):
        if isinstance(part, Dropout):
            setattr(module, name, nn.Dropout(part.p))
        elif isinstance(part, nn.Linear):
            part.weight.data = part.weight.data.contiguous()
    return module


def plain_accuracy(data: DeviceData, values: Values, *, model: str, seed: int) -> float:
    """Validation accuracy after a loop as anybody would write it."""
    torch.manual_seed(seed)
    module = plain_network(values, model=model)
    configuration = resolve(values, model=model)  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(module.parameters(), lr=configuration.learning_rate)
    train, validation = data.train, data.validation
    for _ in range(EPOCHS):
        order = train.indices[torch.randperm(len(train))]
        for chosen in order.split(configuration.batch_size):
            optimizer.zero_grad()
            loss = cross_entropy(module(scale_pixels(train.images[chosen])), train.labels[chosen])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    module.eval()
    with torch.no_grad():
        logits = module(scale_pixels(validation.images[validation.indices]))
    right = logits.argmax(1) == validation.labels[validation.indices]
    return right.double().mean().item()


@pytest.mark.parametrize(
    ("model", "values", "method"),
    [
        ("mlp", MLP, "fp32, contiguous, written-out"),
        ("cnn", CNN, "fp32, blocked, autograd"),
    ],
)
def test_the_final_accuracy_is_that_of_a_plain_loop_within_noise(
    tmp_path: Path, model: str, values: Values, method: str
) -> None:
    training_set = prepare_digits(tmp_path, subset=None)
    data = load_device_data(training_set, device=CPU)
    ours = []
    for seed in range(SEEDS):
        plan = make_plan(
            training_set,
            values,
            model=model,  # type: ignore[arg-type]
            seed=seed,
            epochs=EPOCHS,
            stop_after=EPOCHS,
        )
        training = start(plan, data)
        assert str(training.method) == method
        ours.append(list(training.epochs())[-1].value_of("val_accuracy"))
    plain = [plain_accuracy(data, values, model=model, seed=seed) for seed in range(SEEDS)]
    # Welch's t: 10 and 10 seeds are within 2.9 standard errors 99 times of 100
    noise = math.sqrt((statistics.variance(ours) + statistics.variance(plain)) / SEEDS)
    assert min(plain) > 0.8, "the plain loop learns"
    assert abs(statistics.mean(ours) - statistics.mean(plain)) < 2.9 * noise
    assert noise < 0.01, "a worse loop would be seen"
