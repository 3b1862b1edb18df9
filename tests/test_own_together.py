"""A model and images of one's own: searched, tested, shown, and what is found used elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import CommandLine
from made_models import GOOD, write_model
from PIL import Image

from hpsearch import onnxfile

STUDY = """
dataset = "folder:shapes"
model = "own_models:build"
objective = "val_balanced_accuracy"

[training]
epochs = 8
validation = 0.25
batch_size = 16
learning_rate = 0.01

[augmentation]
shift = 1

[search]
trials = 2
sampler = "random"

[space]
width = [4, 6]

[final]
finalists = 1
seeds = 2
"""


def drawing(shape: str, *, seed: int, size: tuple[int, int] = (12, 12)) -> Image.Image:
    """A bright bar, upright or lying, in a colour and at a place of its own, on dark noise."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 60, (12, 12, 3), dtype=np.uint8)
    place = generator.integers(1, 10)
    bar = (slice(1, 11), slice(place, place + 2))
    pixels[bar if shape == "upright" else bar[::-1]] = generator.integers(150, 256, 3)
    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)


@pytest.fixture
def searched(tmp_path: Path, hpsearch: CommandLine) -> CommandLine:
    for shape in ("lying", "upright"):
        (tmp_path / "shapes" / shape).mkdir(parents=True)
        for number in range(60):
            path = tmp_path / "shapes" / shape / f"{number}.png"
            drawing(shape, seed=number).save(path)
    write_model(tmp_path)
    (tmp_path / "mine.toml").write_text(STUDY)
    answer = hpsearch("run", "--study", "./mine.toml", "--workers", "0")
    assert answer.status == 0, answer.err
    return hpsearch


def test_all_that_a_study_of_ours_has_one_of_the_users_has(
    searched: CommandLine, tmp_path: Path
) -> None:
    tested = json.loads(searched("test", "--study", "mine", "--json").out)
    accuracies = [one["balanced_accuracy"] for one in tested["evaluations"]]
    assert min(accuracies) > 0.8, "a bar is upright or not"

    new = tmp_path / "new"
    new.mkdir()
    for shape in ("lying", "upright"):  # of another size, never seen
        drawing(shape, seed=1_000, size=(60, 60)).save(new / f"{shape}.jpg")
    (new / "broken.png").write_text("not an image")
    answer = searched("predict", "--study", "mine", "--json", str(new))
    assert answer.status == 1, "one of them is no image"
    assert "broken.png" in answer.err
    found = json.loads(answer.out)["predictions"]
    assert [one["class"] for one in found] == [Path(one["image"]).stem for one in found]

    text = searched("test", "--study", "mine", "--text", "-").out
    assert "lying" in text
    assert "own_models:build" in text
    assert searched("report", "--study", "mine").status == 0
    assert searched("top", "--study", "mine").status == 0
    assert searched("replay", "--study", "mine", "--trial", "0").status == 0


@pytest.mark.skipif(onnxfile.find_spec("onnx") is None, reason="needs the extra onnx")
def test_its_network_leaves_as_onnx(searched: CommandLine, tmp_path: Path) -> None:
    answer = searched("export-model", "--study", "mine", "-o", "mine.onnx")
    assert answer.status == 0, answer.err
    assert "24 test images" in answer.out  # a fifth of 120 is sealed
    assert (tmp_path / "mine.onnx").stat().st_size > 1_000


@pytest.mark.parametrize("command", [("predict", "a.png"), ("export-model", "-o", "mine.onnx")])
def test_weights_of_other_code_are_not_used(
    searched: CommandLine, tmp_path: Path, command: tuple[str, ...]
) -> None:
    if command[0] == "export-model" and onnxfile.find_spec("onnx") is None:
        pytest.skip("needs the extra onnx")
    drawing("lying", seed=1).save(tmp_path / "a.png")
    write_model(tmp_path, GOOD.replace("MaxPool2d(2)", "AvgPool2d(2)"))  # the same shapes
    answer = searched(*command, "--study", "mine")
    assert answer.status == 2
    assert "the code of own_models:build is another" in answer.err
    assert not (tmp_path / "mine.onnx").exists()


def test_a_study_goes_on_where_its_images_and_its_model_were_moved(
    searched: CommandLine, tmp_path: Path
) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    for name in ("shapes", "own_models.py", "mine.toml"):
        (tmp_path / name).rename(place / name)
    answer = searched("run", "--study", "elsewhere/mine.toml", "--trials", "3", "--workers", "0")
    assert answer.status == 0, answer.err
    drawing("lying", seed=1).save(tmp_path / "a.png")
    assert "lying" in searched("predict", "--study", "mine", "a.png").out
