from collections.abc import Mapping
from math import cos, pi

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from hpsearch.configuration import resolve
from hpsearch.space import Scalar
from hpsearch.training.schedules import rate_factor

Values = Mapping[str, Scalar]
D4: Values = {"schedule": "inverse_time"}


def factors(values: Values, *, total_steps: int) -> list[float]:
    """The factor of each step."""
    schedule = resolve(values, model="mlp").schedule
    return [
        rate_factor(step, schedule=schedule, total_steps=total_steps) for step in range(total_steps)
    ]


def test_a_constant_rate_stays() -> None:
    assert factors({}, total_steps=3) == [1.0, 1.0, 1.0]


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
    schedule = resolve(D4, model="mlp").schedule
    assert rate_factor(step, schedule=schedule, total_steps=10) == pytest.approx(factor, rel=1e-12)


def test_inverse_time_decay_at_every_step() -> None:
    values = {**D4, "decay_steps": 2, "decay_rate": 0.5}
    assert factors(values, total_steps=4) == pytest.approx([1, 1 / 1.25, 1 / 1.5, 1 / 1.75])


def test_cosine_falls_from_the_whole_rate_to_nothing() -> None:
    used = factors({"schedule": "cosine"}, total_steps=4)
    assert used == pytest.approx([1, 0.853553390593, 0.5, 0.146446609407])
    schedule = resolve({"schedule": "cosine"}, model="mlp").schedule
    assert rate_factor(4, schedule=schedule, total_steps=4) == pytest.approx(0)


def test_one_cycle_rises_from_a_25th_and_falls_to_a_ten_thousandth_of_that() -> None:
    """Ten steps as PyTorch documents OneCycleLR: the top is at 0.3 * 10 - 1, the end at 10 - 1."""
    used = factors({"schedule": "one_cycle"}, total_steps=10)
    bottom = 1 / 25 / 1e4
    falling = [bottom + (1 - bottom) * (1 + cos(pi * step / 7)) / 2 for step in range(8)]
    assert used == pytest.approx([0.04, 0.52, *falling])


@pytest.mark.parametrize("total_steps", [2, 3, 4, 7, 10, 333, 1000])
def test_one_cycle_is_pytorchs(total_steps: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    reference = OneCycleLR(optimizer, max_lr=1.0, total_steps=total_steps, cycle_momentum=False)
    expected = []
    for _ in range(total_steps):
        expected.append(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()
    assert factors({"schedule": "one_cycle"}, total_steps=total_steps) == pytest.approx(expected)


@pytest.mark.parametrize("total_steps", [1, 2, 3, 4, 7])
def test_one_cycle_serves_the_shortest_trainings(total_steps: int) -> None:
    used = factors({"schedule": "one_cycle"}, total_steps=total_steps)
    assert all(0 < factor <= 1 for factor in used)
