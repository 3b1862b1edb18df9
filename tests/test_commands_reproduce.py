"""`hpsearch reproduce` on a small fixed set with made figures, in place of the shipped ones."""

import csv
from collections import Counter
from pathlib import Path

import optuna
import pytest
import torch
from command_line import CommandLine
from small_studies import stored

from hpsearch.errors import RunFailedError
from hpsearch.home import Home
from hpsearch.run import RunRequest
from hpsearch.storage.record import DOCUMENT

FILE = """
dataset = "digits"
model = "mlp"
[training]
epochs = 2
subset = 300
learning_rate = {rate}
optimizer = "sgd"
[fixed]
seeds = 2
[configurations]
one = {{ dense.units = 4, published = {{ test_accuracy = 0.9 }} }}
two = {{ dense.units = 8, published = {{ test_loss = 0.5 }} }}
"""


@pytest.fixture
def hpsearch(hpsearch: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    Path("studies").mkdir()
    Path("studies/tiny.toml").write_text(FILE.format(rate=0.01))
    monkeypatch.setattr("hpsearch.studyfiles.study_folders", lambda: [Path("studies")])
    return hpsearch


def table() -> list[dict[str, str]]:
    with Path("runs/reports/reproduced.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_published_figure_is_set_beside_ours(hpsearch: CommandLine) -> None:
    answer = hpsearch("reproduce", "--workers", "0")
    assert answer.status == 0
    with stored(Home(Path("runs")), "tiny") as record:
        first, second = (record.readings()[number].evaluations[0] for number in (0, 2))
    one, two = table()
    assert (one["subject"], one["figure"], one["published"]) == ("one", "test accuracy", "0.9")
    assert float(one["ours"]) == pytest.approx((first.accuracy + second.accuracy) / 2)
    assert (two["subject"], two["figure"], two["networks"]) == ("two", "test loss", "2")
    assert "tiny   one" in answer.out
    assert "reproduced" in answer.out
    assert "4 of 4 networks tested" in hpsearch("studies").out
    version = torch.__version__.partition("+")[0]  # what was built for which GPU is left out
    assert all(row["run"].endswith(f"torch {version}") for row in (one, two))


def test_a_trimmed_run_says_so_and_can_be_made_whole(hpsearch: CommandLine) -> None:
    answer = hpsearch("reproduce", "--workers", "0", "--seeds", "1")
    assert answer.status == 0
    assert "1 of 2 seeds" in answer.out
    assert {row["trimmed"] for row in table()} == {"1 of 2 seeds"}
    assert hpsearch("reproduce", "--workers", "0").status == 0
    assert {row["trimmed"] for row in table()} == {""}
    with stored(Home(Path("runs")), "tiny") as record:
        assert Counter(reading.trial for reading in record.readings()) == dict.fromkeys(range(4), 1)


def test_only_the_studies_that_are_named_are_run(hpsearch: CommandLine) -> None:
    Path("studies/other.toml").write_text(FILE.format(rate=0.02))
    assert hpsearch("reproduce", "tiny", "--workers", "0", "--epochs", "1").status == 0
    found = {row["study"]: (row["ours"] != "", row["trimmed"]) for row in table()}
    assert found == {"tiny": (True, "1 of 2 epochs"), "other": (False, "")}
    answer = hpsearch("reproduce", "fiction")
    assert answer.status == 2
    assert "'fiction' has no published figures; other, tiny have" in answer.err


def test_the_page_keeps_what_was_run_before_and_shows_the_fullest_run_of_each_study(
    hpsearch: CommandLine,
) -> None:
    Path("studies/other.toml").write_text(FILE.format(rate=0.02))
    other = ("reproduce", "other", "--workers", "0")
    assert hpsearch(*other, "--seeds", "1").status == 0
    assert hpsearch("reproduce", "tiny", "--workers", "0", "--epochs", "1").status == 0
    trimmed = {row["study"]: row["trimmed"] for row in table()}
    assert trimmed == {"tiny": "1 of 2 epochs", "other": "1 of 2 seeds"}
    assert hpsearch(*other).status == 0
    assert hpsearch(*other, "--epochs", "1", "--seeds", "1").status == 0
    assert hpsearch(*other, "--seeds", "1").status == 0
    rows = {row["study"]: row for row in table()}
    assert {name: row["trimmed"] for name, row in rows.items()} == {
        "tiny": "1 of 2 epochs",
        "other": "",
    }
    assert rows["other"]["networks"] == "2"


def test_what_others_stored_under_such_names_is_passed_over(hpsearch: CommandLine) -> None:
    database = f"sqlite:///{Path('runs').absolute()}/hpsearch.db"
    assert hpsearch("reproduce", "--workers", "0", "--seeds", "1").status == 0
    optuna.create_study(study_name="tiny-1-epochs", storage=database)
    newer = optuna.create_study(study_name="tiny-x", storage=database)
    newer.set_user_attr(DOCUMENT, {"key_of_a_newer_hpsearch": 1})
    assert hpsearch("reproduce", "--workers", "0", "--seeds", "1").status == 0
    assert {row["trimmed"] for row in table()} == {"1 of 2 seeds"}


SEARCH = """
dataset = "digits"
model = "mlp"
[training]
epochs = 2
subset = 300
[search]
trials = 3
[space]
learning_rate = [0.01]
"dense.units" = [4, 8, 16, 32]
[final]
finalists = 1
seeds = 1
[published]
test_accuracy = 0.9
"""


def test_a_stored_study_of_the_other_kind_is_not_shown(hpsearch: CommandLine) -> None:
    assert hpsearch("run", "--study", "tiny", "--workers", "0").status == 0
    set_file = Path("studies/tiny.toml").read_text()
    Path("studies/tiny.toml").write_text(SEARCH)
    assert hpsearch("reproduce", "--workers", "0").status == 1
    assert [row["ours"] for row in table()] == [""]
    assert hpsearch("run", "--study", "tiny", "--workers", "0", "--restart").status == 0
    Path("studies/tiny.toml").write_text(set_file)
    assert hpsearch("reproduce", "--workers", "0").status == 1
    assert {row["ours"] for row in table()} == {""}


def test_a_search_tells_of_how_many_trials_its_tested_winner_is(hpsearch: CommandLine) -> None:
    Path("studies/tiny.toml").write_text(SEARCH)
    assert hpsearch("reproduce", "--workers", "0", "--trials", "2").status == 0
    assert [row["trimmed"] for row in table()] == ["2 of 3 trials"]
    assert hpsearch("reproduce", "--workers", "0").status == 0
    assert [row["trimmed"] for row in table()] == ["2 of 3 trials"]
    assert hpsearch("test", "--study", "tiny", "--workers", "0", "--again").status == 0
    assert hpsearch("reproduce", "--workers", "0").status == 0
    assert [row["trimmed"] for row in table()] == [""]


def test_a_run_that_fails_is_told_although_an_earlier_one_is_shown(
    hpsearch: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hpsearch("reproduce", "--workers", "0", "--epochs", "1").status == 0

    def fail(request: RunRequest) -> None:
        raise RunFailedError("no trial was completed")

    monkeypatch.setattr("hpsearch.run_view.watch_run", fail)
    answer = hpsearch("reproduce", "--workers", "0")
    assert answer.status == 1
    assert "not all could be tested: tiny" in answer.err
    assert {row["trimmed"] for row in table()} == {"1 of 2 epochs"}


def test_a_study_that_fails_does_not_keep_the_others_from_running(hpsearch: CommandLine) -> None:
    Path("studies/broken.toml").write_text(FILE.format(rate=1e38))  # diverges
    answer = hpsearch("reproduce", "--workers", "0")
    assert answer.status == 1
    assert "not all could be tested: broken" in answer.err
    by_study = {row["study"]: row["ours"] for row in table()}
    assert by_study["broken"] == ""
    assert float(by_study["tiny"]) > 0
    assert "not tested yet" in answer.out


@pytest.mark.parametrize(
    "changed",
    [FILE.format(rate=0.02), FILE.format(rate=0.01).replace("epochs = 2", "epochs = 3")],
)
def test_a_study_that_was_run_with_another_file_is_shown_and_the_others_are_run(
    hpsearch: CommandLine, changed: str
) -> None:
    assert hpsearch("run", "--study", "tiny", "--workers", "0").status == 0
    Path("studies/tiny.toml").write_text(changed)
    Path("studies/zebra.toml").write_text(FILE.format(rate=0.01))
    answer = hpsearch("reproduce", "--workers", "0")
    assert answer.status == 0
    assert "'tiny' was started with another file" in answer.err
    found = {row["study"]: (row["ours"] != "", row["trimmed"]) for row in table()}
    assert found == {"tiny": (True, "run with another study file"), "zebra": (True, "")}
