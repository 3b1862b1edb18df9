"""A network with what trains it, put together as a `records.Method` says."""

from dataclasses import dataclass

from torch import nn

from hpsearch.configuration import Configuration
from hpsearch.models.layout import lay_out
from hpsearch.records import Method
from hpsearch.training.captured import CapturedStep
from hpsearch.training.optimizers import Optimizer
from hpsearch.training.steps import AutogradStep, DenseStep, Step


@dataclass(frozen=True)
class Learner:
    """What an epoch works with."""

    module: nn.Sequential
    optimizer: Optimizer
    step: Step


def make_learner(module: nn.Sequential, configuration: Configuration, method: Method) -> Learner:
    """Lay a network out and give it an optimiser and a step; it shares the parameters."""
    module = lay_out(module, method.layout)
    optimizer = Optimizer(configuration.optimizer, module.parameters())
    if method.step == "written-out":
        return Learner(module, optimizer, DenseStep(module, optimizer))
    step = AutogradStep(module, optimizer, precision=method.precision)
    if method.step == "captured":
        device = next(module.parameters()).device
        return Learner(module, optimizer, CapturedStep(step, device=device))
    return Learner(module, optimizer, step)
