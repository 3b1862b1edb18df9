"""Checkpoints of trainings under way: written whole or not at all, read without running code.

The one before the newest is kept, too: should the newest be damaged, less is to be trained again.
"""

import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any, Protocol

import torch

from hpsearch.home import atomic_path, checkpoint_files

_FORMAT = 2  # of what `Training.state` returns


class Resumable(Protocol):
    """What has a state, as `epochs.Training` has."""

    def state(self) -> dict[str, Any]: ...

    def load_state(self, state: dict[str, Any]) -> None: ...


def save_checkpoint(path: Path, training: Resumable, *, plan: str) -> None:
    """Write a training's state; `plan` is its plan's fingerprint.

    Raises:
        OSError: it cannot be written; the checkpoints that were there are.
    """
    newest, before = checkpoint_files(path)
    state = io.BytesIO()  # where the disk is full, torch.save would raise what others raise, too
    torch.save({"format": _FORMAT, "plan": plan, **training.state()}, state)
    with atomic_path(newest) as temporary:
        temporary.write_bytes(state.getbuffer())
        if _is_whole(newest):  # a damaged one must not take the place of a good one
            newest.replace(before)


def load_checkpoint(path: Path, training: Resumable, *, plan: str, device: torch.device) -> bool:
    """Continue from the newest checkpoint of this plan that can be read; False if there is none."""
    return any(_load(file, training, plan=plan, device=device) for file in checkpoint_files(path))


def _load(path: Path, training: Resumable, *, plan: str, device: torch.device) -> bool:
    if not _is_whole(path):
        return False  # none, or damaged: the training starts over and gives the same numbers
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError):
        return False  # an archive, but none of ours
    if not isinstance(state, dict):
        return False
    if (state.pop("format", None), state.pop("plan", None)) != (_FORMAT, plan):
        return False
    training.load_state(state)
    return True


def _is_whole(path: Path) -> bool:
    """Whether every part of the archive has its checksum, which torch.load does not look at."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, zlib.error):
        return False
