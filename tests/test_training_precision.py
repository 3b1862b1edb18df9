from math import isfinite
from pathlib import Path

import pytest
import torch
from made_data import prepare_digits
from made_plans import CNN, CPU, MLP, make_plan, start
from torch import nn

from hpsearch.training.precision import autocast


@pytest.mark.parametrize(("model", "values"), [("mlp", MLP), ("cnn", CNN)])
def test_a_bf16_training_has_finite_losses_of_its_own(
    tmp_path: Path, model: str, values: dict[str, int]
) -> None:
    training_set = prepare_digits(tmp_path)
    half, full = (
        list(start(make_plan(training_set, values, model=model, precision=precision)).epochs())
        for precision in ("bf16", "fp32")
    )
    assert all(isfinite(m.loss) and isfinite(m.val_loss or 0.0) for m in half)
    assert half[-1].loss < half[0].loss
    assert half[0].loss != full[0].loss, "bf16 rounds"
    assert half[0].loss == pytest.approx(full[0].loss, rel=0.05)


def test_bf16_keeps_weights_and_loss_in_32_bits(tmp_path: Path) -> None:
    training = start(make_plan(prepare_digits(tmp_path), CNN, model="cnn", precision="bf16"))
    next(training.epochs())
    assert {p.dtype for p in training.module.parameters()} == {torch.float32}
    with autocast("bf16", CPU):
        logits = nn.Linear(4, 3)(torch.ones(2, 4))
        loss = nn.functional.cross_entropy(logits, torch.tensor([0, 1]))
    assert logits.dtype == torch.bfloat16
    assert loss.dtype == torch.float32


def test_fp32_rounds_nothing() -> None:
    with autocast("fp32", CPU):
        assert nn.Linear(4, 3)(torch.ones(2, 4)).dtype == torch.float32
