from pathlib import Path

import numpy as np
from PIL import Image

from hpsearch.catalogue import DATASETS
from hpsearch.data.picture import save_class_grid, save_samples

INFO = DATASETS["fashion-mnist"]


def sheet_of(path: Path, levels: list[int], *, columns: int = 5) -> Image.Image:
    """The contact sheet of images of one grey level each."""
    images = np.array(levels, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(28, 2).repeat(28, 3)
    labels = np.arange(len(levels)) % 10
    save_samples(path, images, labels, info=INFO, columns=columns)
    return opened(path)


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def test_the_sheet_is_a_grey_png_of_columns_by_columns_pictures(tmp_path: Path) -> None:
    five, two = (sheet_of(tmp_path / f"{n}.png", [0] * 30, columns=n) for n in (5, 2))
    assert (five.format, five.mode) == ("PNG", "L")
    assert five.width / 5 == two.width / 2
    assert five.height / 5 == two.height / 2


def test_the_images_stand_in_reading_order(tmp_path: Path) -> None:
    levels = [10, 20, 30, 40, 50]  # the fifth is one too many
    sheet = np.asarray(sheet_of(tmp_path / "sheet.png", levels, columns=2))
    height, width = sheet.shape[0] // 2, sheet.shape[1] // 2
    middles = [int(sheet[y * height + 50, x * width + 50]) for y in (0, 1) for x in (0, 1)]
    assert middles == [10, 20, 30, 40]


def test_places_without_an_image_stay_white(tmp_path: Path) -> None:
    sheet = np.asarray(sheet_of(tmp_path / "sheet.png", [0], columns=2))
    assert (sheet[sheet.shape[0] // 2 :] == 255).all()
    assert (sheet[:, sheet.shape[1] // 2 :] == 255).all()


def test_another_class_has_another_caption_under_the_same_image(tmp_path: Path) -> None:
    image = np.zeros((1, 1, 28, 28), dtype=np.uint8)
    for label in (0, 1):
        save_samples(tmp_path / f"{label}.png", image, np.array([label]), info=INFO, columns=1)
    trousers, shirt = (np.asarray(opened(tmp_path / f"{label}.png")) for label in (1, 0))
    differing = np.flatnonzero((trousers != shirt).any(axis=1))
    assert differing.min() > 100, "only the caption, below the image, differs"


def test_the_folder_is_made_and_nothing_else_is_left_in_it(tmp_path: Path) -> None:
    sheet_of(tmp_path / "new" / "sheet.png", [0])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["sheet.png"]


def test_the_grid_has_a_row_a_class_with_its_first_images_in_order(tmp_path: Path) -> None:
    levels = np.array([10, 20, 30, 40, 50, 60], dtype=np.uint8)
    images = levels.reshape(-1, 1, 1, 1).repeat(28, 2).repeat(28, 3)
    labels = np.array([1, 0, 1, 0, 1, 1])
    save_class_grid(tmp_path / "grid.png", images, labels, info=INFO, columns=3)
    grid = np.asarray(opened(tmp_path / "grid.png"))
    cell = grid.shape[0] // 10
    left = grid.shape[1] - 3 * cell
    middles = [[int(grid[y * cell + 9, left + x * cell + 9]) for x in range(3)] for y in range(3)]
    assert middles == [[20, 40, 255], [10, 30, 50], [255, 255, 255]]


def test_every_row_of_the_grid_begins_with_its_own_name(tmp_path: Path) -> None:
    none = np.zeros((0, 1, 28, 28), dtype=np.uint8)
    save_class_grid(tmp_path / "grid.png", none, np.zeros(0, dtype=np.int64), info=INFO, columns=0)
    grid = np.asarray(opened(tmp_path / "grid.png"))
    rows = np.split(grid, 10)
    assert len({row.tobytes() for row in rows}) == 10
    widest = max(range(10), key=lambda label: len(INFO.class_names[label]))
    assert (rows[widest][:, -4:] == 255).all(), "the longest name has a margin, too"
    assert all((row < 128).any() for row in rows)
