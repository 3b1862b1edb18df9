"""A small fixed set on scikit-learn's digits, whose networks take milliseconds."""

import copy
from typing import Any

from hpsearch.spec import StudySpec
from hpsearch.studyparser import parse_study

SET: dict[str, Any] = {
    "dataset": "digits",
    "training": {"epochs": 2, "validation": 0.2, "subset": 300, "learning_rate": 0.01},
    "fixed": {"seeds": 2, "weights": "last"},
    "shared": {"dense": {"units": 8}, "conv": {"filters": 4}},
    "configurations": {
        "small": {"model": "mlp", "published": {"test_accuracy": 0.9, "parameters": 610}},
        "wide / 16": {"model": "mlp", "dense.units": 16, "published": {"test_loss": 0.5}},
        "CNN": {"model": "cnn", "conv_layers": 1, "dense_layers": 0, "learning_rate": 0.02},
    },
}


def small_set(name: str = "set", **tables: Any) -> StudySpec:
    """The set; `tables` replace its own, or extend those of the protocol."""
    content = copy.deepcopy(SET)
    for key, table in tables.items():
        merged = {**content[key], **table} if key in ("training", "fixed") else table
        content[key] = merged
    return parse_study(content, name=name)
