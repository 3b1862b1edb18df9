"""`hpsearch compare` as it is typed, on two small searches of one home."""

import csv
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix
from small_studies import run_small, small_study

from hpsearch import cli
from hpsearch.home import Home
from hpsearch.predictions import load_predictions

FINAL = {"finalists": 1, "seeds": 3}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with two tested searches and one that was not tested."""
    home = Home(tmp_path_factory.mktemp("searched"))
    rates = {"low": 1e-3, "high": 1e-1, "log": True}
    for name, units in (("narrow", 4), ("wide", 32)):
        space = {"learning_rate": rates, "dense.units": units}
        run_small(small_study(name, space=space, final=FINAL), home, test=True)
    run_small(small_study("untested"), home)
    return home


@dataclass(frozen=True)
class Answer:
    """What the command printed and returned."""

    status: object
    out: str
    err: str


class Compare:
    """The command, called in this process on the searched home."""

    def __init__(
        self, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._home, self._monkeypatch, self._capsys = home, monkeypatch, capsys

    def __call__(self, *words: str) -> Answer:
        home = ["--home", str(self._home.root)]
        self._monkeypatch.setattr(sys, "argv", ["hpsearch", "compare", *words, *home])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        printed = self._capsys.readouterr()
        return Answer(exit_.value.code, printed.out, printed.err)


@pytest.fixture
def compare(
    searched: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Compare:
    return Compare(searched, monkeypatch, capsys)


def test_the_figures_are_those_that_scikit_learn_finds_in_the_kept_outputs(
    compare: Compare, searched: Home
) -> None:
    document = json.loads(compare("narrow", "wide", "--json").out)
    predicted = []
    for reading, contender in enumerate(document["contenders"], start=1):
        kept = load_predictions(searched.predictions(contender["study"], reading))
        answers = [kept.logits[seed].argmax(1) for seed in range(3)]
        accuracies = [accuracy_score(kept.labels, answer) for answer in answers]
        assert contender["accuracy"] == pytest.approx(np.mean(accuracies))
        assert contender["accuracy_std"] == pytest.approx(np.std(accuracies, ddof=1))
        matrices = [confusion_matrix(kept.labels, a, normalize="true") for a in answers]
        shares = np.mean(matrices, axis=0)
        assert list(contender["recall"].values()) == pytest.approx(np.diag(shares))
        for confusion in contender["confusions"]:
            share = shares[int(confusion["true"]), int(confusion["predicted"])]
            assert confusion["share"] == pytest.approx(share)
        median = int(np.argsort(accuracies, kind="stable")[1])
        assert contender["representative_seed"] == median
        predicted.append(answers[median] == kept.labels)
    (paired,) = document["test"]["pairs"]
    assert paired["b"] == np.sum(predicted[0] & ~predicted[1])
    assert paired["c"] == np.sum(~predicted[0] & predicted[1])


def test_beside_a_page_stdout_still_holds_one_document(compare: Compare, tmp_path: Path) -> None:
    html = ("--html", str(tmp_path / "page.html"))
    for kind in ("--json", "--csv=-"):
        answer = compare("narrow", "wide", kind, *html)
        assert answer.out == compare("narrow", "wide", kind).out
        assert "page: " in answer.err
    assert "page: " in compare("narrow", "wide", *html).out


def test_csv_goes_to_a_file_or_to_stdout(compare: Compare, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    assert compare("narrow", "wide", "--csv", str(path)).out == ""
    text = path.read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["contender"] for row in rows] == ["narrow", "wide"]
    document = json.loads(compare("narrow", "wide", "--json").out)
    for row, contender in zip(rows, document["contenders"], strict=True):
        assert float(row["accuracy"]) == contender["accuracy"]
        assert float(row["images_per_s"]) == contender["images_per_s"]
    assert compare("narrow", "wide", "--csv", "-").out.splitlines() == text.splitlines()


def test_the_terminal_shows_tables_and_the_test(compare: Compare) -> None:
    answer = compare("narrow", "wide")
    assert (answer.status, answer.err) == (0, "")
    assert answer.out.startswith("contender  accuracy")
    assert "McNemar's exact test" in answer.out


def test_the_page_is_written_beside_what_is_printed(compare: Compare, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    answer = compare("narrow", "wide", "--html", str(path))
    assert answer.out == f"{compare('narrow', 'wide').out}page: {path}\n"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_page_is_not_written_where_the_table_cannot_be(compare: Compare, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    answer = compare("narrow", "wide", "--html", str(path), "--csv", str(tmp_path / "no" / "t.csv"))
    assert answer.status == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("narrow", "wild"), "no study 'wild'"),
        (("narrow", "untested"), "`hpsearch test --study untested` does it"),
        (("narrow",), "narrow is one contender only"),
        (("narrow", "wide", "narrow"), "'narrow' is named twice"),
        (("narrow", "wide", "--csv", "-", "--json"), "--csv and --json exclude each other"),
        (("narrow", "wide", "--csv", "x", "--html", "x"), "--html and --csv are both x"),
        ((), "Missing argument 'contenders'"),
        (("narrow", "wide", "--csv", "nowhere/table.csv"), "there is no folder nowhere"),
    ],
)
def test_a_mistake_is_one_line(compare: Compare, words: tuple[str, ...], message: str) -> None:
    answer = compare(*words)
    assert (answer.status, answer.out) == (2, "")
    assert message in answer.err
    assert answer.err.count("\n") == 1


def test_lost_outputs_cost_the_paired_test_alone(compare: Compare, searched: Home) -> None:
    path = searched.predictions("wide", 2)
    content = path.read_bytes()
    path.unlink()
    try:
        answer = compare("narrow", "wide")
    finally:
        path.write_bytes(content)
    assert (answer.status, answer.err) == (0, "")
    assert f"no test of narrow and wide: {path} cannot be read" in answer.out
    assert "`hpsearch test --study wide --again`" in answer.out
