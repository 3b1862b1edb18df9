"""Own models for tests: code in a file beside a study file, as a user has them."""

from pathlib import Path
from textwrap import dedent
from typing import Any

from hpsearch.spec import StudySpec
from hpsearch.studyparser import parse_study

GOOD = """
    import torch
    from torch import nn

    def build(image_shape, num_classes, *, width=8, layers=1, units=(), dropout=0.0):
        channels, height, wide = image_shape
        parts = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        features = width * (height // 2) * (wide // 2)
        for count in units:
            parts += [nn.Linear(features, count), nn.ReLU(), nn.Dropout(dropout)]
            features = count
        return nn.Sequential(*parts, nn.Linear(features, num_classes))
"""
# as people write networks: a class, `view`, tied and frozen weights, a buffer
WRITTEN_OUT = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self, channels, side, num_classes, width):
            super().__init__()
            self.conv = nn.Conv2d(channels, width, 3, padding=1)
            self.norm = nn.BatchNorm2d(width)
            self.one = nn.Linear(width * side * side, 16)
            self.two = nn.Linear(16, 16)
            self.three = nn.Linear(16, 16)
            self.three.weight = self.two.weight
            self.scale = nn.Parameter(torch.ones(1), requires_grad=False)
            self.unused = nn.Linear(2, 2)
            self.out = nn.Linear(16, num_classes)
            self.drop = nn.Dropout(0.3)
            self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

        def forward(self, images):
            if self.training:
                self.steps += 1
            maps = self.norm(self.conv(images)).relu()
            values = self.one(maps.view(len(images), -1)).relu()
            values = self.drop(self.three(self.two(values).relu()).relu())
            return self.out(values) * self.scale

    def build(image_shape, num_classes, width=4):
        return Net(image_shape[0], image_shape[1], num_classes, width)
"""


def write_model(folder: Path, code: str = GOOD, *, name: str = "own_models") -> Path:
    """A module in a folder."""
    path = folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(code), encoding="utf-8")
    return path


def own_study(folder: Path, *, name: str = "small", **tables: Any) -> StudySpec:
    """A study of the module's `build` on the digits; `tables` replace or extend its own."""
    base: dict[str, Any] = {
        "dataset": "digits",
        "model": "own_models:build",
        "training": {"epochs": 2, "validation": 0.2, "subset": 300},
        "search": {"sampler": "random", "pruner": "none", "trials": 2},
        "space": {"width": {"low": 4, "high": 12}},
        "final": {"finalists": 1, "seeds": 1},
    }
    if "configurations" in tables:
        base = {key: base[key] for key in ("dataset", "model", "training")}
    for key, table in tables.items():
        base[key] = {**base[key], **table} if key in ("training", "search", "final") else table
    return parse_study(base, name=name, folder=folder)
