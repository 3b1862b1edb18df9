"""Checkpoints of trainings under way: written whole or not at all, read without running code.

A file is the SHA-256 of what follows it, and that is `torch.save`'s archive: the archive's own
checksums cover its tensors, but not where it says that they are. The checkpoint before the newest
is kept, too: should the newest be damaged, less is to be trained again.
"""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any, Protocol

import torch

from hpsearch.home import atomic_path, checkpoint_files

_FORMAT = 3  # of what `Training.state` returns
_DIGEST_BYTES = 32


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
    archive = io.BytesIO()
    torch.save({"format": _FORMAT, "plan": plan, **training.state()}, archive)
    content = archive.getvalue()
    with atomic_path(newest) as temporary:
        temporary.write_bytes(hashlib.sha256(content).digest() + content)
        if _content(newest) is not None:  # a damaged one must not take the place of a good one
            newest.replace(before)


def load_checkpoint(path: Path, training: Resumable, *, plan: str, device: torch.device) -> bool:
    """Continue from the newest checkpoint of this plan that can be read; False if there is none."""
    return any(_load(file, training, plan=plan, device=device) for file in checkpoint_files(path))


def _load(path: Path, training: Resumable, *, plan: str, device: torch.device) -> bool:
    content = _content(path)
    if content is None:
        return False  # none, or damaged: the training starts over and gives the same numbers
    try:
        state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError):
        return False  # whole, but none of ours
    if not isinstance(state, dict):
        return False
    if (state.pop("format", None), state.pop("plan", None)) != (_FORMAT, plan):
        return False
    training.load_state(state)
    return True


def _content(path: Path) -> bytes | None:
    """The archive in a checkpoint; None if it is not there, or not as it was written."""
    try:
        file = path.read_bytes() if path.is_file() else b""  # a pipe or a device would never end
    except OSError:
        return None
    digest, content = file[:_DIGEST_BYTES], file[_DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None
