import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpsearch.errors import DataError, UserError
from hpsearch.pictures import (
    Preparation,
    Unreadable,
    border_level,
    drawn_share,
    find_pictures,
    look_inverted,
    open_picture,
    prepare,
    read_pictures,
)

GREY = Preparation((1, 4, 4))
COLOUR = Preparation((3, 4, 4))


def plain(mode: str, colour: object, size: tuple[int, int] = (4, 4)) -> Image.Image:
    return Image.new(mode, size, colour)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("image", "level"),
    [
        (plain("L", 100), 100),
        (plain("1", 1), 255),
        (plain("RGB", (255, 0, 0)), 76),  # ITU-R 601: 0.299 of 255
        (plain("RGBA", (0, 0, 0, 0)), 255),  # transparent: on white
        (plain("RGBA", (0, 0, 0, 255)), 0),
        (plain("LA", (0, 0)), 255),
        (plain("CMYK", (0, 0, 0, 0)), 255),
        (Image.fromarray(np.full((4, 4), 257 * 100, np.uint16)), 100),
        (plain("L", 100, size=(31, 7)), 100),
    ],
    ids=lambda value: getattr(value, "mode", None),
)
def test_every_mode_becomes_grey(image: Image.Image, level: int) -> None:
    pixels = prepare(image, GREY)
    assert (pixels.shape, pixels.dtype) == ((1, 4, 4), np.uint8)
    assert (pixels == level).all()


def test_colours_are_channels_and_grey_is_three_equal_ones() -> None:
    assert prepare(plain("RGB", (10, 20, 30)), COLOUR)[:, 0, 0].tolist() == [10, 20, 30]
    assert prepare(plain("L", 7), COLOUR)[:, 3, 3].tolist() == [7, 7, 7]


def test_light_and_dark_change_places_only_if_asked() -> None:
    image = plain("L", 30)
    assert prepare(image, GREY).max() == 30
    assert prepare(image, Preparation((1, 4, 4), invert=True)).min() == 225


def test_an_image_of_the_networks_size_is_taken_as_it_is() -> None:
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4) * 16
    assert (prepare(Image.fromarray(pixels), GREY)[0] == pixels).all()


def test_a_drawing_is_cut_as_mnist_was_made() -> None:
    # a bar of 20 x 10 far from the middle: MNIST would have it 20 high, its mass in the middle
    drawing = np.full((90, 200), 240, np.uint8)
    drawing[10:30, 150:160] = 15
    drawing[60, 20] = 200  # paper is not even
    pixels = prepare(Image.fromarray(drawing), Preparation((1, 28, 28), invert=True, crop=20 / 28))[
        0
    ]
    rows, columns = np.nonzero(pixels > 128)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 23, 9, 18)
    assert pixels[0, 0] == 15


def test_a_drawing_that_fills_its_images_is_not_cut_off() -> None:
    # an L: its centre of mass is far from its middle
    drawing = np.zeros((60, 90), np.uint8)
    drawing[10:50, 30:35] = drawing[45:50, 30:60] = 255
    pixels = prepare(Image.fromarray(drawing), Preparation((1, 40, 40), crop=1.0))[0]
    rows, columns = np.nonzero(pixels)
    assert (rows.min(), rows.max()) == (0, 39)
    assert columns.max() - columns.min() == 29


def test_the_share_that_is_drawn_is_the_median_of_the_longer_sides() -> None:
    images = np.zeros((4, 1, 10, 10), np.uint8)
    images[0, 0, 2:7, 3:5] = 255  # 5 of 10
    images[1, 0, 1:3, 1:8] = 255  # 7
    images[2, 0, :, 4] = 255  # 10, without a change of the border's median
    assert drawn_share(images) == 0.7
    assert drawn_share(images[3:]) == 1


def test_what_has_no_drawing_on_it_is_not_cut() -> None:
    assert (prepare(plain("L", 9, size=(50, 20)), Preparation((1, 4, 4), crop=0.5)) == 9).all()


def test_pixels_without_a_scale_are_refused() -> None:
    with pytest.raises(DataError, match="save it with 8"):
        prepare(plain("F", 0.5), GREY)


def test_an_image_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    image = Image.new("L", (8, 2), 0)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert open_picture(str(tmp_path / "turned.jpg")).size == (2, 8)


def test_the_border_is_the_median_of_the_outermost_pixels() -> None:
    pixels = np.full((5, 5), 9, np.uint8)
    pixels[1:-1, 1:-1] = 200
    pixels[0, 0] = 255
    assert border_level(pixels) == (9,)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    (folder / "more").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("b.png", "a.jpg", "more/c.gif", ".hidden.png", ".git/d.png"):
        plain("L", 0).save(folder / name)
    return folder


def test_a_folder_stands_for_all_below_it_but_what_is_hidden(folder: Path) -> None:
    found = find_pictures([str(folder), str(folder / ".hidden.png")])
    names = ["a.jpg", "b.png", "more/c.gif", ".hidden.png"]
    assert found == [str(folder / name) for name in names]


@pytest.mark.parametrize("name", ["nowhere.png", "x" * 300, "empty"])
def test_what_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").touch()
    with pytest.raises(UserError, match=name):
        find_pictures([str(tmp_path / name)])


def test_stdin_is_one_image() -> None:
    assert find_pictures(["-"]) == ["-"]
    with pytest.raises(UserError, match="once"):
        find_pictures(["-", "-"])


def test_what_is_no_image_is_named_and_the_others_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "0.png").write_text("no image")
    (folder / "0.txt").write_text("no image, and not called one")
    (folder / "gone.png").symlink_to("nowhere")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, format="PNG")
    (folder / "cut.png").write_bytes(whole.getvalue()[:500])
    (folder / "none.png").touch()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(whole.getvalue())))
    read = dict(read_pictures([*find_pictures([str(folder)]), "-"], GREY))
    bad = {os.path.basename(n) for n, picture in read.items() if isinstance(picture, Unreadable)}
    assert bad == {"0.png", "cut.png", "gone.png", "none.png"}
    assert set(read) - {str(folder / name) for name in bad} == {
        *(str(folder / name) for name in ("a.jpg", "b.png", "more/c.gif")),
        "stdin",
    }


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain("L", 0, size=(40, 40)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    with pytest.raises(DataError, match="too many pixels"):
        open_picture(str(tmp_path / "bomb.png"))


@pytest.mark.parametrize(
    ("levels", "like", "inverted"),
    [
        ([250, 240, 255], [0, 0, 3], True),
        ([0, 250, 0], [0, 0, 3], False),
        ([5, 0, 0], [255, 250], True),
        ([250, 250], [255, 250], False),
        ([250, 5], [127, 127], False),  # photographs have no ground
    ],
)
def test_inverted_is_what_would_be_nearer_as_its_inverse(
    levels: list[float], like: list[float], inverted: bool
) -> None:
    assert look_inverted(levels, like) is inverted
