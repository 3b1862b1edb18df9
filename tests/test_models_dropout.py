import copy

import pytest
import torch
from torch import nn

from hpsearch.models.dropout import Dropout, seed_dropout


def dropped(p: float, *, size: int = 200_000, seed: int = 1) -> torch.Tensor:
    layer = Dropout(p)
    layer.seed(seed)
    return layer(torch.ones(size))


@pytest.mark.parametrize("p", [0.001, 0.1, 0.2, 0.5, 0.9, 0.999])
def test_values_are_dropped_at_the_rate_and_the_mean_stays(p: float) -> None:
    values = dropped(p)
    share = (values == 0).double().mean().item()
    spread = (p * (1 - p) / len(values)) ** 0.5
    assert abs(share - p) < 4 * spread + 2**-17
    # what is kept is scaled by 1 / (1 - p), p to a 65,536th
    assert values.max().item() == pytest.approx(1 / (1 - p), abs=2**-17 / (1 - p) ** 2)
    assert values.double().mean().item() == pytest.approx(1, abs=4 * spread / (1 - p) + 1e-6)
    assert len(values.unique()) == 2


def test_a_rate_too_small_for_16_bits_drops_nothing() -> None:
    assert torch.equal(dropped(1e-6), torch.ones(200_000))


def test_a_rate_next_to_one_keeps_a_few_with_the_right_scale() -> None:
    values = dropped(1 - 1e-9, size=2_000_000)
    kept = values[values > 0]
    assert 0 < len(kept) < 100
    assert kept.unique().tolist() == [2.0**16]


def test_neighbouring_values_are_dropped_independently() -> None:
    zero = (dropped(0.5) == 0).double()
    for distance in (1, 2, 3, 4, 8):
        agreement = (zero[distance:] == zero[:-distance]).double().mean().item()
        assert agreement == pytest.approx(0.5, abs=0.006)  # 5 standard deviations


def test_the_same_seed_gives_the_same_zeros_and_another_gives_others() -> None:
    assert torch.equal(dropped(0.3, seed=1), dropped(0.3, seed=1))
    assert not torch.equal(dropped(0.3, seed=1), dropped(0.3, seed=2))


def test_every_pass_and_every_layer_drops_others() -> None:
    module = nn.Sequential(Dropout(0.5), nn.Sequential(Dropout(0.5)))
    seed_dropout(module, 7)
    first, second = (layer(torch.ones(1000)) for layer in (module[0], module[1][0]))
    again = module[0](torch.ones(1000))
    assert not torch.equal(first, second)
    assert not torch.equal(first, again)
    seed_dropout(module, 7)
    assert torch.equal(module[0](torch.ones(1000)), first)


def test_a_copy_does_not_use_up_the_originals_numbers() -> None:
    layer = Dropout(0.5)
    layer.seed(1)
    copy.deepcopy(layer)(torch.ones(64))
    assert torch.equal(layer(torch.ones(64)), dropped(0.5, size=64))


def test_the_gradient_passes_where_the_value_does() -> None:
    values = torch.ones(1000, requires_grad=True)
    out = Dropout(0.4)(values)
    out.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, out.detach())


def test_evaluation_changes_nothing() -> None:
    values = torch.rand(10)
    assert torch.equal(Dropout(0.5).eval()(values), values)


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 3, 7), (64, 784)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_shape_and_type_stay(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    out = Dropout(0.5)(torch.ones(shape, dtype=dtype))
    assert (out.shape, out.dtype) == (shape, dtype)
