"""Which floating-point format a training computes in.

bf16 means autocast: weights, their updates and the loss stay in 32 bits.
"""

from contextlib import AbstractContextManager, nullcontext

import torch

from hpsearch.records import Precision


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context in which the forward pass runs."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
