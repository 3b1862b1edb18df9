import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from made_plans import MLP, make_plan

from hpsearch.configuration import resolve
from hpsearch.data.training_set import TrainingSet
from hpsearch.studytables import EarlyStopping
from hpsearch.training.plan import Plan

NOWHERE = TrainingSet(
    images=Path("images.npy"),
    labels=Path("labels.npy"),
    train=Path("train.npy"),
    validation=Path("validation.npy"),
    fingerprint="0123456789abcdef",
    image_shape=(1, 8, 8),
    num_classes=10,
)
PLAN = make_plan(NOWHERE)


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, configuration=resolve({**MLP, "learning_rate": 0.002}, model="mlp")),
        replace(PLAN, configuration=resolve({**MLP, "batch_size": 33}, model="mlp")),
        replace(PLAN, training_set=replace(NOWHERE, fingerprint="fedcba9876543210")),
        replace(PLAN, seed=8),
        replace(PLAN, epochs=4),
        replace(PLAN, stop_after=2),
        replace(PLAN, objective="val_loss"),
        replace(PLAN, early_stopping=EarlyStopping()),
        replace(PLAN, early_stopping=EarlyStopping(patience=3)),
        replace(PLAN, precision="bf16"),
        replace(PLAN, train_on="train+validation"),
    ],
)
def test_whatever_changes_the_numbers_changes_the_fingerprint(other: Plan) -> None:
    assert other.fingerprint != PLAN.fingerprint


def test_the_place_of_the_files_does_not_change_the_fingerprint() -> None:
    moved = replace(NOWHERE, images=Path("elsewhere.npy"))
    assert replace(PLAN, training_set=moved).fingerprint == PLAN.fingerprint


def test_a_plan_reaches_a_worker_as_it_was() -> None:
    received = pickle.loads(pickle.dumps(PLAN))
    assert received == PLAN
    assert received.fingerprint == PLAN.fingerprint
