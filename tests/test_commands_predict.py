import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import CommandLine
from PIL import Image
from small_sets import small_set
from small_studies import run_small, small_study, stored

from hpsearch.data.files import read_train
from hpsearch.errors import DataError
from hpsearch.home import Home
from hpsearch.predict import probabilities
from hpsearch.trained import load_classifier

SPEC = small_study(
    final={"finalists": 1, "seeds": 2},
    training={"subset": None, "epochs": 8},
    search={"trials": 1},
    space={"learning_rate": 0.01, "dense.units": 32},
)


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("predict"))
    run_small(SPEC, home, test=True)
    run_small(small_set(), home, test=True)
    return home


@pytest.fixture
def scans(tested: Home, tmp_path: Path) -> Path:
    """Ten training digits as people scan them: black on white, larger, in colour."""
    folder = tmp_path / "scans"
    folder.mkdir()
    images, labels = read_train(SPEC.dataset, data_dir=tested.root)
    for digit in range(10):
        pixels = 255 - images[labels == digit][0][0]
        scan = Image.fromarray(pixels).resize((64, 64), Image.Resampling.NEAREST)
        scan.convert("RGB").save(folder / f"{digit}.png")
    return folder


def words(home: Home, *more: object) -> list[str]:
    return ["predict", "--study", "small", "--home", str(home.root), *map(str, more)]


def test_scanned_digits_are_classified_as_the_digits_are(
    hpsearch: CommandLine, tested: Home, scans: Path
) -> None:
    images, labels = read_train(SPEC.dataset, data_dir=tested.root)
    with stored(tested) as record:
        classifier = load_classifier(record, SPEC, home=tested)
    originals = np.stack([images[labels == digit][0] for digit in range(10)])
    answer = hpsearch(*words(tested, "--invert", "--json", scans))
    assert (answer.status, answer.err) == (0, "")
    document = json.loads(answer.out)
    assert (document["study"], document["seeds"], document["unreadable"]) == ("small", [0, 1], [])
    assert "inverted" in document["input"]
    found = [list(one["probabilities"].values()) for one in document["predictions"]]
    # blocks of 8 x 8 equal pixels, scaled down with a triangle twice as wide: nearly the original
    assert np.argmax(found, 1).tolist() == probabilities(classifier, originals).argmax(1).tolist()
    assert [one["class"] for one in document["predictions"]] == [
        str(number) for number in np.argmax(found, 1)
    ]
    assert np.allclose(np.sum(found, 1), 1)


def test_drawings_are_cut_to_the_margin_of_the_training_images(
    hpsearch: CommandLine, tested: Home, scans: Path, tmp_path: Path
) -> None:
    plain = json.loads(hpsearch(*words(tested, "--invert", "--json", scans)).out)
    wide = tmp_path / "wide"
    wide.mkdir()
    for path in scans.iterdir():  # the same scans in the corner of a large sheet
        sheet = Image.new("RGB", (300, 200), "white")
        sheet.paste(Image.open(path), (17, 120))
        sheet.save(wide / path.name)
    cut = json.loads(hpsearch(*words(tested, "--invert", "--crop", "--json", wide)).out)
    assert "cut to what is drawn, 100% of the side" in cut["input"]
    same = [
        one["class"] == other["class"]
        for one, other in zip(plain["predictions"], cut["predictions"], strict=True)
    ]
    assert sum(same) >= 9  # all but one of which a faint edge is lost


def test_without_the_training_images_nothing_is_cut(
    hpsearch: CommandLine, tested: Home, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpsearch.predict.find_validation_set", _not_at_hand)
    answer = hpsearch(*words(tested, "--crop", scans))
    assert (answer.status, answer.out) == (2, "")
    assert "--crop goes by the training images" in answer.err
    assert hpsearch(*words(tested, scans)).err == ""  # and there is no hint


def _not_at_hand(*_: object, **__: object) -> None:
    raise DataError("not at hand")


def test_images_that_look_inverted_get_a_hint_and_nothing_else(
    hpsearch: CommandLine, tested: Home, scans: Path
) -> None:
    as_they_are = hpsearch(*words(tested, scans))
    assert as_they_are.status == 0
    assert as_they_are.err == (
        "hint: these images look inverted beside the training images; try --invert\n"
    )
    Image.new("L", (8, 8), 0).save(scans.parent / "dark.png")
    again = hpsearch(*words(tested, "--invert", scans.parent / "dark.png"))
    assert again.err.endswith("try without --invert\n")


def test_people_see_the_likeliest_three_and_whose_answer_it_is(
    hpsearch: CommandLine, tested: Home, scans: Path
) -> None:
    out = hpsearch(*words(tested, "--invert", scans / "3.png")).out
    header, row, _, note = out.splitlines()
    assert header.split() == ["image", "class", "1.", "2.", "3."]
    assert row.count("%") == 3
    assert note.startswith("by the mean probability of the networks of seeds 0, 1, trial 0 of")
    assert "inverted, scaled to 8 x 8 pixels" in note
    alone = hpsearch(*words(tested, "--seed", "1", scans / "3.png")).out
    assert "by the network of seed 1, trial 0 of small" in alone


def test_csv_has_a_column_a_class_in_full_precision(
    hpsearch: CommandLine, tested: Home, scans: Path
) -> None:
    on_stdout = hpsearch(*words(tested, "--invert", "--csv", "-", scans))
    rows = list(csv.DictReader(io.StringIO(on_stdout.out)))
    assert list(rows[0]) == ["image", "class", "probability", *"0123456789"]
    assert len(rows) == 10
    document = json.loads(hpsearch(*words(tested, "--invert", "--json", scans)).out)
    for row, one in zip(rows, document["predictions"], strict=True):
        assert {name: float(row[name]) for name in "0123456789"} == one["probabilities"]
    hpsearch(*words(tested, "--invert", "--csv", scans.parent / "all.csv", scans))
    assert (scans.parent / "all.csv").read_bytes().decode() == on_stdout.out


def test_a_file_that_is_no_image_is_named_and_the_others_are_classified(
    hpsearch: CommandLine, tested: Home, scans: Path
) -> None:
    (scans / "5.png").write_text("no image")
    answer = hpsearch(*words(tested, "--invert", "--json", scans))
    assert answer.status == 1
    assert answer.err.count("\n") == 1
    assert answer.err.startswith(f"error: {scans / '5.png'}: not an image")
    document = json.loads(answer.out)
    assert len(document["predictions"]) == 9
    assert [one["image"] for one in document["unreadable"]] == [str(scans / "5.png")]
    alone = hpsearch(*words(tested, scans / "5.png"))
    assert (alone.status, alone.out) == (1, "")


def test_an_image_on_stdin_is_classified_as_the_same_file(
    hpsearch: CommandLine, tested: Home, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (scans / "4.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    (one,) = json.loads(hpsearch(*words(tested, "--json", "-")).out)["predictions"]
    (same,) = json.loads(hpsearch(*words(tested, "--json", scans / "4.png")).out)["predictions"]
    assert one == {**same, "image": "stdin"}


def test_a_fixed_set_predicts_by_a_named_configuration(
    hpsearch: CommandLine, tested: Home, scans: Path
) -> None:
    of_set = ["predict", "--study", "set", "--home", str(tested.root), str(scans / "1.png")]
    refused = hpsearch(*of_set)
    assert refused.status == 2
    assert "--configuration" in refused.err
    answer = hpsearch(*of_set, "--configuration", "CNN", "--json")
    assert answer.status == 0
    assert json.loads(answer.out)["study"] == "set"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (["nowhere.png"], "no such file or folder"),
        (["."], "no file in this folder"),
        (["-", "--seed", "9"], "no network of seed 9"),
        (["-", "--csv", "-", "--json"], "exclude each other"),
        (["-", "--csv", "nowhere/a.csv"], "there is no folder nowhere"),
    ],
)
def test_a_mistake_is_one_line(
    hpsearch: CommandLine, tested: Home, more: list[str], problem: str
) -> None:
    answer = hpsearch(*words(tested, *more))
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert problem in answer.err
