import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_studies import small_study

from hpsearch.dashboard.note import END, NoteInfo, plain, write_note
from hpsearch.report.status import BestTrial, StudyStatus, TestResult, TrialCounts
from hpsearch.report.top import TopRow

STATUS = StudyStatus(
    study="small",
    dataset="digits",
    kind="search",
    model="mlp",
    objective="val_accuracy",
    target=40,
    trials=TrialCounts(complete=5, pruned=12, failed=1, running=2, waiting=0, duplicate=3),
    outcomes={},
    failures={},
    best=BestTrial(7, 0.98765, {"learning_rate": 0.01}),
    epochs_trained=130,
    epochs_saved=870,
    train_seconds=65.0,
    seconds_saved=3600.0,
    wall_seconds=125.0,
    checkpoint_bytes=0,
    methods={},
    test=None,
    networks_tested=0,
    owner=None,
    carry_on="hpsearch run --study small",
)
TEST = TestResult(7, 3, 0.9712, 0.0021, 0.1034, 0.0102, test_set_readings=1, trials_since=0)


def row(rank: int, trial: int, **params: Any) -> TopRow:
    return TopRow(rank, trial, params, 0.98765, 0.05, 0.999, 0.001, 12, 61.0, "", "")


def info(state: Any = "running", **changes: Any) -> NoteInfo:
    given = {
        "state": state,
        "as_of": "2026-11-21 12:00:00 +0000",
        "step": "searching",
        "status": STATUS,
        "document": small_study(description="What is best?").document,
        "top": [row(1, 7, learning_rate=0.01, activation="relu"), row(2, 3, learning_rate=0.02)],
    }
    return NoteInfo(**{**given, **changes})


def test_a_running_study_tells_how_far_it_is() -> None:
    note = write_note(info())
    assert note.startswith("**What is best?**\n\n**Running, searching** as of 2026-11-21 12:00:00")
    counts = "18 of 40 trials finished: 5 complete, 12 pruned, 1 failed; 2 running."
    assert counts in note
    assert "test: not yet" in note
    assert r"best: trial 7, val\_accuracy 0.9877" in note
    assert "2:05 min of runs, 1:05 min of training in 130 epochs" in note
    assert "870 of 1,000 epochs" in note
    assert "To carry on" not in note


@pytest.mark.parametrize(
    ("state", "word"),
    [("interrupted", "Interrupted"), ("failed", "Ended by an error"), ("over", "Finished")],
)
def test_what_is_not_running_any_more_says_so_and_how_to_carry_on(state: Any, word: str) -> None:
    note = write_note(info(state))
    assert f"**{word}** as of" in note
    assert "2 cut off" in note
    assert "To carry on: `hpsearch run --study small`" in note


def test_there_is_nothing_to_carry_on_where_all_is_finished() -> None:
    counts = replace(STATUS.trials, running=0)
    note = write_note(info("over", status=replace(STATUS, trials=counts)))
    assert "carry on" not in note


def test_the_test_result_has_its_spread() -> None:
    note = write_note(info("over", status=replace(STATUS, test=TEST)))
    assert "accuracy 0.9712 ± 0.0021, loss 0.1034 ± 0.0102 over 3 seeds" in note


def test_what_is_published_of_a_search_stands_below_its_own_result() -> None:
    note = write_note(info("over", status=replace(STATUS, test=TEST, published=0.9812)))
    assert "published: test accuracy 0.9812, ours -0.0100" in note


def test_the_best_trials_are_a_table_of_what_differs() -> None:
    lines = write_note(info()).splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("| trial |"))
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[head : head + 4]]
    names = ["trial", r"val\_accuracy", r"val\_loss", "accuracy", "loss", "epochs", "time"]
    assert cells[0] == [*names, "parameters"]
    figures = ["7", "0.9877", "0.05", "0.999", "0.001", "12", "1:01 min"]
    assert cells[2] == [*figures, r"learning\_rate 0.01, activation relu"]
    assert cells[3][-1] == r"learning\_rate 0.02"


def test_what_all_have_in_common_is_told_once() -> None:
    top = [row(1, 7, dropout=0.2, rate=1), row(2, 3, dropout=0.2, rate=2)]
    note = write_note(info(top=top))
    assert "The same in all of them: dropout 0.2." in note


def test_a_study_without_a_complete_trial_has_a_note() -> None:
    note = write_note(info(top=[], status=replace(STATUS, best=None)))
    assert "None is complete yet." in note


def test_question_and_protocol_are_those_of_the_study_file() -> None:
    note = write_note(info())
    assert r"Which MLP on scikit-learn digits has the best val\_accuracy?" in note
    assert r"| learning\_rate | 0.001 to 0.1, logarithmic |" in note
    assert "| dense.units | 8 (fixed) |" in note
    assert "| sampler | random |" in note
    assert "| epochs | at most 2 |" in note


def test_what_a_user_wrote_below_the_line_stays() -> None:
    first = write_note(info())
    edited = first + "\n\nMine: *look at trial 7*\n"
    second = write_note(info("over"), before=edited)
    assert second == write_note(info("over")) + "\n\nMine: *look at trial 7*\n"
    assert write_note(info("over"), before=second) == second


def test_a_note_from_before_stays_below_the_line() -> None:
    note = write_note(info(), before="my own note")
    assert note.endswith(f"{END}\n\nmy own note")


HOSTILE = "<script>alert(1)</script> **b** `code` | [x](javascript:1) $a$ ~~no~~ \\ &amp;\n# head"


def test_a_description_is_shown_as_it_is() -> None:
    note = write_note(info(document=small_study(description=HOSTILE).document))
    first = note.split("\n\n", 1)[0]
    assert "\n" not in first
    assert re.sub(r"\\(.)", r"\1", first) == f"**{HOSTILE}**".replace("\n", " ")
    assert not re.search(r"(?<!\\)[<`|\[\]$~&]", first)


@given(st.text())
def test_no_text_has_an_effect_on_markdown(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown
    unescaped = re.sub(r"\\[\\`*_{}\[\]<>|&~$]", "", shown)
    assert not set(unescaped) & set("\\`*_{}[]<>|&~$")


def test_a_command_with_backticks_stays_one_command() -> None:
    note = write_note(info("over", status=replace(STATUS, carry_on="run '`x` ``y'")))
    assert "To carry on: ``` run '`x` ``y' ```" in note


def test_a_failed_retraining_is_told() -> None:
    failures = {"winner, trial 3, seed 0": "error: a <b>"}
    note = write_note(info("failed", status=replace(STATUS, failures=failures)))
    assert r"- failed: winner, trial 3, seed 0: error: a \<b\>" in note
