"""Archives and IDX files that are not as they should be: one line each, before a pixel is read."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_images import colours, described, write_idx, write_npz

from hpsearch.data import parts
from hpsearch.data.files import read_train
from hpsearch.errors import DataError

IMAGES, LABELS = colours(20), np.arange(20) % 2


def refusal_of(name: str) -> str:
    with pytest.raises(DataError) as refusal:
        described(name)
    text = str(refusal.value)
    assert text.isprintable(), "one line"
    return text


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"x_train": None}, "has y_train, but no x_train"),
        ({"y_train": None}, "has x_train, but no y_train"),
        ({"x_test": IMAGES}, "has x_test, but no y_test"),
        ({"x_train": None, "y_train": None, "images": IMAGES}, "has no x_train; it has images"),
        ({"x_train": IMAGES / 255}, "has numbers of type float64; whole numbers of 8 bits"),
        ({"x_train": IMAGES.astype(np.int64)}, "has numbers of type int64"),
        ({"x_train": np.array([object()] * 20)}, "has Python objects"),
        ({"x_train": IMAGES[:, :, 0, 0]}, "has shape (20, 6); (images, height, width) is wanted"),
        ({"x_train": np.moveaxis(IMAGES, -1, 1)}, "has shape (20, 3, 6, 5); (images, height"),
        ({"x_train": IMAGES[:, :0]}, "has shape (20, 0, 5, 3)"),
        ({"x_train": np.asfortranarray(IMAGES)}, "in Fortran's order; save np.ascontiguousarray"),
        ({"y_train": LABELS / 1}, "y_train of "),
        ({"y_train": LABELS / 1}, "has numbers of type float64; labels are whole numbers from 0"),
        ({"y_train": LABELS.astype(str)}, "has numbers of type <U21; labels are whole numbers"),
        ({"y_train": np.array([None] * 20)}, "has Python objects; labels are whole numbers from 0"),
        (
            {"y_train": LABELS[:19]},
            "has shape (19,); one label for each of the 20 images",
        ),
        ({"y_train": np.eye(2)[LABELS].astype(int)}, "has shape (20, 2); one label for each"),
        ({"y_train": LABELS - 1}, "has the label -1; labels are whole numbers from 0"),
        ({"y_train": LABELS + 1}, "no training image of label 0, but of 2; labels are 0 to 1"),
        ({"y_train": LABELS * 7}, "no training image of label 1, but of 7; labels are 0 to 1"),
        ({"y_train": LABELS * 10**12}, "no training image of label 1, but of 1000000000000"),
        ({"y_train": LABELS * 0}, "has one class only; two or more are wanted"),
        ({"class_names": np.array(["a", "b", "c"])}, "no training image of label 2, but of 1"),
        ({"class_names": np.array(["a"])}, "of label 1; labels are 0 to 0"),
        ({"class_names": np.array(["a", "a"])}, "has a name twice"),
        ({"class_names": np.array(["a", "\x1b[2J"])}, "cannot be printed"),
        ({"class_names": np.array([1, 2])}, "is not a list of texts, but numbers of type int64"),
        ({"class_names": np.array(["a", None])}, "is not a list of texts, but Python objects"),
        ({"x_test": IMAGES, "y_test": LABELS + 1}, "a test image of label 2; labels are 0 to 1"),
        ({"x_test": IMAGES[:, 1:], "y_test": LABELS}, "test images are (5, 5, 3)"),
        ({"y_train": np.array([0] * 18 + [1] * 2)}, "class '1' of "),
        (
            {"y_train": np.array([0] * 18 + [1] * 2)},
            "has too few images, 2; 3 are needed to train, to",
        ),
    ],
)
def test_an_archive_with_other_arrays_is_refused(
    tmp_path: Path, arrays: dict[str, object], expected: str
) -> None:
    assert expected in refusal_of(f"npz:{write_npz(tmp_path / 'a.npz', **arrays)}")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x05\x06" + bytes(18), b"pickle"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    assert "a.npz" in refusal_of(f"npz:{path}")


def test_an_archive_whose_arrays_are_none_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x_train.npy", "no array")
        archive.writestr("y_train.npy", "no array")
    assert "is damaged" in refusal_of(f"npz:{tmp_path / 'a.npz'}")


def test_damage_among_the_pixels_is_found_when_they_are_read(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz")
    info = described(f"npz:{path}")
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz is damaged: Bad CRC-32"):
        read_train(info, data_dir=tmp_path)


@pytest.mark.parametrize("step", [1, 7, 10**9])
def test_chunks_of_any_size_give_the_same_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    info = described(f"npz:{write_npz(tmp_path / 'a.npz')}")
    images, _ = read_train(info, data_dir=tmp_path)
    monkeypatch.setattr(parts, "CHUNK_BYTES", step * images[0].nbytes)
    again, _ = read_train(info, data_dir=tmp_path)
    assert np.array_equal(again, images)
    assert len(again) == 16


PIXELS, CLASSES = IMAGES[..., 0], LABELS.astype(np.uint8)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({}, "has no train-images-idx3-ubyte and train-labels-idx1-ubyte"),
        ({"train_images": PIXELS}, "has train-images-idx3-ubyte, but not its other half"),
        (
            {"train_images": PIXELS, "train_labels": CLASSES, "t10k_labels": CLASSES},
            "has t10k-labels-idx1-ubyte, but not its other half",
        ),
        ({"train_images": PIXELS, "train_labels": CLASSES[:9]}, "has 20 images, and"),
        ({"train_images": PIXELS, "train_labels": CLASSES * 0}, "has one class only"),
    ],
)
def test_a_folder_with_other_idx_files_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], expected: str
) -> None:
    assert expected in refusal_of(f"idx:{write_idx(tmp_path / 'idx', **arrays)}")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda content: content[:-1], "bytes, not 616 as its header says"),
        (lambda content: content[:3], "is not an IDX file of images in 8 bits"),
        (lambda content: b"\0\0\x0d" + content[3:], "is not an IDX file of images in 8 bits"),
    ],
)
def test_damaged_idx_files_are_refused(tmp_path: Path, change, expected: str) -> None:
    folder = write_idx(tmp_path / "idx", train_images=PIXELS, train_labels=CLASSES)
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(change(path.read_bytes()))
    assert expected in refusal_of(f"idx:{folder}")


def test_packed_idx_files_are_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"")
    assert "unpack the .gz files" in refusal_of(f"idx:{tmp_path}")
