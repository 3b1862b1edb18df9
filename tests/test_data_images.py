"""One image brought to its shape, against hand-computed pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpsearch.data.images import Header, read_header, read_pixels
from hpsearch.errors import DataError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
GREY = (1, 2, 2)  # shapes: two rows of two pixels
COLOUR = (3, 2, 2)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_a_colour_image_keeps_its_pixels_channels_first(tmp_path: Path) -> None:
    rows = np.array([[RED, GREEN], [BLUE, (1, 2, 3)]], np.uint8)
    pixels = read_pixels(saved(tmp_path / "a.png", Image.fromarray(rows)), shape=COLOUR)
    assert pixels.tolist() == [[[255, 0], [0, 1]], [[0, 255], [0, 2]], [[0, 0], [255, 3]]]


def test_colour_becomes_its_luma_where_grey_is_wanted(tmp_path: Path) -> None:
    rows = np.array([[RED, GREEN], [BLUE, (255, 255, 255)]], np.uint8)
    pixels = read_pixels(saved(tmp_path / "a.png", Image.fromarray(rows)), shape=GREY)
    # ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B
    assert pixels.tolist() == [[[76, 150], [29, 255]]]


def test_grey_becomes_three_equal_channels_where_colour_is_wanted(tmp_path: Path) -> None:
    rows = np.array([[0, 100], [200, 255]], np.uint8)
    pixels = read_pixels(saved(tmp_path / "a.png", Image.fromarray(rows)), shape=COLOUR)
    assert pixels.tolist() == [rows.tolist()] * 3


def test_sixteen_bits_become_eight_and_white_stays_white(tmp_path: Path) -> None:
    rows = np.array([[0, 65535], [257 * 100, 257 * 7 + 1]], np.uint16)
    path = saved(tmp_path / "a.png", Image.fromarray(rows))
    assert read_pixels(path, shape=GREY).tolist() == [[[0, 255], [100, 7]]]
    assert read_header(path) == Header(2, 2, is_grey=True)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_laid_on_white(tmp_path: Path, mode: str) -> None:
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, :, 3] = 255  # the first row is black, the second transparent
    image = Image.fromarray(rgba).convert(mode)
    assert read_pixels(saved(tmp_path / "a.png", image), shape=GREY).tolist() == [
        [[0, 0], [255, 255]]
    ]


def test_a_photograph_is_turned_as_its_exif_data_say(tmp_path: Path) -> None:
    rows = np.zeros((16, 32, 3), np.uint8)
    rows[:, 16:] = 255  # white to the right
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    path = saved(tmp_path / "a.jpg", Image.fromarray(rows), exif=exif, quality=100)
    assert read_header(path) == Header(32, 16, is_grey=False)
    pixels = read_pixels(path, shape=(1, 32, 16))
    assert pixels[0, 2].mean() < 5, "dark above"
    assert pixels[0, -3].mean() > 250, "light below"


def test_an_image_is_scaled_whole_to_the_size(tmp_path: Path) -> None:
    rows = np.repeat(np.array([[0, 0, 0, 0, 200, 200, 200, 200]], np.uint8), 4, axis=0)
    path = saved(tmp_path / "a.png", Image.fromarray(rows))
    pixels = read_pixels(path, shape=(1, 2, 2))
    # bilinear over a source of four times the width: a quarter of the triangle reaches over
    assert pixels.shape == (1, 2, 2)
    assert pixels[0, :, 0].max() < 40
    assert pixels[0, :, 1].min() > 160


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_any_format_of_pillow_is_read(tmp_path: Path, format_: str) -> None:
    image = Image.new("RGB", (8, 8), (200, 100, 50))
    path = tmp_path / "image"  # whatever its name
    image.save(path, format=format_)
    pixels = read_pixels(path, shape=(3, 8, 8))
    assert np.abs(pixels.mean((1, 2)) - (200, 100, 50)).max() < 4
    assert read_header(path)[:2] == (8, 8)


def test_a_header_is_read_of_an_image_whose_pixels_are_gone(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.fromarray(np.zeros((50, 60, 3), np.uint8)))
    path.write_bytes(path.read_bytes()[:60])
    assert read_header(path) == Header(50, 60, is_grey=False)
    with pytest.raises(DataError, match=r"a\.png: cannot be read"):
        read_pixels(path, shape=(3, 50, 60))


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd\x1bname.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"odd name\.png: (not an image|cannot be read)") as refusal:
        read_header(path)
    assert str(refusal.value).isprintable()


def test_pixels_of_32_bits_are_refused_for_their_range_is_unknown(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", Image.fromarray(np.zeros((2, 2), np.float32)))
    with pytest.raises(DataError, match="32 bits; save it with 8 or 16"):
        read_pixels(path, shape=GREY)
