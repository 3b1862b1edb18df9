from collections.abc import Mapping
from math import cos, pi

import pytest
import torch
from torch import nn

from hpsearch.configuration import Schedule, resolve
from hpsearch.space import Scalar
from hpsearch.training.optimizers import build_optimizer, build_schedule, rate_factor

Values = Mapping[str, Scalar]


class Weight(nn.Module):
    """One weight, at 1."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(1))


def minimize_half_square(values: Values, *, steps: int) -> list[float]:
    """The weight after each step down w^2 / 2, whose gradient is w."""
    module = Weight()
    optimizer = build_optimizer(resolve(values, model="mlp"), module)
    weights = []
    for _ in range(steps):
        optimizer.zero_grad()
        (module.w**2 / 2).sum().backward()
        optimizer.step()
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


def rates(values: Values, *, total_steps: int) -> list[float]:
    """The learning rate of each step."""
    configuration = resolve(values, model="mlp")
    optimizer = build_optimizer(configuration, Weight())
    schedule = build_schedule(configuration, optimizer, total_steps=total_steps)
    used = []
    for _ in range(total_steps):
        used.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if schedule:
            schedule.step()
    return used


def test_a_constant_rate_has_no_schedule() -> None:
    assert rates({"learning_rate": 0.01}, total_steps=3) == [0.01, 0.01, 0.01]
    configuration = resolve({}, model="mlp")
    assert (
        build_schedule(configuration, build_optimizer(configuration, Weight()), total_steps=1)
        is None
    )


@pytest.mark.parametrize(
    ("step", "factor"),
    [
        (0, 1),
        (1, 0.99999937254941),  # 1,593,750 / 1,593,751
        (159_375, 1 / 1.1),  # a hundred epochs of 51,000 images in batches of 32
        (1_593_750, 0.5),
        (3 * 1_593_750, 0.25),
    ],
)
def test_inverse_time_decay_with_d4s_constants(step: int, factor: float) -> None:
    schedule = resolve({"schedule": "inverse_time"}, model="mlp").schedule
    assert rate_factor(step, schedule=schedule, total_steps=10) == pytest.approx(factor, rel=1e-12)


def test_inverse_time_decay_at_every_step() -> None:
    values = {"learning_rate": 0.1, "schedule": "inverse_time", "decay_steps": 2, "decay_rate": 0.5}
    expected = [0.1, 0.1 / 1.25, 0.1 / 1.5, 0.1 / 1.75]
    assert rates(values, total_steps=4) == pytest.approx(expected)


def test_cosine_falls_from_the_whole_rate_to_nothing() -> None:
    used = rates({"learning_rate": 0.1, "schedule": "cosine"}, total_steps=4)
    assert used == pytest.approx([0.1, 0.0853553390593, 0.05, 0.0146446609407])
    assert rate_factor(4, schedule=Schedule(name="cosine"), total_steps=4) == pytest.approx(0)


def test_one_cycle_rises_from_a_25th_and_falls_to_a_ten_thousandth_of_that() -> None:
    """Ten steps as PyTorch documents OneCycleLR: the top is at 0.3 * 10 - 1, the end at 10 - 1."""
    used = rates({"learning_rate": 0.1, "schedule": "one_cycle"}, total_steps=10)
    bottom = 0.1 / 25 / 1e4
    falling = [bottom + (0.1 - bottom) * (1 + cos(pi * step / 7)) / 2 for step in range(8)]
    assert used == pytest.approx([0.004, 0.052, *falling])


@pytest.mark.parametrize("total_steps", [1, 2, 3, 4, 7])
def test_one_cycle_serves_the_shortest_trainings(total_steps: int) -> None:
    used = rates({"learning_rate": 0.1, "schedule": "one_cycle"}, total_steps=total_steps)
    assert all(0 < rate <= 0.1 for rate in used)


def test_one_cycle_leaves_the_momentum_alone() -> None:
    configuration = resolve({**SGD, "momentum": 0.8, "schedule": "one_cycle"}, model="mlp")
    optimizer = build_optimizer(configuration, Weight())
    schedule = build_schedule(configuration, optimizer, total_steps=4)
    assert schedule is not None
    for _ in range(3):
        optimizer.step()
        schedule.step()
        assert optimizer.param_groups[0]["momentum"] == 0.8
