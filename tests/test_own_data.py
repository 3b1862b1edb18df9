"""Studies on data of one's own, from the file to the tested winner, by the command line."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import CommandLine
from made_images import colours, write_folder, write_npz
from small_studies import run_small, stored

from hpsearch.errors import DataError, StudyFileError
from hpsearch.home import Home
from hpsearch.report.configurations import configuration_rows
from hpsearch.report.status import document_of, stored_spec
from hpsearch.spec import StudySpec
from hpsearch.studyparser import load_study_file

README = Path(__file__).parent.parent / "README.md"
STUDY = """
dataset = "{dataset}"
model = "mlp"
objective = "val_balanced_accuracy"
{data}
[training]
epochs = 2
validation = 0.25
[search]
sampler = "random"
pruner = "none"
trials = 2
[space]
learning_rate = {{ low = 1e-3, high = 1e-1, log = true }}
"dense.units" = 4
[final]
finalists = 1
seeds = 2
"""


def study_file(folder: Path, dataset: str, data: str = "", name: str = "mine") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(STUDY.format(dataset=dataset, data=data))
    return path


def load(folder: Path, dataset: str, data: str = "") -> StudySpec:
    return load_study_file(study_file(folder, dataset, data))


def test_a_path_begins_at_the_study_file(tmp_path: Path) -> None:
    write_folder(tmp_path / "pets", {"a": 4, "b": 4})
    spec = load(tmp_path / "studies", "folder:../pets")
    assert spec.dataset.name == f"folder:{tmp_path / 'pets'}"
    assert spec.document["dataset"] == f"folder:{tmp_path / 'pets'}"
    assert spec.dataset.class_names == ("a", "b")


def test_the_fingerprint_does_not_depend_on_where_the_data_are(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "pets", {"a": 4, "b": 4})
    here = load(tmp_path, "folder:pets")
    shutil.copytree(path, tmp_path / "elsewhere" / "animals")
    there = load(tmp_path / "studies", f"folder:{tmp_path / 'elsewhere' / 'animals'}")
    assert there.fingerprint == here.fingerprint
    assert there.differences(here.document) == []
    smaller = load(tmp_path, "folder:pets", "[data]\nsize = 3")
    assert smaller.fingerprint != here.fingerprint
    (path / "b" / "0003.png").unlink()
    changed = load(tmp_path, "folder:pets")
    assert changed.differences(here.document) == ["found.num_train: 6 -> 5"]


def test_one_number_is_height_and_width(tmp_path: Path) -> None:
    write_folder(tmp_path / "pets", {"a": 4, "b": 4})
    one = load(tmp_path, "folder:pets", "[data]\nsize = 8")
    two = load(tmp_path, "folder:pets", "[data]\nsize = [8, 8]")
    assert one.dataset.image_shape == (3, 8, 8)
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize(
    ("dataset", "data", "expected"),
    [
        ("folder:nowhere", "", r"mine\.toml: dataset: there is no .*/nowhere"),
        ("folder:", "", r"dataset: 'folder:' has no path; write folder:PATH"),
        ("file:x", "", r"dataset: 'file:x' .* digits, folder:PATH, npz:PATH, idx:PATH"),
        ("digits", "[data]\nsize = 8", r"data: is for data of your own: dataset = folder:PATH"),
        ("folder:pets", "[data]\nsize = 0", r"data\.size\.0: 0 is not allowed"),
        ("folder:pets", "[data]\nsize = 9.5", r"data\.size: 9\.5 is not allowed"),
        ("folder:pets", "[data]\nsize = [1, 2, 3]", r"data\.size"),
        ("folder:pets", '[data]\nchannels = "rgb"', r"data\.channels: 'rgb' .* 'grey', 'colour'"),
        ("folder:pets", "[data]\ntest = 1.0", r"data\.test: 1\.0 is not allowed"),
        ("folder:pets", "[data]\nsiez = 8", r"data\.siez: unknown key \(did you mean data\.size"),
        ("folder:pets", "[found]\nnum_train = 8", r"found: unknown key"),
    ],
)
def test_a_mistake_in_the_file_is_named(
    tmp_path: Path, dataset: str, data: str, expected: str
) -> None:
    write_folder(tmp_path / "pets", {"a": 4, "b": 4})
    with pytest.raises(StudyFileError, match=expected) as refusal:
        load(tmp_path, dataset, data)
    assert "\n" not in str(refusal.value)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """An imbalanced study, searched and tested."""
    folder = tmp_path_factory.mktemp("own")
    dark, light = colours(60) // 2, 127 + colours(20, seed=1) // 2
    labels = np.repeat([0, 1], [60, 20])
    names = np.array(["dark", "light"])
    write_npz(
        folder / "shades.npz",
        x_train=np.concatenate([dark, light]),
        y_train=labels,
        class_names=names,
    )
    home = Home(folder / "runs")
    run_small(load(folder, "npz:shades.npz"), home, test=True)
    return home


def test_a_stored_study_is_shown_and_tested_when_its_data_are_gone(
    searched: Home, hpsearch: CommandLine, tmp_path: Path
) -> None:
    home = Home(tmp_path / "runs")
    shutil.copytree(searched.root, home.root)
    with stored(home, "mine") as record:
        document = dict(document_of(record))
        document["dataset"] = f"npz:{tmp_path / 'gone.npz'}"
        record.study.set_user_attr("hpsearch:document", document)
        assert stored_spec(record).dataset.class_names == ("dark", "light")
    for command in ("status", "top", "test", "report"):
        assert hpsearch(command, "--study", "mine", "--home", str(home.root)).status == 0
    page = (home.reports / "mine.html").read_text()
    assert "dark" in page
    assert "20% of each class, sealed first" in page


def test_a_study_goes_on_where_its_data_were_moved_to(searched: Home, tmp_path: Path) -> None:
    home = Home(tmp_path / "runs")
    shutil.copytree(searched.root, home.root)
    shutil.copy(searched.root.parent / "shades.npz", tmp_path / "moved.npz")
    run_small(load(tmp_path, "npz:moved.npz"), home, trials=3)
    with stored(home, "mine") as record:
        assert len(record.study.get_trials()) == 3
        assert document_of(record)["dataset"] == f"npz:{tmp_path / 'moved.npz'}"


def test_balanced_accuracy_is_recorded_ranked_and_tested(
    searched: Home, hpsearch: CommandLine
) -> None:
    arguments = ("--study", "mine", "--home", str(searched.root))
    status = json.loads(hpsearch("status", *arguments, "--json").out)
    rows = json.loads(hpsearch("top", *arguments, "--json").out)
    assert status["objective"] == "val_balanced_accuracy"
    assert status["best"]["value"] == rows[0]["val_balanced_accuracy"]
    assert rows[0]["val_balanced_accuracy"] >= rows[1]["val_balanced_accuracy"]
    header = hpsearch("top", *arguments, "--csv", "-").out.splitlines()[0].split(",")
    assert header.index("val_balanced_accuracy") == header.index("val_accuracy") - 1
    result = json.loads(hpsearch("test", *arguments, "--json").out)
    for seed in result["evaluations"]:
        recalls = [scores["recall"] for scores in seed["classes"].values()]
        assert seed["balanced_accuracy"] == pytest.approx(np.mean(recalls))
        (a, b), (c, d) = seed["confusion"]
        assert seed["balanced_accuracy"] == pytest.approx((a / (a + b) + d / (c + d)) / 2)
    assert "balanced accuracy" in hpsearch("status", *arguments).out


def test_a_broken_image_ends_a_run_before_anything_is_stored(
    hpsearch: CommandLine, tmp_path: Path
) -> None:
    write_folder(tmp_path / "pets", {"a": 6, "b": 6})
    for path in (tmp_path / "pets" / "a").iterdir():
        path.write_bytes(path.read_bytes()[:-30])
    study = study_file(tmp_path, "folder:pets")
    end = hpsearch("run", "--study", str(study), "--home", "runs", "--workers", "0")
    assert end.status == 2
    named = r"error: \S+/pets/a/\d+\.png: cannot be read: .*; mend it or take it away\n"
    assert re.fullmatch(named, end.err)
    assert [p for p in Path("runs").rglob("*") if p.is_file()] == []


def test_data_show_counts_and_pictures_ones_own(hpsearch: CommandLine, tmp_path: Path) -> None:
    write_folder(tmp_path / "pets", {"cat": 10, "dog": 20})
    shown = json.loads(hpsearch("data", "show", "folder:pets", "--json").out)
    assert [(c["name"], c["test"]) for c in shown["classes"]] == [("cat", 2), ("dog", 4)]
    assert shown["image_shape"] == [3, 6, 5]
    assert len(shown["pixels"]) == 3
    smaller = json.loads(hpsearch("data", "show", "folder:pets", "--size", "4x8", "--json").out)
    assert smaller["image_shape"] == [3, 4, 8]
    assert all(Path(path).stat().st_size for path in smaller["pictures"].values())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("folder:nowhere",), "there is no"),
        (("folder:pets", "--size", "4x"), "--size '4x': write 64, or 48x64"),
        (("folder:pets", "--size", "0"), "--size"),
        (("digits", "--size", "4"), "--size is for data of one's own"),
        (("folder:pets", "--study", "mlp-digits"), "is on digits, not on folder:"),
    ],
)
def test_data_show_names_a_mistake(
    hpsearch: CommandLine, tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    write_folder(tmp_path / "pets", {"cat": 10, "dog": 20})
    end = hpsearch("data", "show", *arguments)
    assert end.status == 2
    assert expected in end.err
    assert end.err.count("\n") == 1


DECODE = """
import resource, sys
from pathlib import Path
import PIL.Image, sklearn.model_selection
from hpsearch.data.training_set import prepare_training_set
from hpsearch.studyparser import load_study_file
spec = load_study_file(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
prepare_training_set(spec.dataset, spec.training, data_dir=Path(), cache=Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_twenty_thousand_images_are_decoded_in_little_memory_and_trained_on(
    tmp_path: Path, home: Home, kind: str
) -> None:
    """3 x 64 x 64: 196 MB of training pixels; a class is told by its brighter half."""
    random = np.random.default_rng(0)
    images = random.integers(0, 200, (20_000, 64, 64, 3), dtype=np.uint8)
    labels = np.arange(20_000) % 2
    images[labels == 0, :32] += 55
    images[labels == 1, 32:] += 55
    if kind == "npz":
        np.savez(tmp_path / "data.npz", x_train=images, y_train=labels)
        name = "npz:data.npz"
    else:
        for label in range(2):
            (tmp_path / "data" / str(label)).mkdir(parents=True)
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = tmp_path / "data" / str(label) / f"{number:05}.ppm"
            path.write_bytes(b"P6 64 64 255\n" + image.tobytes())
        name = "folder:data"
    del images
    study = study_file(tmp_path, name)
    grown = subprocess.run(
        [sys.executable, "-c", DECODE, study, home.cache],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(grown.stdout) * 1024 < 80e6, "of 196 MB; chunks of 17 MB, some at a time"
    if kind == "folder":
        text = study.read_text().replace("[training]", "[training]\nsubset = 2000")
        text = text.replace("{ low = 1e-3, high = 1e-1, log = true }", "1e-3")
        study.write_text(text.replace('"dense.units" = 4', "dense_layers = 0"))
        spec = load_study_file(study)
        run_small(spec, home, trials=1)
        with stored(home, "mine") as record:
            (trial,) = record.study.get_trials()
            assert trial.value is not None
            assert trial.value > 0.9, "which bright half it is, is easy"


def blocks(section: str) -> dict[str, list[str]]:
    """The code of a section of the README, by its language."""
    text = README.read_text().split(f"\n### {section}\n", 1)[1].split("\n### ", 1)[0]
    found: dict[str, list[str]] = {}
    for language, code in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        found.setdefault(language, []).append(code)
    return found


def test_the_readmes_example_works_as_printed(hpsearch: CommandLine, tmp_path: Path) -> None:
    """Digits in colour on photographs: neither a guess nor a gift."""
    found = blocks("Your own data")
    (script,), study, (commands,) = found["python"], found["toml"][0], found[""]
    subprocess.run([sys.executable, "-c", script], check=True)
    Path("numbers.toml").write_text(study)
    done = [shlex.split(line, comments=True)[1:] for line in commands.splitlines()]
    assert [words[0] for words in done] == ["data", "run", "test", "report"]
    for words in done:
        end = hpsearch(*words, *(("--workers", "0") if words[0] == "run" else ()))
        assert end.status == 0, end.err
    result = json.loads(hpsearch("test", "--study", "numbers", "--json").out)
    assert list(result["evaluations"][0]["classes"]) == ["eight", "five", "three"]
    assert 0.5 < result["balanced_accuracy_mean"] < 1, "a guess has 1/3"
    assert result["test_set_readings"] == 1


def test_a_fixed_set_on_ones_own_data_is_tested(home: Home, tmp_path: Path) -> None:
    write_folder(tmp_path / "pets" / "train", {"a": 12, "b": 12})
    write_folder(tmp_path / "pets" / "test", {"a": 3, "b": 4}, seed=1)
    study = tmp_path / "set.toml"
    study.write_text(
        'dataset = "folder:pets"\nobjective = "val_balanced_accuracy"\n'
        "[training]\nepochs = 1\nvalidation = 0.25\n[fixed]\nseeds = 2\n"
        '[configurations.small]\nmodel = "mlp"\ndense_layers = 0\n'
    )
    spec = load_study_file(study)
    shutil.move(tmp_path / "pets" / "test" / "a", tmp_path / "put-aside")
    with pytest.raises(DataError, match="test has one class only, 'b'"):
        run_small(spec, home, test=True)
    shutil.move(tmp_path / "put-aside", tmp_path / "pets" / "test" / "a")
    run_small(spec, home, test=True)
    with stored(home, "set") as record:
        readings = record.readings()
        (row,) = configuration_rows(record, stored_spec(record))
    results = [reading.evaluations[0] for reading in readings]
    assert [np.sum(result.confusion) for result in results] == [7, 7]
    assert row.test_balanced_accuracy == pytest.approx(
        np.mean([result.balanced_accuracy for result in results])
    )
