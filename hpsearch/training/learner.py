"""A network with what trains it, put together as a `records.Method` says."""

from dataclasses import dataclass

from torch import nn

from hpsearch.configuration import Configuration
from hpsearch.models.layout import lay_out, lay_out_own
from hpsearch.ownmodel import OwnNetwork
from hpsearch.records import Method
from hpsearch.training.captured import CapturedStep
from hpsearch.training.optimizers import Optimizer
from hpsearch.training.steps import AutogradStep, DenseStep, Step, trainable


@dataclass(frozen=True)
class Learner:
    """What an epoch works with."""

    module: nn.Module
    optimizer: Optimizer
    step: Step


def make_learner(module: nn.Module, configuration: Configuration, method: Method) -> Learner:
    """Lay a network out and give it an optimiser and a step; it shares the parameters."""
    if isinstance(configuration.network, OwnNetwork):
        return _learner(lay_out_own(module, method.layout), configuration, method)
    assert isinstance(module, nn.Sequential)
    module = lay_out(module, method.layout)
    if method.step == "written-out":
        optimizer = Optimizer(configuration.optimizer, module.parameters())
        return Learner(module, optimizer, DenseStep(module, optimizer))
    return _learner(module, configuration, method)


def _learner(module: nn.Module, configuration: Configuration, method: Method) -> Learner:
    optimizer = Optimizer(configuration.optimizer, trainable(module))
    step = AutogradStep(module, optimizer, precision=method.precision)
    if method.step == "captured":
        device = next(module.parameters()).device
        return Learner(module, optimizer, CapturedStep(step, device=device))
    return Learner(module, optimizer, step)
