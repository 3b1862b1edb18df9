import copy
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hpsearch.configuration import resolve
from hpsearch.models.layout import Blocked, can_block, lay_out
from hpsearch.models.network import build_network
from hpsearch.records import Layout
from hpsearch.space import Scalar
from hpsearch.training.optimizers import Optimizer
from hpsearch.training.steps import AutogradStep

Values = Mapping[str, Scalar]
LAYOUTS: tuple[Layout, ...] = ("contiguous", "channels-last", "blocked")
TWO = {"conv.1.filters": 16, "conv.2.filters": 32, "dense.units": 12}
BLOCKED: Mapping[str, Values] = {
    "two convolutions": TWO,
    "an odd size, pooled to its last pixel": {**TWO, "conv_layers": 3, "conv.3.filters": 16},
    "an odd size, pooled without it": {**TWO, "conv.pool_padding": "valid"},
    "uneven padding before the first": {**TWO, "conv.1.kernel": 5, "conv.1.stride": 2},
    "nothing padded": {**TWO, "conv.padding": "valid"},
    "nothing pooled": {**TWO, "conv.pool": "none"},
    "pooled by 3": {**TWO, "conv.pool_size": 3},
    "no block's multiple": {**TWO, "conv.filters": 18, "conv.2.filters": 21},
    "no dense layer": {**TWO, "dense_layers": 0},
}
NOT_BLOCKED: Mapping[str, Values] = {
    "few filters": {"conv.filters": 8},
    "uneven padding before the second": {**TWO, "conv.pool": "none", "conv.2.stride": 2},
    "batch norm": {**TWO, "batch_norm": True},
    "pooled by means": {**TWO, "conv.pool": "average"},
    "another activation": {**TWO, "activation": "tanh"},
}


def build(values: Values, *, model: str = "cnn") -> nn.Sequential:
    torch.manual_seed(1)
    network = resolve(values, model=model).network  # type: ignore[arg-type]
    return build_network(network, image_shape=(1, 14, 14), num_classes=10).train()


def made_batch(*, seed: int = 2, size: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.rand(size, 1, 14, 14, generator=generator),
        torch.randint(10, (size,), generator=generator),
    )


@pytest.mark.parametrize("values", BLOCKED.values(), ids=BLOCKED)
def test_a_blocked_network_computes_the_same_logits_and_gradients(values: Values) -> None:
    module = build(values)
    assert can_block(module)
    blocked = lay_out(copy.deepcopy(module), "blocked")
    images, labels = made_batch()
    logits, expected = blocked(images), module(images)
    torch.testing.assert_close(logits, expected)
    gradients, expected_gradients = (
        torch.autograd.grad(cross_entropy(output, labels), list(network.parameters()))
        for output, network in ((logits, blocked), (expected, module))
    )
    torch.testing.assert_close(gradients, expected_gradients)
    with torch.inference_mode():
        torch.testing.assert_close(blocked.eval()(images), expected)


@pytest.mark.parametrize("values", NOT_BLOCKED.values(), ids=NOT_BLOCKED)
def test_a_network_that_needs_the_plain_layout_between_its_layers_is_not_blocked(
    values: Values,
) -> None:
    assert not can_block(build(values))


def test_an_mlp_has_nothing_to_block() -> None:
    assert not can_block(build({}, model="mlp"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_keeps_parameters_and_their_names(layout: Layout) -> None:
    module = build(TWO)
    before = copy.deepcopy(module.state_dict())
    parameters = list(module.parameters())
    laid_out = lay_out(module, layout)
    assert all(a is b for a, b in zip(parameters, laid_out.parameters(), strict=True))
    assert list(laid_out.state_dict()) == list(before)
    for name, value in laid_out.state_dict().items():
        assert torch.equal(value, before[name])
    assert isinstance(laid_out, Blocked) == (layout == "blocked")
    last = laid_out.conv2.weight.is_contiguous(memory_format=torch.channels_last)  # type: ignore[union-attr,operator]
    assert last == (layout == "channels-last")


def losses(layout: Layout, values: Values) -> list[float]:
    """Fifty steps on made images, the last batch smaller."""
    configuration = resolve({**TWO, **values}, model="cnn")
    module = lay_out(build({**TWO, **values}), layout)
    step = AutogradStep(module, Optimizer(configuration.optimizer, module.parameters()))
    found = []
    for number in range(50):
        images, labels = made_batch(seed=number, size=3 if number == 49 else 6)
        logits = step(images, labels, learning_rate=configuration.learning_rate)
        found.append(cross_entropy(logits, labels).item())
    return found


@pytest.mark.parametrize(
    "values",
    [{"learning_rate": 1e-3}, {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9}],
    ids=["adam", "sgd"],
)
@pytest.mark.parametrize("layout", ["channels-last", "blocked"])
def test_fifty_steps_lose_the_same_in_every_layout(layout: Layout, values: Values) -> None:
    assert losses(layout, values) == pytest.approx(losses("contiguous", values), rel=1e-4)
