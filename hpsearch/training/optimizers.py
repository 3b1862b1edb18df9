"""Optimisers and learning-rate schedules, all PyTorch's own.

A schedule is a factor on the learning rate at each step, counted from 0:

    constant       1
    inverse_time   1 / (1 + decay_rate * step / decay_steps)      (Keras' InverseTimeDecay)
    cosine         (1 + cos(pi * step / total_steps)) / 2         (Loshchilov & Hutter 2017)
    one_cycle      PyTorch's OneCycleLR: up over 30 % of the steps, down over the rest
"""

import math
from functools import partial

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from hpsearch.configuration import Adam, Configuration, Schedule


def build_optimizer(configuration: Configuration, module: nn.Module) -> torch.optim.Optimizer:
    """The configuration's optimiser over the module's parameters, in PyTorch's fused form."""
    settings, rate = configuration.optimizer, configuration.learning_rate
    if isinstance(settings, Adam):
        return torch.optim.Adam(
            module.parameters(), lr=rate, weight_decay=settings.weight_decay, fused=True
        )
    return torch.optim.SGD(
        module.parameters(),
        lr=rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def build_schedule(
    configuration: Configuration, optimizer: torch.optim.Optimizer, *, total_steps: int
) -> LRScheduler | None:
    """The schedule to step after every batch; None for a constant rate."""
    schedule = configuration.schedule
    if schedule.name == "constant":
        return None
    if schedule.name == "one_cycle":
        rate = configuration.learning_rate
        # momentum stays what the configuration says
        return OneCycleLR(optimizer, max_lr=rate, total_steps=total_steps, cycle_momentum=False)
    return LambdaLR(optimizer, partial(rate_factor, schedule=schedule, total_steps=total_steps))


def rate_factor(step: int, *, schedule: Schedule, total_steps: int) -> float:
    """The factor of inverse_time and cosine at a step."""
    if schedule.name == "inverse_time":
        assert schedule.decay_rate is not None
        assert schedule.decay_steps is not None
        return 1 / (1 + schedule.decay_rate * step / schedule.decay_steps)
    return (1 + math.cos(math.pi * min(step, total_steps) / total_steps)) / 2
