"""Studies of own models, as a run sees them."""

from pathlib import Path

import pytest
from made_models import GOOD, own_study, write_model
from small_studies import Seen, bench, epoch, new_database, rows, run_small, stored

from hpsearch.errors import ChangedStudyError, ModelError
from hpsearch.home import Home
from hpsearch.modelcode import code_of, hold_code
from hpsearch.records import TrainingKey
from hpsearch.replay import replay_trial
from hpsearch.storage.database import open_database
from hpsearch.storage.record import MODEL_CODE, OUTCOME, REASON


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "studies")
    return tmp_path / "studies"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "runs")


def test_a_search_over_an_own_model_is_tested_and_remembers_its_code(
    folder: Path, home: Home
) -> None:
    spec = own_study(folder)
    result = run_small(spec, home, test=True)
    assert result.reading is not None
    with stored(home) as small:
        assert [state for _, state, _ in rows(small)] == ["COMPLETE", "COMPLETE"]
        (run,) = small.runs()
        assert run.environment["models"] == code_of(spec)
        assert len(code_of(spec)["own_models:build"]) == 64


def test_a_fixed_set_of_own_models_is_tested(folder: Path, home: Home) -> None:
    configurations = {"narrow": {"width": 4}, "wide": {"width": 12}}
    spec = own_study(folder, configurations=configurations, fixed={"seeds": 1})
    run_small(spec, home, test=True)
    with stored(home) as small:
        parameters = [reading.evaluations[0].num_parameters for reading in small.readings()]
    assert parameters == [9 * w + w + w * 16 * 10 + 10 for w in (4, 12)]


BROKEN = {
    "import": "import nowhere_at_all",
    "raises": "def build(s, n, width):\n    raise OSError('no weights')",
    "parameter": "def build(s, n): pass",
    "forward in training only": "from torch import nn\nclass N(nn.Module):\n"
    "  def __init__(self):\n    super().__init__()\n    self.out = nn.Linear(64, 10)\n"
    "  def forward(self, x):\n    assert not self.training, 'oh'\n"
    "    return self.out(x.flatten(1))\n"
    "def build(s, n, width):\n  return N()",
    "no gradient": "from torch import nn\nclass N(nn.Linear):\n"
    "  def forward(self, x):\n    return super().forward(x.flatten(1)).detach()\n"
    "def build(s, n, width):\n  return N(64, n)",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_model_that_does_not_work_leaves_nothing_behind(
    name: str, folder: Path, home: Home
) -> None:
    write_model(folder, BROKEN[name])
    with new_database(home):
        pass
    with pytest.raises(ModelError, match="model 'own_models:build'") as caught:
        run_small(own_study(folder), home)
    assert len(str(caught.value).splitlines()) == 1
    database = open_database(home.database_url, create=False)
    assert database.study_names() == []
    database.close()


def test_a_study_is_not_carried_on_with_other_code(folder: Path, home: Home) -> None:
    run_small(own_study(folder), home)
    path = write_model(folder, GOOD.replace("nn.ReLU()", "nn.Tanh()"))
    with pytest.raises(ChangedStudyError, match=r"the code of own_models:build is another than"):
        run_small(own_study(folder), home, trials=3)
    with pytest.raises(ChangedStudyError):
        run_small(own_study(folder), home, test=True)
    path.unlink()
    write_model(folder)
    run_small(own_study(folder), home, trials=3)
    with stored(home) as small:
        assert [state for _, state, _ in rows(small)].count("COMPLETE") == 3


def test_a_finished_study_is_shown_without_its_code(folder: Path, home: Home) -> None:
    run_small(own_study(folder), home, test=True)
    (folder / "own_models.py").unlink()
    assert run_small(own_study(folder), home, test=True).reading is not None


def test_a_study_that_trained_nothing_may_have_its_code_mended(folder: Path, home: Home) -> None:
    with bench(home, own_study(folder)) as opened:
        for code in ("1", "2"):
            hold_code(opened.record, {"own_models:build": code})
            assert opened.record.study.user_attrs[MODEL_CODE] == {"own_models:build": code}
        opened.record.add_epoch(TrainingKey("search", 0), epoch(1))
        hold_code(opened.record, {"own_models:build": "2"})
        with pytest.raises(ChangedStudyError, match="own_models:build"):
            hold_code(opened.record, {"own_models:build": "3"})


def test_a_replay_tells_that_the_code_has_changed(folder: Path, home: Home) -> None:
    run_small(own_study(folder), home)
    with stored(home) as small:
        same = replay_trial(small, 0, data_dir=home.root, home=home, device="cpu")
        assert (same.is_same, same.changes) == (True, [])
        write_model(folder, GOOD + "    # a remark\n")
        remarked = replay_trial(small, 0, data_dir=home.root, home=home, device="cpu")
        assert remarked.is_same
        assert [change.split(":")[0] for change in remarked.changes] == ["models.own_models"]
        write_model(folder, GOOD.replace("nn.ReLU()", "nn.Tanh()"))
        other = replay_trial(small, 0, data_dir=home.root, home=home, device="cpu")
        assert not other.is_same


def test_a_study_file_that_was_moved_is_found_by_what_reads_the_database(
    folder: Path, home: Home, tmp_path: Path
) -> None:
    run_small(own_study(folder), home)
    folder.rename(tmp_path / "moved")
    run_small(own_study(tmp_path / "moved"), home, trials=3)
    with stored(home) as small:
        replayed = replay_trial(small, 0, data_dir=home.root, home=home, device="cpu")
        assert replayed.is_same
        assert [state for _, state, _ in rows(small)].count("COMPLETE") == 3


def test_a_configuration_that_the_model_refuses_is_infeasible_and_not_an_error(
    folder: Path, home: Home
) -> None:
    refusing = GOOD.replace(
        "channels, height, wide",
        "from hpsearch.errors import InfeasibleConfigurationError\n"
        "        if width > 4:\n            raise InfeasibleConfigurationError('too wide')\n"
        "        channels, height, wide",
    )
    write_model(folder, refusing)
    spec = own_study(folder, space={"width": [4, 5, 6, 7]}, search={"sampler": "grid", "trials": 4})
    seen = Seen()
    run_small(spec, home, observer=seen)
    assert sorted(seen.outcomes.values()) == ["complete"] + ["infeasible"] * 3
    with stored(home) as small:
        states = [state for _, state, _ in rows(small)]
    assert sorted(states) == ["COMPLETE"] + ["PRUNED"] * 3


RAISED = {
    "RuntimeError: file": "raise RuntimeError('file \\udce9 is not there')",
    "Mute: its message cannot be made": "raise Mute()",
    "SystemExit: 3": "raise SystemExit(3)",
}
LATE = """
    from torch import nn

    class Mute(Exception):
        def __str__(self):
            raise ValueError("never")

    class Net(nn.Linear):
        steps = 0

        def forward(self, images):
            Net.steps += self.training
            if Net.steps > 5:
                {raising}
            return super().forward(images.flatten(1))

    def build(image_shape, num_classes, width):
        return Net(64, num_classes)
"""


@pytest.mark.parametrize("reason", RAISED)
def test_whatever_a_model_raises_in_training_fails_its_trial_alone(
    reason: str, folder: Path, home: Home
) -> None:
    write_model(folder, LATE.format(raising=RAISED[reason]))
    run_small(own_study(folder), home)
    with stored(home) as small:
        trials = small.study.get_trials(deepcopy=False)
    assert [trial.user_attrs[OUTCOME] for trial in trials] == ["error", "error"]
    assert all(reason in trial.user_attrs[REASON] for trial in trials)
    files = sorted(home.tracebacks("small").iterdir())
    assert len(files) == 2
    assert all("Traceback" in path.read_text(encoding="utf-8") for path in files)
