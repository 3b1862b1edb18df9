"""Checkpoints of trainings under way: written whole or not at all, read without running code."""

import pickle
from pathlib import Path
from typing import Any, Protocol

import torch

from hpsearch.home import atomic_path


class Resumable(Protocol):
    """What has a state, as `epochs.Training` has."""

    def state(self) -> dict[str, Any]: ...

    def load_state(self, state: dict[str, Any]) -> None: ...


def save_checkpoint(path: Path, training: Resumable, *, plan: str) -> None:
    """Write a training's state; `plan` is its plan's fingerprint."""
    with atomic_path(path) as temporary:
        torch.save({"plan": plan, **training.state()}, temporary)


def load_checkpoint(path: Path, training: Resumable, *, plan: str, device: torch.device) -> bool:
    """Continue from a checkpoint; False if there is none of this plan that can be read."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (FileNotFoundError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError):
        return False  # none, or damaged: the training starts over and gives the same numbers
    if state.pop("plan", None) != plan:
        return False
    training.load_state(state)
    return True
