import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_sets import SET
from small_studies import Seen

import hpsearch
from hpsearch.data.files import read_train
from hpsearch.errors import (
    DataError,
    InterruptedRunError,
    MissingDatabaseError,
    NothingToShowError,
    StudyFileError,
    UnknownStudyError,
    UserError,
)
from hpsearch.notebook import Study
from hpsearch.run import RunRequest

ROOT = Path(__file__).parent.parent
TABLES = {
    "dataset": "digits",
    "model": "mlp",
    "training": {"epochs": 2, "validation": 0.2, "subset": 300},
    "search": {"sampler": "random", "pruner": "none", "trials": 3},
    "space": {"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}, "dense.units": [8, 16]},
    "final": {"finalists": 1, "seeds": 2},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study built in code, searched and tested in this process."""
    study = Study.from_tables(TABLES, name="mine", home=tmp_path_factory.mktemp("api") / "runs")
    study.run(workers=0)
    return study


def test_a_study_runs_and_an_equal_one_finds_it_done(study: Study) -> None:
    again = Study.open("mine", home=study.home.root).run(workers=0)
    assert again.end == "budget"
    assert not again.read_now
    (reading,) = study.readings()
    assert again.reading == reading
    assert [evaluation.seed for evaluation in reading.evaluations] == [0, 1]
    status = study.status()
    assert status.trials.complete == 3
    assert status.test is not None
    carry_on = f"hpsearch.Study.open('mine', home='{study.home.root}').run()"
    assert status.carry_on == carry_on


def test_tables_come_as_rows_with_the_parameters_as_columns(study: Study) -> None:
    top, trials = study.top(2), study.trials()
    assert list(top[0]) == [
        *("rank", "trial", "dense.units", "learning_rate"),
        *("val_accuracy", "val_loss", "accuracy", "loss", "epochs", "duration_s", "start", "end"),
    ] or list(top[0])[2:4] == ["learning_rate", "dense.units"]
    assert [row["rank"] for row in top] == [1, 2]
    assert top[0]["val_accuracy"] >= top[1]["val_accuracy"]
    assert {row["trial"]: row["value"] for row in trials}[top[0]["trial"]] == top[0]["val_accuracy"]
    assert [row["outcome"] for row in trials] == ["complete"] * 3
    with pytest.raises(UserError, match="is a search"):
        study.configurations()


def test_the_model_is_a_module_that_knows_its_classes(study: Study) -> None:
    model = study.model()
    assert isinstance(model, torch.nn.Module)
    assert not model.training
    assert model.class_names == tuple("0123456789")
    assert model.seeds == (0, 1)
    with torch.no_grad():
        assert model(torch.rand(3, *model.image_shape)).shape == (3, 10)


def test_files_pillow_images_and_arrays_of_one_image_get_one_answer(
    study: Study, tmp_path: Path
) -> None:
    images, _ = read_train(study.spec.dataset, data_dir=tmp_path)
    pixels = images[:3, 0]
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    answers = [
        study.predict(pixels),
        study.predict([Image.fromarray(image) for image in pixels]),
        study.predict([tmp_path / f"{number}.png" for number in range(3)]),
        study.predict(tmp_path),
        study.predict(np.repeat(pixels[..., np.newaxis], 3, axis=3)),
        study.predict(255 - pixels, invert=True),
    ]
    for answer in answers:
        assert [p.probabilities for p in answer] == [p.probabilities for p in answers[0]]
    assert [p.image for p in answers[0]] == ["0", "1", "2"]


@pytest.mark.parametrize(
    "image",
    [np.zeros((8, 8)), np.zeros((0, 8), np.uint8), np.zeros((1, 8, 8), np.uint8), 7],
    ids=["floats", "empty", "channels first", "a number"],
)
def test_what_is_no_image_is_refused(study: Study, image: object) -> None:
    with pytest.raises(DataError, match=r"image"):
        study.predict([image])  # type: ignore[list-item]


def test_a_file_that_is_no_image_is_named(study: Study, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DataError, match=r"notes\.txt: not an image"):
        study.predict([tmp_path / "notes.txt"])


def test_figures_are_plotly_figures_by_name(study: Study) -> None:
    import plotly.graph_objects as go

    figures = study.figures()
    assert {"history", "confusion", "curves", "filters"} <= figures.keys()
    assert all(isinstance(figure, go.Figure) for figure in figures.values())


def test_a_fixed_set_has_its_table_and_its_models(tmp_path: Path) -> None:
    study = Study.from_tables(SET, name="set", home=tmp_path)
    study.run(workers=0)
    rows = study.configurations()
    assert [row["configuration"] for row in rows] == ["small", "wide / 16", "CNN"]
    assert [row["seeds"] for row in rows] == [2, 2, 2]
    assert study.model(configuration="CNN", seed=1).seeds == (1,)
    assert len(study.readings()) == 6
    assert study.figures()


def test_a_run_works_inside_a_running_event_loop_and_in_a_thread(tmp_path: Path) -> None:
    tables = {**TABLES, "search": {"sampler": "random", "pruner": "none", "trials": 1}}

    async def cell() -> str:
        return Study.from_tables(tables, name="loop", home=tmp_path).run(workers=0, test=False).end

    assert asyncio.run(cell()) == "budget"
    ends: list[str] = []
    other = Study.from_tables(tables, name="thread", home=tmp_path)
    thread = threading.Thread(target=lambda: ends.append(other.run(workers=0, test=False).end))
    thread.start()
    thread.join()
    assert ends == ["budget"]


def test_nothing_is_printed_unless_asked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study = Study.from_tables(TABLES, name="quiet", home=tmp_path)
    study.run(workers=0, test=False)
    assert capfd.readouterr() == ("", "")
    study.test(workers=0, progress=True)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "retraining: 0 of 2 done" in printed.err


def test_a_stop_button_ends_a_run_and_the_next_carries_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopping(Seen):
        """Presses the button twice while the second trial trains, as an impatient user does."""

        def epoch(self, key: object, metrics: object) -> None:
            if len(self.outcomes) == 1:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    study = Study.from_tables(TABLES, name="stopped", home=tmp_path)
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("hpsearch.notebook.QuietProgress", Stopping)
    carry_on = re.escape(f"hpsearch.Study.open('stopped', home='{tmp_path}').run(trials=3)")
    with pytest.raises(InterruptedRunError, match=f"to carry on: {carry_on}$"):
        study.run(trials=3, workers=0)
    assert signal.getsignal(signal.SIGINT) is before
    counts = study.status().trials
    assert (counts.complete, counts.running) == (1, 1)
    monkeypatch.undo()
    study.run(trials=3, workers=0)
    assert study.status().trials.complete == 3
    assert [row["trial"] for row in study.trials()] == [0, 1, 2]


def test_a_stop_before_the_search_has_begun_is_the_same_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(request: RunRequest, **_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hpsearch.notebook.run_study", stopped)
    with pytest.raises(InterruptedRunError, match="before anything was stored"):
        Study.from_tables(TABLES, name="early", home=tmp_path).run()


def test_mistakes_are_errors_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match="study 'mine': dataset"):
        Study.from_tables({**TABLES, "dataset": "cats"}, name="mine", home=tmp_path)
    with pytest.raises(UnknownStudyError):
        Study.from_file("nowhere", home=tmp_path)
    with pytest.raises(MissingDatabaseError):
        Study.open("mine", home=tmp_path)
    new = Study.from_tables(TABLES, name="new", home=tmp_path)
    new.run(workers=0, test=False)
    with pytest.raises(NothingToShowError, match="no retrained winner"):
        new.model()
    with pytest.raises(UnknownStudyError):
        Study.open("other", home=tmp_path)


def test_places_are_found_as_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("HOME", "here"), ("STORAGE", "sqlite:///x.db"), ("DATA", "there")):
        monkeypatch.setenv(f"HPSEARCH_{name}", value)
    study = Study.from_file(ROOT / "studies" / "cnn-digits.toml", name="other")
    assert (study.name, study.home.root, study.data_dir) == ("other", Path("here"), Path("there"))
    assert study.storage == "sqlite:///x.db"
    own = Study.from_file("cnn-digits", home="a", storage="sqlite:///b.db", data_dir="c")
    assert (own.home.root, own.storage, own.data_dir) == (Path("a"), "sqlite:///b.db", Path("c"))


def test_the_names_of_the_package_are_sorted_and_all_there() -> None:
    assert hpsearch.__all__ == sorted(hpsearch.__all__)
    assert hpsearch.Study is Study
    for name in hpsearch.__all__:
        assert getattr(hpsearch, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Trial'"):
        hpsearch.Trial  # noqa: B018
    typed = re.findall(r"^        (\w+),?$", (ROOT / "hpsearch/__init__.py").read_text(), re.M)
    assert {*typed, "Classifier", "Prediction", "Study", "__version__"} == set(hpsearch.__all__)


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, hpsearch; print([m for m in sys.modules if m.startswith('hpsearch.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_example_in_the_readme_runs(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split("## From Python")[1].split("\n## ")[0]
    example = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    Image.new("L", (40, 60), 255).save(tmp_path / "scan.png")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.search(r"^scan\.png is [0-9], \d+ %$", done.stdout, re.MULTILINE)
