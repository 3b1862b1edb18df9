"""Malformed study files and command lines: one clear line on stderr, and nothing is changed.

Nothing is trained here: the run's workers are fakes that fail the test when they are given work.
"""

import contextlib
import io
import json
import os
import shutil
import socket
import sqlite3
import sys
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from full_study import FULL
from hypothesis import given, settings
from hypothesis import strategies as st
from small_studies import FakeExecutor, bench, small_study, trained

from hpsearch import cli
from hpsearch.catalogue import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from hpsearch.errors import DataError, RunFailedError, StudyFileError
from hpsearch.executors.messages import Event, Task
from hpsearch.home import Home
from hpsearch.spec import StudySpec
from hpsearch.studyparser import load_study_file

HEAD = 'dataset = "digits"\nmodel = "mlp"\n'
GOOD = HEAD + "[space]\nbatch_size = [16, 32]\n"
CNN = 'dataset = "digits"\nmodel = "cnn"\n[space]\n'
LONG = "x" * 5_000
CLEAR = "\x1b[2J"  # clears a terminal
BACKWARDS = "\u202e"  # what follows is shown from right to left


# --- a command line beside a home that has something to lose


@dataclass(frozen=True)
class Answer:
    """What a command printed and returned."""

    status: int
    out: str
    err: str


class Terminal(io.StringIO):
    """A stream that programs take for a terminal, so that they leave nothing out."""

    def isatty(self) -> bool:
        return True


def call(*words: str, stream: type[io.StringIO] = io.StringIO) -> Answer:
    """Run the command line in this process; anything but SystemExit comes out of it."""
    out, err = stream(), stream()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["hpsearch", *words])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
    assert isinstance(exit_.value.code, int)
    return Answer(exit_.value.code, out.getvalue(), err.getvalue())


def no_work(task: Task) -> list[Event]:
    raise AssertionError(f"{task.key} was to be trained")


def contents(folder: Path) -> dict[str, bytes | str | None]:
    """Everything below a folder: a file's bytes, a link's target, else None."""
    found: dict[str, bytes | str | None] = {}
    for path in folder.rglob("*"):
        what = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        found[str(path)] = os.readlink(path) if path.is_symlink() else what
    return found


@pytest.fixture(scope="module")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the study `small`, whose two trials are complete."""
    home = Home(tmp_path_factory.mktemp("made") / "runs")
    with bench(home, small_study(search={"trials": 2})) as b:
        executor = FakeExecutor(lambda task: trained(task.key, 0.5, 0.6))
        b.search(executor).run(trials=2, timeout_s=None)
    return home.root


@pytest.fixture
def place(made_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with that home as `./runs` and the study file `good.toml`."""
    folder = tmp_path / "a" / "b"  # so that ../x is still ours
    folder.mkdir(parents=True)
    shutil.copytree(made_home, folder / "runs")
    (folder / "good.toml").write_text(GOOD)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HPSEARCH_HOME", raising=False)
    monkeypatch.delenv("HPSEARCH_DATA", raising=False)
    monkeypatch.setattr("hpsearch.run.start_executor", lambda _: FakeExecutor(no_work))
    return folder


def check_refused(place: Path, *words: str, names: str, status: int = 2) -> None:
    """A command says in one printable line what is wrong, and leaves everything as it is."""
    before = contents(place.parent.parent)
    answer = call(*words)
    line = answer.err.removesuffix("\n")
    assert (answer.status, answer.out) == (status, "")
    assert line.startswith("error: ")
    assert line.isprintable(), line
    assert len(line) < 1_500 + len("".join(words))
    assert names in line
    assert "secret" not in line
    assert contents(place.parent.parent) == before


def test_the_home_has_something_to_lose(place: Path) -> None:
    answer = call("status", "--study", "small", "--json")
    assert json.loads(answer.out)["trials"]["complete"] == 2
    with contextlib.closing(sqlite3.connect(place / "runs" / "hpsearch.db")) as database:
        assert database.execute("SELECT count(*) FROM trials").fetchone() == (2,)


def test_the_good_file_would_be_searched(place: Path) -> None:
    with pytest.raises(AssertionError, match="was to be trained"):
        call("run", "--study", "good.toml", "--workers", "0")


# --- study files


def fixed(entry: str) -> str:
    """A study file with one entry in its space."""
    return f"{HEAD}[space]\n{entry}\n"


STUDY_FILES: dict[str, tuple[str | bytes, str]] = {
    # not text, not TOML
    "empty": ("", "space: is missing"),
    "blank": ("\n\n \t\n", "is missing"),
    "every byte": (bytes(range(256)), "not TOML"),
    "UTF-16": (GOOD.encode("utf-16"), "not TOML"),
    "Latin-1": ("description = 'é'\n".encode("latin-1") + GOOD.encode(), "not TOML"),
    "NUL at the end": (GOOD + "\0", "not TOML"),
    "NULs": (b"\0" * 1_000_000, "not TOML"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "not TOML"),
    "escape in a string": (f'description = "{CLEAR}"\n{GOOD}', "not TOML"),
    "JSON": (json.dumps({"dataset": "digits", "model": "mlp", "space": {}}), "not TOML"),
    "cut in a string": (GOOD[:13], "not TOML"),
    "cut in a list": (GOOD[:-5], "not TOML"),
    "no value": (HEAD + "objective =\n[space]\n", "line 3"),
    "key twice": ('dataset = "mnist"\n' + GOOD, "line 2"),
    "table twice": (GOOD + "[space]\n", "not TOML"),
    "key and table": ("space = 1\n" + GOOD, "not TOML"),
    "dotted and plain": (GOOD + "conv.a = 1\nconv = 2\n", "not TOML"),
    "deep lists": (fixed("dropout = " + "[" * 10_000), "nested too deeply"),
    "deep tables": (HEAD + "[space" + ".a" * 5_000 + "]\n", "nested too deeply"),
    "deep inline": (fixed("dropout = " + "{ a = " * 5_000 + "1" + " }" * 5_000), "too deeply"),
    "number of 9,999 digits": (fixed("batch_size = " + "9" * 9_999), "digits"),
    # wrong tables and keys
    "no space": (HEAD, "space: is missing"),
    "space is text": (HEAD + "space = 'small'\n", "space: 'small' is not a table"),
    "space is a list of tables": (HEAD + "[[space]]\ndropout = 0.1\n", "space: [{'dropout': 0.1}]"),
    "training is a list of tables": (HEAD + "[[training]]\n[space]\n", "training: "),
    "search is a number": (HEAD + "search = 3\n[space]\n", "search: 3"),
    "final is true": (HEAD + "final = true\n[space]\n", "final: True"),
    "space in training": (HEAD + "[training.space]\n[space]\n", "training.space: unknown key"),
    "name in the file": ("name = 'x'\n" + GOOD, "name: unknown key"),
    "key with a newline": (HEAD + '"a\\nb" = 1\n[space]\n', "a\\nb: unknown key"),
    "key that clears the terminal": (HEAD + '"\\u001b[2J" = 1\n[space]\n', "\\x1b[2J: unknown"),
    "key from right to left": (fixed('"\\u202edropout" = 0.1'), "\\u202edropout: unknown key"),
    "key with NUL": (HEAD + '"\\u0000" = 1\n[space]\n', "\\x00: unknown key"),
    "empty key": (fixed('"" = 1'), "space.: unknown key"),
    "long key": (fixed(f"{LONG} = 1"), "xxx...: unknown key"),
    # wrong values
    "data set is a list": ('dataset = ["digits"]\nmodel = "mlp"\n[space]\n', "dataset: ['digits']"),
    "data set is a path": (GOOD.replace("digits", "../digits"), "dataset: '../digits'"),
    "data set with NUL": (GOOD.replace("digits", "dig\\u0000its"), "'dig\\x00its'"),
    "data set with a newline": (GOOD.replace("digits", "digits\\n"), "'digits\\n'"),
    "model clears the terminal": (GOOD.replace("mlp", "\\u001b[2J"), "model: '\\x1b[2J'"),
    "long data set": (GOOD.replace("digits", LONG), "dataset: 'xxx"),
    "long model": (GOOD.replace("mlp", LONG), "model: 'xxx"),
    "long list": (f"objective = {[1] * 5_000}\n{GOOD}", "objective: [1, 1, "),
    "description is a number": ("description = 3\n" + GOOD, "description: 3"),
    "epochs is a bool": (HEAD + "[training]\nepochs = true\n[space]\n", "training.epochs: True"),
    "epochs is not whole": (HEAD + "[training]\nepochs = 3.0\n[space]\n", "training.epochs: 3.0"),
    "epochs is infinite": (HEAD + "[training]\nepochs = inf\n[space]\n", "training.epochs: inf"),
    "seed below 0": (HEAD + "[training]\nseed = -1\n[space]\n", "training.seed: -1"),
    "seed of 33 bits": (HEAD + f"[training]\nseed = {2**32}\n[space]\n", "training.seed: 429"),
    "everything held out": (HEAD + "[training]\nvalidation = 1\n[space]\n", "training.validation"),
    "subset of more than all": (HEAD + "[training]\nsubset = 9999\n[space]\n", "1437 training"),
    "subset of one": (HEAD + "[training]\nsubset = 1\n[space]\n", "leave no image of some class"),
    "patience is nan": (
        HEAD + "[training]\nearly_stopping = { patience = nan }\n[space]\n",
        "training.early_stopping.patience: nan",
    ),
    "early stopping is true": (HEAD + "[training]\nearly_stopping = true\n[space]\n", "True"),
    "trials below 0": (HEAD + "[search]\ntrials = -5\n[space]\n", "search.trials: -5"),
    "timeout of 1e999": (HEAD + "[search]\ntrial_timeout = 1e999\n[space]\n", "trial_timeout: inf"),
    "timeout in years": (HEAD + "[search]\ntrial_timeout = '1y'\n[space]\n", "'1y'"),
    "sampler is empty": (HEAD + "[search]\nsampler = ''\n[space]\n", "search.sampler: ''"),
    "sampler is a list": (HEAD + "[search]\nsampler = ['tpe']\n[space]\n", "search.sampler: "),
    "sampler clears the terminal": (
        HEAD + '[search]\nsampler = "\\u001b[2J"\n[space]\n',
        "search.sampler: '\\x1b[2J'",
    ),
    "pruner in a pruner in a pruner": (
        HEAD + "[search.pruner]\nname = 'patient'\nwrapped = { name = 'patient' }\n[space]\n",
        "search.pruner.wrapped: 'patient'",
    ),
    "percentile of 101": (
        HEAD + "[search]\npruner = { name = 'percentile', percentile = 101 }\n[space]\n",
        "search.pruner.percentile: 101",
    ),
    "no finalist": (HEAD + "[final]\nfinalists = 0\n[space]\n", "final.finalists: 0"),
    "trained on the test set": (HEAD + "[final]\ntrain_on = 'test'\n[space]\n", "'test'"),
    # domains
    "no choice": (fixed("batch_size = []"), "space.batch_size: []"),
    "no choice in a table": (fixed("batch_size = { choices = [] }"), "batch_size.choices: []"),
    "choices are a number": (fixed("batch_size = { choices = 3 }"), "batch_size.choices: 3"),
    "choice twice": (fixed("batch_size = [16, 32, 16]"), "16 stands twice"),
    "choice twice as another type": (fixed("dropout = [0, 0.0]"), "0.0 stands twice"),
    "choice in a choice": (fixed("batch_size = [[16, 32]]"), "space.batch_size: [16, 32]"),
    "choice is a date": (fixed("batch_size = [2026-11-21]"), "space.batch_size: datetime.date"),
    "choice of both kinds": (fixed("batch_size = [16, '32']"), "'32'"),
    "true for a number": (fixed("batch_size = true"), "space.batch_size: True"),
    "number for true": (fixed("batch_norm = 1"), "space.batch_norm: 1"),
    "nan": (fixed("dropout = nan"), "space.dropout: nan is not a finite number"),
    "inf among choices": (fixed("learning_rate = [0.1, inf]"), "inf is not a finite number"),
    "1e400": (fixed("learning_rate = { low = 1, high = 1e400 }"), "learning_rate.high: inf"),
    "-1e400": (fixed("learning_rate = { low = -1e400, high = 1 }"), "learning_rate.low: -inf"),
    "range of text": (fixed("batch_size = { low = '1', high = 9 }"), "batch_size.low: '1'"),
    "range of bools": (fixed("batch_size = { low = false, high = true }"), "low: False"),
    "reversed range": (fixed("batch_size = { low = 9, high = 1 }"), "low = 9 is above high = 1"),
    "range without end": (fixed("batch_size = { low = 1 }"), "has low; allowed are"),
    "range and choices": (
        fixed("batch_size = { low = 1, high = 9, choices = [3] }"),
        "has choices",
    ),
    "nothing": (fixed("dropout = {}"), "has nothing; allowed are"),
    "step of 0": (fixed("dropout = { low = 0.1, high = 0.5, step = 0 }"), "space.dropout.step: 0"),
    "step back": (fixed("batch_size = { low = 1, high = 9, step = -1 }"), "batch_size.step: -1"),
    "step over the range": (fixed("batch_size = { low = 1, high = 9, step = 20 }"), "step: 20"),
    "step of next to nothing": (
        fixed("dropout = { low = 0.1, high = 0.5, step = 5e-324 }"),
        "space.dropout.step: 5e-324",
    ),
    "step and log": (
        fixed("batch_size = { low = 1, high = 9, step = 2, log = true }"),
        "without log",
    ),
    "log from 0": (fixed("learning_rate = { low = 0, high = 1, log = true }"), "starts above 0"),
    "log from below 0": (fixed("learning_rate = { low = -1, high = 1, log = true }"), "low = -1"),
    "log is a number": (fixed("batch_size = { low = 1, high = 9, log = 1 }"), "batch_size.log: 1"),
    "whole numbers with a point": (fixed("batch_size = { low = 1.5, high = 9 }"), "low: 1.5"),
    "above the largest": (fixed("batch_size = 99999999999999999999"), "the number is too large"),
    "dropout of everything": (fixed("dropout = 1"), "space.dropout: 1.0"),
    "momentum above 1": (fixed("optimizer = 'sgd'\nmomentum = 1.5"), "space.momentum: 1.5"),
    "65 layers": (fixed("dense_layers = 65"), "dense_layers = 65"),
    "convolutions in an MLP": (fixed("conv.filters = 8"), "space.conv.filters: unknown key"),
    "layer 0": (CNN + "'conv.0.filters' = 8\n", "space.conv.0.filters: unknown key"),
    "layer above all": (CNN + "'conv.9.filters' = 8\n", "space.conv.9.filters"),
    "no pixel left": (CNN + "conv.kernel = 9\nconv.padding = 'valid'\n", "no network of this"),
    # one entry and another
    "each of nothing": (
        fixed("dense.units = { choices = [8], each = 'layers' }"),
        "each: 'layers'",
    ),
    "each of a number": (fixed("dense.units = { choices = [8], each = 3 }"), "dense.units.each: 3"),
    "each of what has no layers": (
        fixed("dropout = { value = 0.1, each = 'dense_layers' }"),
        "each",
    ),
    "each and by number": (
        fixed("dense.units = { value = 8, each = 'dense_layers' }\n'dense.1.units' = 8"),
        "given twice",
    ),
    "in training and space": (
        HEAD + "[training]\nbatch_size = 16\n[space]\nbatch_size = 32\n",
        "already chosen in [training]",
    ),
    "condition on nothing": (
        fixed("dropout = { value = 0.1, when = { pool = 'max' } }"),
        "no parameter 'pool' to depend on",
    ),
    "condition on itself": (
        fixed("dropout = { choices = [0.1, 0.2], when = { dropout = 0.1 } }"),
        "no parameter 'dropout' to depend on",
    ),
    "condition is text": (fixed("dropout = { value = 0.1, when = 'sgd' }"), "when: 'sgd'"),
    "condition on no value": (
        fixed("optimizer = ['adam', 'sgd']\nmomentum = { value = 0.5, when = { optimizer = [] } }"),
        "when.optimizer: []",
    ),
    "condition on what is never": (
        fixed(
            "dense_layers = { low = 1, high = 3 }\n"
            "dropout = { value = 0, when = { dense_layers = 4 } }"
        ),
        "4 is never a value of dense_layers",
    ),
    "condition on a long range": (
        fixed(
            f"batch_size = {{ low = 1, high = {2**53} }}\n"
            "dropout = { value = 0, when = { batch_size = 2.5 } }"
        ),
        "2.5 is never a value of batch_size",
    ),
    "conditions in a circle": (
        fixed(
            "optimizer = { choices = ['adam', 'sgd'], when = { schedule = 'cosine' } }\n"
            "schedule = { choices = ['cosine', 'constant'], when = { optimizer = 'sgd' } }"
        ),
        "in a circle: optimizer, schedule",
    ),
    "grid of a range": (
        HEAD + "[search]\nsampler = 'grid'\n[space]\ndropout = { low = 0.1, high = 0.2 }\n",
        "'grid' needs a finite space",
    ),
    "grid of too many": (
        HEAD + f"[search]\nsampler = 'grid'\n[space]\nbatch_size = {{ low = 1, high = {2**53} }}\n",
        "at most 20,000",
    ),
}


@pytest.mark.parametrize("fault", STUDY_FILES)
def test_a_malformed_study_file_is_one_line_and_changes_nothing(place: Path, fault: str) -> None:
    content, names = STUDY_FILES[fault]
    path = place / "bad.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    check_refused(place, "run", "--study", "bad.toml", "--workers", "0", names=names)


def test_a_number_that_cannot_be_written_is_refused(place: Path) -> None:
    text = f"{HEAD}[training]\nepochs = 0x{'f' * 9_999}\n[space]\n"
    (place / "bad.toml").write_text(text)
    check_refused(place, "run", "--study", "bad.toml", "--workers", "0", names="bad.toml")


def put(path: Path, kind: str) -> None:
    """Something that is no file of its own at a path."""
    match kind:
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case "a broken link":
            path.symlink_to("nowhere")
        case "a link to itself":
            path.symlink_to(path.name)
        case "a device":
            path.symlink_to("/dev/zero")


KINDS = ["nothing", "a folder", "a pipe", "a broken link", "a link to itself", "a device"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_study_file_is_not_read(place: Path, kind: str) -> None:
    put(place / "bad.toml", kind)
    check_refused(place, "run", "--study", "bad.toml", names="no study file 'bad.toml'")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_study_file_is_not_among_the_studies(place: Path, kind: str) -> None:
    (place / "studies").mkdir()
    put(place / "studies" / "bad.toml", kind)
    check_refused(place, "run", "--study", "bad", names="no study 'bad'")
    assert "bad" not in {row["study"] for row in json.loads(call("studies", "--json").out)}


# --- command lines

RUN = ("run", "--study", "good.toml", "--workers", "0")
TOP, STATUS, TEST = (("top", "--study", "small"), ("status", "--study", "small"), ("test",))
REPLAY = ("replay", "--study", "small")

COMMAND_LINES: list[tuple[tuple[str, ...], str]] = [
    # commands
    (("",), "''"),
    (("Run",), "'Run'"),
    (("run ",), "'run '"),
    (("../run",), "'../run'"),
    (("données",), "'données'"),
    (("train", "--study", "good.toml"), "'train'"),
    (("--study", "good.toml", "run"), "--study"),
    (("--verbose",), "--verbose"),
    (("--versio",), "--versio"),
    (("data",), "command"),
    (("data", "delete"), "'delete'"),
    # run
    (("run",), "--study"),
    (("run", "--study"), "--study"),
    (("run", "good.toml"), "--study"),
    (("run", "--study", ""), "no study ''"),
    (("run", "--study", "."), "'.'"),
    (("run", "--study", "/"), "'/'"),
    (("run", "--study", "goood"), "no study 'goood'"),
    (("run", "--study", "cnn-fashon"), "did you mean cnn-fashion"),
    (("run", "--study", "../good.toml"), "'../good.toml'"),
    (("run", "--study", f"{LONG}.toml"), "no study file"),
    (("run", "--study", f"{LONG}/x.toml"), "no study file"),
    (("run", "--study", "runs/hpsearch.db"), "not TOML"),
    (("run", "--study", "a\nb.toml"), "'a\\nb.toml'"),
    (("run", "--study", f"{CLEAR}.toml"), "'\\x1b[2J.toml'"),
    (("run", "--study", "\udcff.toml"), "'\\udcff.toml'"),  # as Python reads the byte 0xff
    ((*RUN, "extra"), "extra"),
    ((*RUN, "--frob"), "--frob"),
    ((*RUN, "--trial", "3"), "--trial"),
    ((*RUN, "--plain=yes"), "--plain"),
    ((*RUN, "--trials"), "--trials"),
    ((*RUN, "--trials", ""), "--trials"),
    ((*RUN, "--trials", "0"), "--trials"),
    ((*RUN, "--trials", "-1"), "--trials"),
    ((*RUN, "--trials", "1.5"), "--trials"),
    ((*RUN, "--trials", "nan"), "--trials"),
    ((*RUN, "--trials", "1e3"), "--trials"),
    ((*RUN, "--trials", "1000001"), "--trials"),
    ((*RUN, "--trials", "9" * 5_000), "--trials"),
    ((*RUN, "--workers", "-1"), "--workers"),
    ((*RUN, "--workers", "1025"), "--workers"),
    ((*RUN, "--workers", "all"), "--workers"),
    ((*RUN, "--workers-per-gpu", "0"), "--workers-per-gpu"),
    ((*RUN, "--timeout", ""), "--timeout ''"),
    ((*RUN, "--timeout", "0"), "--timeout '0'"),
    ((*RUN, "--timeout", "-5m"), "--timeout '-5m'"),
    ((*RUN, "--timeout", "inf"), "--timeout 'inf'"),
    ((*RUN, "--timeout", "nanh"), "--timeout 'nanh'"),
    ((*RUN, "--timeout", "1e400s"), "--timeout '1e400s'"),
    ((*RUN, "--timeout", "5 minutes"), "--timeout '5 minutes'"),
    ((*RUN, "--timeout", "s"), "--timeout 's'"),
    ((*RUN, "--timeout", "1\n2"), "--timeout '1\\n2'"),
    ((*RUN, "--trial-timeout", "0h"), "--trial-timeout '0h'"),
    ((*RUN, "--trial-timeout", f"{CLEAR}"), "--trial-timeout '\\x1b[2J'"),
    ((*RUN, "--device", ""), "--device"),
    ((*RUN, "--device", "tpu"), "--device tpu"),
    ((*RUN, "--device", "CPU"), "--device CPU"),
    ((*RUN, "--device", "cuda:"), "--device cuda:"),
    ((*RUN, "--device", "cuda:-1"), "--device cuda:-1"),
    ((*RUN, "--device", "cuda:0,,1"), "--device cuda:0,,1"),
    ((*RUN, "--device", "cuda:٣٤٥"), "--device cuda:٣٤٥"),  # digits, in Arabic
    ((*RUN, "--device", "cpu:0"), "--device cpu:0"),
    *(
        ((*RUN, "--name", name), written)
        for name, written in [
            ("", "name: ''"),
            (".", "name: '.'"),
            ("..", "name: '..'"),
            ("../small", "name: '../small'"),
            ("a/b", "name: 'a/b'"),
            ("/etc/passwd", "name: '/etc/passwd'"),
            ("a\\b", "name: 'a\\\\b'"),
            ("-small", "name: '-small'"),
            (".small", "name: '.small'"),
            ("small ", "name: 'small '"),
            ("small\n", "name: 'small\\n'"),
            ("small\0", "name: 'small\\x00'"),
            ("small\x7f", "name: 'small\\x7f'"),
            (CLEAR, "name: '\\x1b[2J'"),
            (BACKWARDS, "name: '\\u202e'"),
            ("\udcff", "name: '\\udcff'"),
            ("petit-modèle", "name: 'petit-modèle'"),
            ("ｓｍａｌｌ", "name: 'ｓｍａｌｌ'"),
            ("small'; DROP TABLE studies; --", "name: "),
            (LONG, "name: 'xxx"),
        ]
    ),
    # looking at a study
    *(
        ((command, "--study", name, *more), shown)
        for command, more in [
            ("status", ()),
            ("top", ()),
            ("test", ()),
            ("replay", ("--trial", "0")),
        ]
        for name, shown in [
            ("smal", "did you mean small?"),
            ("../small", "no study '../small'"),
            ("small\n", "no study 'small\\n'"),
            (f"small{CLEAR}", "no study 'small\\x1b[2J'"),
            ("small.toml", "no study 'small.toml'"),
            ("", "no study ''"),
        ]
    ),
    (("status",), "--study"),
    (("status", "small"), "--study"),
    ((*STATUS, "-n", "3"), "-n"),
    (("status", "--study", LONG), "no study 'xxx"),
    ((*TOP, "-n", "0"), "-n"),
    ((*TOP, "-n", "many"), "-n"),
    ((*TOP, "-n"), "-n"),
    ((*TOP, "--json", "--csv", "-"), "--csv and --json"),
    ((*TOP, "--csv", ""), "folder"),
    ((*TOP, "--csv", "runs"), "runs is a folder"),
    ((*TOP, "--csv", "nowhere/top.csv"), "no folder nowhere"),
    ((*TOP, "--csv", "good.toml/top.csv"), "no folder good.toml"),
    (TEST, "--study"),
    ((*TEST, "--study", "small", "--device", "tpu"), "--device tpu"),
    ((*TEST, "--study", "small", "--workers", "two"), "--workers"),
    (REPLAY, "--trial"),
    ((*REPLAY, "--trial", "-1"), "--trial"),
    ((*REPLAY, "--trial", "0x1"), "--trial"),
    ((*REPLAY, "--trial", "2"), "no epochs of a trial 2"),
    ((*REPLAY, "--trial", "9" * 18), "no epochs of a trial 999"),
    ((*REPLAY, "--trial", "0", "--device", "tpu"), "--device tpu"),
    (("studies", "small"), "small"),
    (("studies", "--csv", "-"), "--csv"),
    (("dashboard", "--port", "0"), "--port"),
    (("dashboard", "--port", "65536"), "--port"),
    (("dashboard", "--port", "http"), "--port"),
    (("dashboard", "--study", "small"), "--study"),
    # data sets
    (("data", "list", "digits"), "digits"),
    (("data", "get"), "argument"),
    (("data", "get", "imagenet"), "'imagenet'"),
    (("data", "get", "../mnist"), "'../mnist'"),
    (("data", "get", "DIGITS"), "'DIGITS'"),
    (("data", "get", "digits", "mnist"), "mnist"),
    (("data", "get", CLEAR), "'\\x1b[2J'"),
    (("data", "show"), "argument"),
    (("data", "show", ""), "''"),
    (("data", "show", "a\nb"), "'a\\nb'"),
    (("data", "show", "digits", "-o", "good.toml"), "good.toml is a file, not a folder"),
    (("data", "show", "digits", "--study", "nothing"), "'nothing'"),
    (("data", "show", "mnist", "--study", "good.toml"), "on digits, not on mnist"),
    (("data", "show", "digits", "--home", "good.toml"), "good.toml/reports"),
]


@pytest.mark.parametrize(
    ("words", "names"), COMMAND_LINES, ids=[ascii(" ".join(w))[1:60] for w, _ in COMMAND_LINES]
)
def test_a_malformed_command_line_is_one_line_and_changes_nothing(
    place: Path, words: tuple[str, ...], names: str
) -> None:
    check_refused(place, *words, names=names)


@pytest.mark.parametrize(
    "words",
    [
        (*STATUS, "--home", "x" * 300),
        (*RUN, "--home", "x" * 300),
        (*TOP, "--csv", "x" * 300),
        ("data", "show", "digits", "-o", "x" * 300),
        ("data", "get", "mnist", "--data-dir", "x" * 300),
    ],
    ids=lambda words: " ".join(words[:-1]),
)
def test_a_name_that_is_too_long_for_a_file_is_refused(place: Path, words: tuple[str, ...]) -> None:
    check_refused(place, *words, names="xxx")


@pytest.mark.parametrize("command", [RUN, STATUS, TOP, (*REPLAY, "--trial", "0"), ("dashboard",)])
@pytest.mark.parametrize("home", ["good.toml", "good.toml/runs", "/dev/null", "broken"])
def test_a_home_that_cannot_be_one_is_refused(
    place: Path, command: tuple[str, ...], home: str
) -> None:
    put(place / "broken", "a link to itself")
    check_refused(place, *command, "--home", home, names=home)


# --- databases


STORAGES = [
    ("nonsense", "'nonsense'"),
    ("sqlite", "'sqlite'"),
    (f"{CLEAR}", "'\\x1b[2J'"),
    ("sqlite:///folder", "folder"),
    ("sqlite:///letter.db", "letter.db is not an SQLite database"),
    ("sqlite:///good.toml", "good.toml is not an SQLite database"),
    ("sqlite:///songs.db", "songs.db"),
    ("sqlite:///cut.db", "cut.db"),
    ("sqlite:///good.toml/x.db", "good.toml/x.db"),
    ("mysql://me:secret@localhost/x", "me:***@"),
    ("foo://x", "foo"),
    ("http://localhost/x", "http"),
]


@pytest.fixture
def other_files(place: Path) -> Path:
    """The working directory with files of other programs in it."""
    (place / "folder").mkdir()
    (place / "letter.db").write_text("Dear aunt, this is not a database.")
    (place / "cut.db").write_bytes((place / "runs" / "hpsearch.db").read_bytes()[:5_000])
    for name, table in (("songs.db", "songs"), ("students.db", "studies")):
        with contextlib.closing(sqlite3.connect(place / name)) as database, database:
            database.execute(f"CREATE TABLE {table} (title)")
            database.execute(f"INSERT INTO {table} VALUES ('Winterreise')")
    return place


@pytest.mark.parametrize("command", [RUN, STATUS, (*TEST, "--study", "small"), ("dashboard",)])
@pytest.mark.parametrize(("url", "names"), STORAGES, ids=[ascii(url) for url, _ in STORAGES])
def test_what_is_not_a_database_of_ours_is_refused(
    other_files: Path, command: tuple[str, ...], url: str, names: str
) -> None:
    check_refused(other_files, *command, "--storage", url, names=names)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://me:secret@host/x",
        "postgresql://host:port/x",
    ],
)
@pytest.mark.parametrize("command", [RUN, STATUS, ("studies",)])
def test_a_url_that_only_looks_like_one_is_refused(
    place: Path, command: tuple[str, ...], url: str
) -> None:
    check_refused(place, *command, "--storage", url, names="--storage")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(place: Path, url: str) -> None:
    check_refused(place, *RUN, "--storage", url, names="--storage")


def test_a_database_with_other_studies_is_refused(other_files: Path) -> None:
    check_refused(other_files, *RUN, "--storage", "sqlite:///students.db", names="students.db")


def test_a_home_with_a_per_cent_sign_has_its_own_database(place: Path) -> None:
    shutil.copytree(place / "runs", place / "a%20b")
    assert call(*STATUS, "--home", "a%20b").status == 0


# --- data sets


FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
FASHION = ("run", "--study", "fashion.toml", "--workers", "0")


@pytest.fixture
def fashion(place: Path) -> Path:
    """The folder for Fashion-MNIST's files, and a study file for it."""
    (place / "fashion.toml").write_text(GOOD.replace("digits", "fashion-mnist"))
    folder = place / "data" / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("command", [FASHION, ("data", "get"), ("data", "show")])
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"<html>not found</html>"])
def test_damaged_data_is_refused(
    place: Path, fashion: Path, command: tuple[str, ...], content: bytes
) -> None:
    for name in FILES:
        (fashion / name).write_bytes(content)
    words = command if command == FASHION else (*command, "fashion-mnist")
    check_refused(place, *words, names=f"{len(content)} bytes, not 47,040,016")


@pytest.mark.parametrize("kind", ["a folder", "a pipe"])
def test_data_that_are_no_files_are_refused(place: Path, fashion: Path, kind: str) -> None:
    for name in FILES:
        put(fashion / name, kind)
    check_refused(place, "data", "get", "fashion-mnist", names="it is not a file")


@pytest.mark.parametrize("command", ["get", "show"])
def test_a_data_folder_that_is_a_file_is_refused(place: Path, command: str) -> None:
    check_refused(place, "data", command, "mnist", "--data-dir", "good.toml", names="good.toml")


def test_damaged_data_leave_no_database_behind(place: Path, fashion: Path) -> None:
    for name in FILES:
        (fashion / name).write_bytes(b"")
    check_refused(place, *FASHION, "--home", "new", names="0 bytes")


def test_another_file_under_a_stored_name_leaves_no_split_behind(place: Path) -> None:
    (place / "small.toml").write_text(GOOD)
    check_refused(place, "run", "--study", "small.toml", names="was started with another file")


# --- the dashboard's address


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid"])
def test_an_address_that_is_not_free_is_refused(place: Path, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = call("dashboard", "--port", port, "--host", host)
    assert answer.status == 2
    assert "Traceback" not in answer.err


# --- what reaches a terminal


@pytest.mark.parametrize("text", [CLEAR, "\a", BACKWARDS, "\x7f", "\x9b2J"], ids=ascii)
@pytest.mark.parametrize(
    "words",
    [
        ("run", "--study", "{}"),
        ("run", "--study", "{}.toml"),
        (*RUN, "--name", "{}"),
        (*RUN, "--timeout", "{}"),
        (*RUN, "--trials", "{}"),
        ("status", "--study", "{}"),
        ("data", "get", "{}"),
        ("{}",),
        ("run", "--study", "odd {}/bad.toml"),
        (*STATUS, "--home", "{}"),
        (*STATUS, "--storage", "sqlite:///{}"),
        (*TOP, "--csv", "{}/top.csv"),
    ],
    ids=" ".join,
)
def test_no_control_character_of_an_argument_reaches_the_terminal(
    place: Path, words: tuple[str, ...], text: str
) -> None:
    folder = place / f"odd {text}"
    folder.mkdir()
    (folder / "bad.toml").write_text("dataset = ")
    answer = call(*(word.format(text) for word in words), stream=Terminal)
    assert answer.status == 2
    assert answer.err.startswith("error: ")
    assert answer.err.removesuffix("\n").isprintable()


def test_no_control_character_of_a_path_reaches_the_terminal(place: Path) -> None:
    out = call("data", "show", "digits", "-o", f"odd {CLEAR}{BACKWARDS}").out
    assert "by-class.png" in out
    assert out.replace("\n", "").isprintable()


def test_no_control_character_of_a_description_reaches_the_terminal(place: Path) -> None:
    (place / "studies").mkdir()
    text = 'description = "one\\u001b[2Jtwo\\u0007"\n' + GOOD
    (place / "studies" / "odd.toml").write_text(text)
    out = call("studies").out
    assert "odd" in out
    assert out.replace("\n", "").isprintable()


# --- rules for every file and every command line


DOCUMENT = tomllib.loads(FULL)
in_a_folder = settings(
    derandomize=True,
    max_examples=100,
)


def check_loading(path: Path, content: bytes) -> StudySpec | None:
    """The study, if the file is one; otherwise its one printable line is checked."""
    path.write_bytes(content)
    try:
        return load_study_file(path)
    except StudyFileError as error:
        line = str(error)
    assert line.startswith(f"{path}: ")
    assert line.isprintable()
    assert len(line) < 1_500 + len(str(path))
    return None


def toml(value: object) -> str:
    """A value as TOML writes it."""
    match value:
        case dict():
            pairs = (f"{json.dumps(key)} = {toml(item)}" for key, item in value.items())
            return f"{{ {', '.join(pairs)} }}"
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case bool() | str():
            return json.dumps(value)
        case date():
            return value.isoformat()
        case _:
            return repr(value)


def toml_file(document: dict[str, Any]) -> bytes:
    lines = [f"{json.dumps(key)} = {toml(value)}\n" for key, value in document.items()]
    return "".join(lines).encode("utf-8", "backslashreplace")


def test_the_files_that_are_damaged_below_are_good_ones(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    assert check_loading(path, FULL.encode()) is not None
    assert check_loading(path, toml_file(DOCUMENT)) is not None


@st.composite
def damaged_lines(draw: st.DrawFn) -> bytes:
    """FULL with some lines dropped, doubled, exchanged or moved out of their table."""
    lines = FULL.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 3))):
        index, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        match draw(st.sampled_from(["drop", "double", "exchange", "join"])):
            case "drop":
                del lines[index]
            case "double":
                lines.insert(other, lines[index])
            case "exchange":
                lines[index], lines[other] = lines[other], lines[index]
            case "join":
                lines[index] = lines[index].rstrip("\n")
    return "".join(lines).encode()


@st.composite
def damaged_bytes(draw: st.DrawFn) -> bytes:
    """FULL with some bytes dropped, doubled or turned into others."""
    content = bytearray(FULL.encode())
    for _ in range(draw(st.integers(1, 4))):
        if not content:  # cut to one byte, and that one dropped
            break
        index = draw(st.integers(0, len(content) - 1))
        match draw(st.sampled_from(["drop", "double", "flip", "any", "cut"])):
            case "drop":
                del content[index]
            case "double":
                content.insert(index, content[index])
            case "flip":
                content[index] ^= 1 << draw(st.integers(0, 7))
            case "any":
                content[index] = draw(st.integers(0, 255))
            case "cut":
                content = content[: index + 1]
    return bytes(content)


INSERTS = ["inf", "nan", "'", '"', "[", "]", "{", "}", "=", "\n", "0", ".", "-", "[a]"]


@st.composite
def damaged_stretch(draw: st.DrawFn) -> bytes:
    """FULL with a stretch of it replaced by something else."""
    content = FULL.encode()
    start, length = draw(st.integers(0, len(content))), draw(st.integers(0, 30))
    insert = draw(st.binary(max_size=5) | st.sampled_from(INSERTS).map(str.encode))
    return content[:start] + insert + content[start + length :]


@given(damaged_lines() | damaged_bytes() | damaged_stretch())
@settings(in_a_folder, max_examples=200, derandomize=False)
def test_a_damaged_text_is_a_study_or_one_printable_line(tmp_path: Path, content: bytes) -> None:
    check_loading(tmp_path / "study.toml", content)


odd_values = st.recursive(
    st.none().map(lambda _: {})
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([0, 1, 2, 3, 64, 65])
    | st.floats()
    | st.sampled_from(["", "sgd", "grid", "tpe", "none", "conv_layers", "30m", "../x", CLEAR, LONG])
    | st.text(max_size=8)
    | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["low", "high", "step", "log", "choices", "value", "each", "when"])
            | st.sampled_from(["name", "wrapped", "optimizer", "conv.1.filters", CLEAR])
            | st.text(max_size=4),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to every value of a document, in a table or in a list."""
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    below = [place for key, item in items for place in places(item, (*path, key))]
    return [(*path, key) for key, _ in items] + below


@given(st.sampled_from(places(DOCUMENT)), odd_values)
@in_a_folder
def test_any_value_anywhere_gives_a_study_or_one_printable_line(
    tmp_path: Path, where: tuple[str | int, ...], value: object
) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    table = document
    for key in where[:-1]:
        table = table[key]
    table[where[-1]] = value
    check_loading(tmp_path / "study.toml", toml_file(document))


@given(st.dictionaries(st.sampled_from([*DOCUMENT, "spaces"]) | st.text(max_size=3), odd_values))
@in_a_folder
def test_any_document_gives_a_study_or_one_printable_line(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    check_loading(tmp_path / "study.toml", toml_file(document))


STARTS = [
    *["run", "run --study good.toml", "run --study cnn-digits", "studies", "status"],
    *["status --study small", "top --study small", "test --study small", "dashboard"],
    *["replay --study small --trial 0", "data", "data list", "data get digits", "data show digits"],
    *["data get mnist", "data show", "--version", "--help", ""],
]
OPTIONS = [
    *["--study", "--name", "--trials", "--workers", "--device", "--workers-per-gpu", "--plain"],
    *["--timeout", "--trial-timeout", "--test", "--no-test", "--restart", "--home", "--storage"],
    *["--data-dir", "--json", "-n", "--csv", "--again", "--trial", "--host", "--port", "-o"],
    *["--help", "--", "-", "--frob", "-x", "--trials=3", "--study=small", "--json=yes"],
]
VALUES = [
    *["small", "good.toml", "cnn-digits", "digits", "mnist", "list", "get", "show", "runs", "auto"],
    *["0", "1", "-1", "1e9", "nan", "30m", "cpu", "cuda:9", "sqlite:///x.db", "sqlite:///runs"],
    *["", " ", "..", "../x", "a b", "a\nb", "é", BACKWARDS, CLEAR, "{}", "%s", "[bold]", "'"],
]
words = st.sampled_from(OPTIONS) | st.sampled_from(VALUES) | st.text("ab-=.0\u2028", max_size=4)
options = st.tuples(st.sampled_from(OPTIONS), st.sampled_from(VALUES)) | st.tuples(words)


@given(st.sampled_from(STARTS), st.lists(options, max_size=4))
@settings(in_a_folder, max_examples=150)
def test_any_words_are_answered_without_a_traceback(
    place: Path, start: str, more: list[tuple[str, ...]]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise RunFailedError("this test trains and serves nothing")

    def offline(*_: object) -> None:
        raise DataError("this test has no network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hpsearch.run_view.run_study", stop)
        patch.setattr("hpsearch.replay.replay_trial", stop)
        patch.setattr("hpsearch.dashboard.server.serve_dashboard", stop)
        patch.setattr("hpsearch.data.files._download", offline)
        before = contents(place / "runs")
        answer = call(*start.split(), *(word for words in more for word in words))
    assert answer.status in (0, 1, 2)
    if answer.status == 2:
        assert answer.err.startswith("error: ")
        assert answer.err.count("\n") == 1
        assert contents(place / "runs") == before
    study = place / "runs" / "hpsearch.db"
    assert study.read_bytes() == before[str(study)]
