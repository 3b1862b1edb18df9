from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hpsearch.errors import DataError
from hpsearch.predictions import Predictions, load_predictions, missed, save_predictions

LABELS = np.array([0, 1, 1, 0])
LOGITS = {
    0: np.array([[1, 0], [0, 1], [1, 0], [1, 0]], np.float32),  # image 2 is wrong
    1: np.array([[0, 1], [0, 1], [0, 1], [1, 0]], np.float32),  # image 0 is wrong
}


def test_an_image_is_missed_if_any_seed_takes_it_for_something_else() -> None:
    assert missed(LABELS, LOGITS).tolist() == [0, 2]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    images = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    path = tmp_path / "new" / "reading.safetensors"
    save_predictions(path, Predictions(LABELS, LOGITS, np.array([0, 2]), images))
    loaded = load_predictions(path)
    assert (loaded.labels == LABELS).all()
    assert sorted(loaded.logits) == [0, 1]
    assert all((loaded.logits[seed] == LOGITS[seed]).all() for seed in LOGITS)
    assert loaded.wrong.tolist() == [0, 2]
    assert (loaded.wrong_images == images).all()


def test_images_that_lie_otherwise_in_memory_are_kept_as_they_look(tmp_path: Path) -> None:
    channels_last = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    images = np.moveaxis(channels_last, -1, 1)
    path = tmp_path / "reading.safetensors"
    save_predictions(path, Predictions(LABELS, LOGITS, np.array([0, 2]), images))
    assert (load_predictions(path).wrong_images == images).all()


def test_outputs_kept_by_an_older_version_have_no_images(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    save_file({"labels": LABELS, "logits-0": LOGITS[0]}, path)
    loaded = load_predictions(path)
    assert len(loaded.wrong) == len(loaded.wrong_images) == 0


@pytest.mark.parametrize("content", [None, b"", b"not a safetensors file"])
def test_outputs_that_cannot_be_read_are_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "damaged.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged\.safetensors cannot be read"):
        load_predictions(path)
