"""Learning-rate schedules: a factor on the rate as a function of the step alone.

constant       1
inverse_time   1 / (1 + decay_rate * step / decay_steps)      (Keras' InverseTimeDecay)
cosine         (1 + cos(pi * step / total_steps)) / 2         (Loshchilov & Hutter 2017)
one_cycle      up over 30 % of the steps, down over the rest  (Smith & Topin 2017, and the
               constants and the arithmetic of PyTorch's OneCycleLR)
"""

import math

from hpsearch.configuration import Schedule

_ONE_CYCLE_START = 1 / 25
_ONE_CYCLE_END = _ONE_CYCLE_START / 1e4
_ONE_CYCLE_RISE = 0.3  # of the steps


def rate_factor(step: int, *, schedule: Schedule, total_steps: int) -> float:
    """The factor at a step, counted from 0 to `total_steps` - 1."""
    match schedule.name:
        case "constant":
            return 1.0
        case "inverse_time":
            assert schedule.decay_rate is not None
            assert schedule.decay_steps is not None
            return 1 / (1 + schedule.decay_rate * step / schedule.decay_steps)
        case "cosine":
            return _anneal(1.0, 0.0, step / total_steps)
        case "one_cycle":
            top = _ONE_CYCLE_RISE * total_steps - 1
            if step <= top:
                return _anneal(_ONE_CYCLE_START, 1.0, step / top)
            return _anneal(1.0, _ONE_CYCLE_END, (step - top) / (total_steps - 1 - top))


def _anneal(start: float, end: float, share: float) -> float:
    """Half a cosine's wave from `start` to `end`."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
