"""Folders that are not as they should be: one line that names what is wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_images import colours, described, write_folder
from PIL import Image

from hpsearch.errors import DataError


def refusal_of(path: Path, **settings: object) -> str:
    with pytest.raises(DataError) as refusal:
        described(f"folder:{path}", **settings)
    text = str(refusal.value)
    assert text.isprintable(), "one line"
    return text


def renamed(path: Path, old: str, new: str) -> None:
    (path / old).rename(path / new)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda p: write_folder(p, {"a": 4}), "has one class only, 'a'; a folder for each of two"),
        (lambda p: p.mkdir(), "has no folder in it; a folder for each of two classes or more"),
        (lambda p: p.write_text(""), "is not a folder"),
        (lambda p: None, "there is no "),
        (
            lambda p: (write_folder(p, {"a": 4, "b": 4}), (p / "c").mkdir()),
            "data/c has no image",
        ),
        (
            lambda p: (write_folder(p, {"a": 4, "b": 4}), (p / "b" / "c").mkdir()),
            "data/b/c is a folder within a class",
        ),
        (
            lambda p: (write_folder(p, {"a": 4, "b": 4}), (p / "a" / "x.doc").write_text("x")),
            "data/a/x.doc: not an image of a format that Pillow reads; mend it or take it away",
        ),
        (
            lambda p: (write_folder(p, {"a": 4, "b": 4}), (p / "x.png").write_text("x")),
            "data/x.png is in no class; every class is a folder",
        ),
        (
            lambda p: write_folder(p, {"Cat": 4, "b": 4, "cat": 4}),
            "the classes 'Cat' and 'cat' differ in case only",
        ),
        (
            lambda p: write_folder(p, {"u\u0308": 4, "\u00fc": 4}),
            "differ in case only",
        ),
        (
            lambda p: (write_folder(p, {"a": 4, "b": 4}), renamed(p, "a", "\x1b[2J")),
            r"the class name '\x1b[2J' cannot be printed",
        ),
        (lambda p: write_folder(p, {"a": 4, "b": 2}), "class 'b' of "),
        (
            lambda p: write_folder(p, {"a": 4, "b": 2}),
            "has too few images, 2; 3 are needed to train",
        ),
        (
            lambda p: (
                write_folder(p, {"a": 4, "b": 4}),
                Image.fromarray(colours(1, size=(9, 9))[0]).save(p / "b" / "z.png"),
            ),
            "a/0000.png is 6 x 5, ",
        ),
        (
            lambda p: write_folder(p / "test", {"a": 4, "b": 4}),
            "has a folder test of classes, but no folder train",
        ),
        (
            lambda p: (
                write_folder(p / "train", {"a": 4, "b": 4}),
                write_folder(p / "test", {"a": 4, "b": 4}),
                write_folder(p / "val", {"a": 4, "b": 4}),
            ),
            "data/val is neither train nor test; validation images are held out of train",
        ),
        (
            lambda p: (
                write_folder(p / "train", {"a": 4, "b": 4}),
                write_folder(p / "test", {"a": 4, "c": 4}),
            ),
            "class 'b' is in train, but not in test",
        ),
    ],
)
def test_another_folder_is_refused(
    tmp_path: Path, change: Callable[[Path], object], expected: str
) -> None:
    path = tmp_path / "data"
    change(path)
    assert expected in refusal_of(path)


def test_images_of_different_sizes_need_one_to_be_brought_to(tmp_path: Path) -> None:
    path = write_folder(tmp_path, {"a": 4, "b": 4})
    Image.fromarray(colours(1, size=(9, 7))[0]).save(path / "b" / "z.png")
    text = refusal_of(path)
    assert "b/z.png is 9 x 7; choose one with [data] size" in text
    assert described(f"folder:{path}", size=12).image_shape == (3, 12, 12)


def test_what_is_hidden_or_commonly_lies_beside_images_is_passed_over(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "data", {"a": 4, "b": 4})
    for name in ("README.md", ".DS_Store", "labels.csv"):
        (path / name).write_text("x")
    for name in ("Thumbs.db", "desktop.ini", ".hidden.png", "note.TXT"):
        (path / "a" / name).write_text("x")
    (path / ".cache").mkdir()
    info = described(f"folder:{path}")
    assert (info.class_names, info.num_train + info.num_test) == (("a", "b"), 8)


def test_a_link_to_an_image_is_an_image(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "data", {"a": 4, "b": 3})
    Image.fromarray(np.zeros((6, 5, 3), np.uint8)).save(tmp_path / "elsewhere.png")
    (path / "b" / "link.png").symlink_to(tmp_path / "elsewhere.png")
    info = described(f"folder:{path}")
    assert info.num_train + info.num_test == 8
