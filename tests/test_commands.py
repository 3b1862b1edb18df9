import csv
import io
import json
import os
import shlex
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from command_line import SMALL, Answer, CommandLine, tree

from hpsearch.home import Home


def test_a_run_says_where_the_study_is_and_ends_with_top_test_and_savings(
    hpsearch: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    answer = hpsearch("run", "--study", "small.toml", "--workers", "0", "--trials", "2")
    assert answer.status == 0
    assert "database: sqlite:///runs/hpsearch.db" in answer.err
    assert "hpsearch dashboard --home runs" in answer.err
    assert "[2/2] trial 1 complete" in answer.err
    assert "small: 2 trials finished" in answer.out
    assert "test: trial " in answer.out
    assert "read once" in answer.out
    assert "saved: " in answer.out


def test_the_same_run_again_trains_nothing_and_shows_the_result(
    hpsearch: CommandLine, finished: Path
) -> None:
    before = json.loads(hpsearch("status", *at(finished), "--json").out)
    answer = hpsearch(
        "run", "--study", str(finished / "small.toml"), "--home", str(finished / "runs")
    )
    assert answer.status == 0
    assert "test: trial " in answer.out
    assert json.loads(hpsearch("status", *at(finished), "--json").out) == before


def test_a_replay_says_whether_the_trial_came_out_the_same(
    hpsearch: CommandLine, finished: Path
) -> None:
    answer = hpsearch("replay", *at(finished), "--trial", "1")
    assert answer.status == 0
    assert answer.out.startswith("trial 1 of study small, 3 epochs on cpu")
    assert "the same, bit for bit" in answer.out
    assert json.loads(hpsearch("replay", *at(finished), "--trial", "1", "--json").out)["is_same"]
    database = sqlite3.connect(finished / "runs" / "hpsearch.db")
    with closing(database), database:
        database.execute("UPDATE hpsearch_epochs SET loss = loss + 1e-9 WHERE trial = 2")
    answer = hpsearch("replay", *at(finished), "--trial", "2")
    assert answer.status == 1
    assert "NOT the same" in answer.out


def test_trials_beyond_the_budget_stay_running_and_it_is_said_how_to_carry_them_on(
    hpsearch: CommandLine, finished: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished / "runs", copy)
    database = sqlite3.connect(copy / "hpsearch.db")
    with closing(database), database:
        database.execute("UPDATE trials SET state = 'RUNNING' WHERE number = 3")
        database.execute("UPDATE hpsearch_test_readings SET finished = NULL")
    options = ("--study", str(finished / "small.toml"), "--home", str(copy), "--workers", "0")
    answer = hpsearch("run", *options, "--trials", "2")
    assert answer.status == 0
    assert "small: 3 trials finished" in answer.out
    assert "; 1 trial left to be carried on" in answer.out
    command = shlex.join(["hpsearch", "run", *options, "--trials", "4"])
    assert answer.out.endswith(f"\nto carry on: {command}\n")
    state = json.loads(hpsearch("status", "--study", "small", "--home", str(copy), "--json").out)
    assert (state["target"], state["trials"]["running"], state["carry_on"]) == (2, 1, command)
    assert "4 trials finished" in hpsearch(*shlex.split(command)[1:]).out
    state = json.loads(hpsearch("status", "--study", "small", "--home", str(copy), "--json").out)
    assert (state["target"], state["trials"]["running"]) == (4, 0)


def at(finished: Path) -> tuple[str, ...]:
    return "--study", "small", "--home", str(finished / "runs")


def test_a_table_is_written_to_what_is_there(
    hpsearch: CommandLine, finished: Path, tmp_path: Path
) -> None:
    """A link's target, and a pipe, not what has their name."""
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert hpsearch("top", *at(finished), "--csv", str(tmp_path / "link.csv")).status == 0
    assert (tmp_path / "link.csv").is_symlink()
    expected = (tmp_path / "real.csv").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as pool:
        reader = pool.submit((tmp_path / "pipe").read_bytes)
        assert hpsearch("top", *at(finished), "--csv", str(tmp_path / "pipe")).status == 0
    assert reader.result() == expected
    assert (tmp_path / "pipe").is_fifo()


def test_top_all_tells_what_became_of_every_trial(
    hpsearch: CommandLine, finished: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished / "runs", copy)
    database = sqlite3.connect(copy / "hpsearch.db")
    with closing(database), database:
        reason = json.dumps('=1+2, it said "no" \x1b[2J')
        for statement in (
            "UPDATE trials SET state = 'FAIL' WHERE number = 1",
            "UPDATE trials SET state = 'RUNNING', datetime_complete = NULL WHERE number = 2",
            "UPDATE trial_user_attributes SET value_json = '\"error\"'"
            " WHERE key = 'outcome' AND trial_id = 2",
        ):
            database.execute(statement)
        insert = "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (2, ?, ?)"
        database.execute(insert, ("reason", reason))
    options = ("--study", "small", "--home", str(copy), "--all")
    rows = json.loads(hpsearch("top", *options, "--json").out)
    assert [row["trial"] for row in rows] == [0, 1, 2, 3]
    assert [row["outcome"] for row in rows] == ["complete", "error", "running", "complete"]
    assert rows[1]["reason"] == '=1+2, it said "no" \x1b[2J'
    assert rows[2]["end"] == ""
    table = list(csv.DictReader(io.StringIO(hpsearch("top", *options, "--csv", "-").out)))
    assert [float(row["value"]) for row in table] == [row["value"] for row in rows]
    assert table[1]["reason"].startswith("'=1+2"), "no formula"
    lines = hpsearch("top", *options).out.splitlines()
    assert len(lines) == 5
    assert "error" in lines[2]
    assert "\x1b" not in lines[2]


def test_a_password_is_in_no_record_and_no_line(
    hpsearch: CommandLine, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql+psycopg://me:secret@127.0.0.1:1/db"
    for command in (("run", "--study", "cnn-digits"), ("status", "--study", "s"), ("studies",)):
        answer = hpsearch(*command, "--storage", url)
        assert answer.status == 2
        assert "me:***@" in answer.err
        assert "secret" not in answer.err + answer.out
    monkeypatch.setenv("HPSEARCH_STORAGE", url)
    answer = hpsearch("status", "--study", "small")
    assert (answer.status, "secret" in answer.err) == (2, False)


def test_status_json_has_what_the_documentation_promises(
    hpsearch: CommandLine, finished: Path
) -> None:
    state = json.loads(hpsearch("status", *at(finished), "--json").out)
    assert {key: state[key] for key in ("study", "dataset", "model", "objective", "target")} == {
        "study": "small",
        "dataset": "digits",
        "model": "mlp",
        "objective": "val_accuracy",
        "target": 4,
    }
    assert state["trials"] == {
        "complete": 4,
        "pruned": 0,
        "failed": 0,
        "running": 0,
        "waiting": 0,
        "duplicate": 0,
    }
    assert state["best"]["params"].keys() == {"batch_size", "learning_rate"}
    assert (state["epochs_trained"], state["epochs_saved"]) == (12, 0)
    assert state["wall_seconds"] > 0 < state["train_seconds"]
    assert state["methods"] == {"fp32, contiguous, written-out": 4}
    assert state["test"].keys() == {
        "trial",
        "seeds",
        "accuracy_mean",
        "accuracy_std",
        "balanced_accuracy_mean",
        "balanced_accuracy_std",
        "loss_mean",
        "loss_std",
        "test_set_readings",
        "trials_since",
    }
    assert (state["test"]["seeds"], state["test"]["test_set_readings"]) == (2, 1)
    assert state["owner"] is None


def test_top_json_and_csv_hold_the_same_rows_best_first(
    hpsearch: CommandLine, finished: Path
) -> None:
    rows = json.loads(hpsearch("top", *at(finished), "-n", "3", "--json").out)
    table = list(csv.DictReader(io.StringIO(hpsearch("top", *at(finished), "--csv", "-").out)))
    measures = [
        "val_accuracy",
        "val_loss",
        "accuracy",
        "loss",
        "epochs",
        "duration_s",
        "start",
        "end",
    ]
    assert list(table[0]) == ["rank", "trial", "batch_size", "learning_rate", *measures]
    assert list(rows[0]) == ["rank", "trial", "params", *measures, "val_balanced_accuracy"]
    assert rows[0]["val_balanced_accuracy"] is None, "that is not the objective"
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert rows[0]["val_accuracy"] >= rows[1]["val_accuracy"] >= rows[2]["val_accuracy"]
    assert len(table) == 4
    for row, line in zip(rows, table, strict=False):
        assert float(line["learning_rate"]) == row["params"]["learning_rate"]
        assert [float(line[m]) for m in measures[:-2]] == [row[m] for m in measures[:-2]]
    start, end = (datetime.fromisoformat(rows[0][key]) for key in ("start", "end"))
    assert start.tzinfo is not None
    assert start <= end


def test_csv_goes_to_a_file_with_rfc_4180_line_ends(
    hpsearch: CommandLine, finished: Path, tmp_path: Path
) -> None:
    assert hpsearch("top", *at(finished), "--csv", "top.csv").out == ""
    lines = (tmp_path / "top.csv").read_bytes().split(b"\r\n")
    assert len(lines) == 6
    assert lines[-1] == b""


def test_test_prints_the_stored_result_and_reads_nothing(
    hpsearch: CommandLine, finished: Path
) -> None:
    first = json.loads(hpsearch("test", *at(finished), "--json").out)
    again = json.loads(hpsearch("test", *at(finished), "--json").out)
    assert first == again
    assert first["test_set_readings"] == 1
    assert len(first["evaluations"]) == 2
    for evaluation in first["evaluations"]:
        assert sum(map(sum, evaluation["confusion"])) == 360
        right = sum(row[i] for i, row in enumerate(evaluation["confusion"]))
        assert evaluation["accuracy"] == right / 360
    assert "confusion" in hpsearch("test", *at(finished)).out


def test_a_second_reading_needs_a_flag_and_is_counted(
    hpsearch: CommandLine, finished: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "copy")
    where = at(tmp_path / "copy")
    stored = json.loads(hpsearch("test", *where, "--json").out)
    again = json.loads(hpsearch("test", *where, "--again", "--workers", "0", "--json").out)
    assert again["test_set_readings"] == 2
    assert again["accuracy_mean"] == stored["accuracy_mean"]


def test_no_test_leaves_the_test_to_the_test_command(hpsearch: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    hpsearch("run", "--study", "small.toml", "--workers", "0", "--trials", "1", "--no-test")
    assert json.loads(hpsearch("status", "--study", "small", "--json").out)["test"] is None
    assert "test: trial 0" in hpsearch("test", "--study", "small", "--workers", "0").out
    assert json.loads(hpsearch("status", "--study", "small", "--json").out)["test"]["seeds"] == 2


def test_studies_lists_files_and_stored_studies(hpsearch: CommandLine, finished: Path) -> None:
    listing = json.loads(hpsearch("studies", "--home", str(finished / "runs"), "--json").out)
    rows = {row["study"]: row for row in listing}
    assert rows["small"]["stored"]
    assert rows["small"]["state"] == "4 of 4 trials"
    assert not rows["cnn-fashion"]["stored"]
    assert {"mlp-fashion", "cnn-digits", "mlp-digits", "cnn-fashion-wide"} <= rows.keys()


def test_data_commands_describe_a_data_set(hpsearch: CommandLine, tmp_path: Path) -> None:
    rows = {row["name"]: row for row in json.loads(hpsearch("data", "list", "--json").out)}
    assert rows["fashion-mnist"]["num_train"] == 60_000
    assert "complete and checked" in hpsearch("data", "get", "digits").out
    (tmp_path / "pictures").mkdir()
    shown = hpsearch("data", "show", "digits", "-o", "pictures").out
    assert "360" in shown
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [p.name for p in pictures] == ["digits-by-class.png", "digits-first-25.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") and str(p.name) in shown for p in pictures)


def test_a_data_set_is_shown_under_a_study_s_split(hpsearch: CommandLine, tmp_path: Path) -> None:
    def num_shown(*words: str) -> tuple[int, int]:
        classes = json.loads(hpsearch("data", "show", "digits", "--json", *words).out)["classes"]
        return sum(c["train"] for c in classes), sum(c["validation"] for c in classes)

    file = tmp_path / "quarter.toml"
    file.write_text(SMALL.replace("subset = 300", "subset = 400\nvalidation = 0.25"))
    assert num_shown("--study", str(file)) == (300, 100)
    assert num_shown() == (1437 - 216, 216)
    assert "on digits, not on mnist" in hpsearch("data", "show", "mnist", "--study", str(file)).err


STUDY_MISTAKES = {
    "syntax": ("dataset = ", "not TOML"),
    "unknown key": (SMALL.replace("epochs", "epoch"), "training.epoch"),
    "wrong type": (SMALL.replace("epochs = 3", 'epochs = "three"'), "training.epochs"),
    "empty choice": (SMALL.replace("[16, 32]", "[]"), "space.batch_size"),
    "low above high": (SMALL.replace("low = 1e-3", "low = 1.0"), "space.learning_rate"),
    "log from 0": (SMALL.replace("low = 1e-3", "low = 0"), "space.learning_rate"),
    "lost condition": (
        SMALL.replace("[16, 32]", "{ choices = [16, 32], when = { pool = 1 } }"),
        "space.batch_size.when.pool",
    ),
    "no pixel left": (
        SMALL.replace('"mlp"', '"cnn"').replace(
            "[space]", '[space]\n"conv.padding" = "valid"\n"conv.kernel" = 5'
        ),
        "no network of this space can be built",
    ),
}


@pytest.mark.parametrize("mistake", STUDY_MISTAKES)
def test_a_mistake_in_a_study_file_is_one_line_and_changes_nothing(
    hpsearch: CommandLine, tmp_path: Path, mistake: str
) -> None:
    text, named = STUDY_MISTAKES[mistake]
    (tmp_path / "wrong.toml").write_text(text)
    answer = hpsearch("run", "--study", "wrong.toml")
    check_refusal(answer, "wrong.toml", named)
    assert list(tmp_path.iterdir()) == [tmp_path / "wrong.toml"]


def check_refusal(answer: Answer, *words: str) -> None:
    """One line on stderr that has these words, nothing on stdout, exit code 2."""
    assert answer.status == 2
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    for word in words:
        assert word in answer.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("run", "--study", "cnn-fashon"), "cnn-fashion"),
        (("run", "--study", "nowhere/cnn.toml"), "nowhere/cnn.toml"),
        (("run", "--study", "cnn-digits", "--trials", "0"), "--trials"),
        (("run", "--study", "cnn-digits", "--trials", "-3"), "--trials"),
        (("run", "--study", "cnn-digits", "--trials", "x"), "--trials"),
        (("run", "--study", "cnn-digits", "--timeout", "soon"), "soon"),
        (
            ("run", "--study", "cnn-digits", "--timeout", "0s"),
            "--timeout '0s': write a time above 0",
        ),
        (("run", "--study", "cnn-digits", "--trial-timeout", "0s"), "--trial-timeout '0s'"),
        (("run", "--study", "cnn-digits", "--device", "tpu"), "--device tpu"),
        (("run", "--study", "cnn-digits", "--device", "cuda:77"), "--device cuda:77"),
        (("run", "--study", "cnn-digits", "--name", "../up"), "../up"),
        (("run", "--study", "cnn-digits", "--storage", "nonsense"), "nonsense"),
        (("status", "--study", "cnn-digits"), "hpsearch run"),
        (("replay", "--study", "cnn-digits", "--trial", "0"), "hpsearch run"),
        (("top", "--study", "cnn-digits", "--csv", "nowhere/top.csv"), "runs/hpsearch.db"),
        (("data", "get", "imagenet"), "imagenet"),
        (("frobnicate",), "frobnicate"),
        (("run",), "--study"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_changes_nothing(
    hpsearch: CommandLine, tmp_path: Path, words: tuple[str, ...], named: str
) -> None:
    check_refusal(hpsearch(*words), named)
    assert list(tmp_path.iterdir()) == []


def test_csv_into_a_folder_that_does_not_exist_is_refused(
    hpsearch: CommandLine, finished: Path
) -> None:
    check_refusal(hpsearch("top", *at(finished), "--csv", "nowhere/top.csv"), "nowhere")


def test_an_unknown_stored_study_is_answered_with_the_nearest(
    hpsearch: CommandLine, finished: Path
) -> None:
    home = str(finished / "runs")
    check_refusal(hpsearch("status", "--study", "smal", "--home", home), "small")


def test_top_without_a_complete_trial_is_refused(hpsearch: CommandLine, tmp_path: Path) -> None:
    text = SMALL.replace("low = 1e-3, high = 1e-1", "low = 1e30, high = 1e31")  # all diverge
    (tmp_path / "small.toml").write_text(text)
    run = hpsearch("run", "--study", "small.toml", "--workers", "0", "--trials", "1", "--no-test")
    assert run.status == 1
    assert "no trial was completed" in run.err
    check_refusal(hpsearch("top", "--study", "small"), "no complete trial")


def test_a_changed_study_file_is_refused_with_the_difference_and_the_ways_on(
    hpsearch: CommandLine, finished: Path, tmp_path: Path
) -> None:
    (tmp_path / "small.toml").write_text(SMALL.replace("epochs = 3", "epochs = 4"))
    before = tree(finished / "runs")
    answer = hpsearch("run", "--study", "small.toml", "--home", str(finished / "runs"))
    check_refusal(answer, "training.epochs: 3 -> 4", "--name", "--restart")
    assert tree(finished / "runs") == before


def broken_database(home: Home, kind: str) -> None:
    home.root.mkdir(parents=True, exist_ok=True)
    path = home.root / "hpsearch.db"
    if kind == "not one":
        path.write_text("this is a letter to my aunt, not a database")
    elif kind == "a folder":
        path.mkdir()


@pytest.mark.parametrize("kind", ["not one", "a folder"])
def test_what_is_not_a_database_is_refused_and_left_alone(
    hpsearch: CommandLine, home: Home, kind: str
) -> None:
    broken_database(home, kind)
    before = tree(home.root)
    for words in (("run", "--study", "cnn-digits"), ("status", "--study", "x"), ("studies",)):
        check_refusal(hpsearch(*words, "--home", str(home.root)), "hpsearch.db")
    after = {path: data for path, data in tree(home.root).items() if "cache" not in path.parts}
    assert after == before


def test_a_read_only_home_can_be_looked_at_and_not_changed(
    hpsearch: CommandLine, finished: Path, tmp_path: Path
) -> None:
    home = tmp_path / "copy"
    shutil.copytree(finished / "runs", home)
    for path in (home, *home.rglob("*")):
        path.chmod(0o555)
    before = tree(tmp_path)
    at_copy = ("--study", "small", "--home", str(home))
    for command in ("status", "top", "test"):
        assert hpsearch(command, *at_copy).status == 0
    assert hpsearch("studies", "--home", str(home)).status == 0
    file = ("--study", str(finished / "small.toml"), "--home", str(home))
    for words in (
        ("run", *file),
        ("run", *file, "--restart"),
        ("run", "--study", "cnn-digits", "--home", str(home)),
        ("test", *at_copy, "--again"),
        ("dashboard", "--home", str(home)),
    ):
        check_refusal(hpsearch(*words), "read-only")
    assert tree(tmp_path) == before
