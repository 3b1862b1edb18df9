"""What networks answered on the test set: kept, so that no later question needs a second reading.

    save_predictions(home.predictions(study, reading), predictions)
    predictions = load_predictions(home.predictions(study, reading))

NumPy only: tables and pages are made from it without PyTorch.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from hpsearch.data.files import Images, Labels
from hpsearch.errors import DataError
from hpsearch.home import atomic_path

Logits = NDArray[np.float32]  # (N, classes)

_LOGITS = "logits-"  # and the seed


@dataclass(frozen=True)
class Predictions:
    """One reading of the test set: every seed's outputs, and the images that were not easy."""

    labels: Labels  # (N,), in the test set's order
    logits: dict[int, Logits]  # by seed
    wrong: NDArray[np.int64]  # (W,) indices of the images that any seed took for something else
    wrong_images: Images  # (W, C, H, W)


def missed(labels: Labels, logits: dict[int, Logits]) -> NDArray[np.int64]:
    """The indices of the images that any seed classified wrongly, ascending."""
    wrong = [outputs.argmax(1) != labels for outputs in logits.values()]
    return np.flatnonzero(np.any(wrong, axis=0))


def save_predictions(path: Path, predictions: Predictions) -> None:
    """Write a reading's outputs, whole or not at all."""
    tensors: dict[str, NDArray[Any]] = {
        "labels": predictions.labels,
        **{f"{_LOGITS}{seed}": outputs for seed, outputs in predictions.logits.items()},
        "wrong": predictions.wrong,
        "wrong-images": predictions.wrong_images,
    }
    # safetensors writes an array as it lies in memory, and calls it as it looks
    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors))


def load_predictions(path: Path) -> Predictions:
    """A reading's outputs; one that was kept by an older hpsearch has no images.

    Raises:
        DataError: the file is gone or damaged.
    """
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        # the error of a file that is gone has its path, but no number
        reason = "it is gone" if not path.exists() else str(error)
        raise DataError(f"{path} cannot be read: {reason}") from None
    if "labels" not in tensors:
        raise DataError(f"{path} cannot be read: there are no labels in it")
    labels = tensors["labels"]
    return Predictions(
        labels=labels,
        logits={
            int(name.removeprefix(_LOGITS)): tensors[name]
            for name in sorted(tensors)
            if name.startswith(_LOGITS)
        },
        wrong=tensors.get("wrong", np.zeros(0, np.int64)),
        wrong_images=tensors.get("wrong-images", np.zeros((0, 1, 1, 1), np.uint8)),
    )
