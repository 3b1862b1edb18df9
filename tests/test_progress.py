import io

import pytest
from rich.console import Console
from small_studies import epoch

from hpsearch.progress import LiveProgress, PlainProgress, open_progress
from hpsearch.records import Objective, TrainingKey

TRIAL_3 = TrainingKey("search", 3)


def plain(objective: Objective = "val_accuracy") -> tuple[PlainProgress, io.StringIO]:
    paper = io.StringIO()
    view = PlainProgress(Console(file=paper, width=40), objective=objective, heading="")
    view.phase("search", done=2, total=5, best=(1, 0.75))
    return view, paper


def last_line(paper: io.StringIO) -> str:
    return paper.getvalue().splitlines()[-1]


@pytest.mark.parametrize("terminal", [True, False])
def test_the_heading_comes_once_when_the_run_really_begins(terminal: bool) -> None:
    paper = io.StringIO()
    console = Console(file=paper, force_terminal=terminal, width=40)
    with open_progress(console, objective="val_loss", heading="database: [x]" + "y" * 60) as view:
        assert "database" not in paper.getvalue()
        view.phase("search", done=0, total=1)
        view.phase("finalists", done=0, total=1)
    assert paper.getvalue().count("database: [x]" + "y" * 60) == 1


def test_a_training_that_is_started_again_is_a_line_with_the_reason() -> None:
    view, paper = plain()
    view.warned(TRIAL_3, reason="out of memory beside others; again, alone")
    assert last_line(paper) == "trial 3: out of memory beside others; again, alone"


def test_a_finished_training_is_one_line_whatever_the_width() -> None:
    view, paper = plain()
    view.started(TRIAL_3, max_epochs=2)
    view.epoch(TRIAL_3, epoch(1, 0.5))
    view.tick()
    assert len(paper.getvalue().splitlines()) == 1  # the phase's own
    view.ended(TRIAL_3, outcome="error", detail="ValueError: [red]not markup[/red] " + "x" * 99)
    assert len(paper.getvalue().splitlines()) == 2
    assert last_line(paper).startswith("[3/5] trial 3 error: ValueError: [red]not markup[/red] xx")


@pytest.mark.parametrize(
    ("objective", "accuracies", "best"),
    [
        ("val_accuracy", [0.5, 0.9, 0.8], "best 0.9000 (trial 3)"),
        ("val_accuracy", [0.5, 0.7], "best 0.7500 (trial 1)"),
        ("val_loss", [0.5, 0.9, 0.8], "best 0.1000 (trial 3)"),  # 1 - 0.9
    ],
)
def test_the_best_is_the_best_epoch_of_the_best_complete_trial(
    objective: Objective, accuracies: list[float], best: str
) -> None:
    view, paper = plain(objective)
    view.started(TRIAL_3, max_epochs=3)
    for number, accuracy in enumerate(accuracies, start=1):
        view.epoch(TRIAL_3, epoch(number, accuracy))
    view.ended(TRIAL_3, outcome="complete", detail="")
    assert best in last_line(paper)


@pytest.mark.parametrize("outcome", ["pruned", "diverged", "error", "infeasible"])
def test_only_a_complete_trial_can_be_the_best(outcome: str) -> None:
    view, paper = plain()
    view.started(TRIAL_3, max_epochs=3)
    view.epoch(TRIAL_3, epoch(1, 0.99))
    view.ended(TRIAL_3, outcome=outcome, detail="")  # type: ignore[arg-type]
    assert "best 0.7500 (trial 1)" in last_line(paper)


def test_retraining_on_everything_shows_no_validation() -> None:
    view, paper = plain()
    winner = TrainingKey("winner", 3, 1)
    view.phase("retraining", done=0, total=1)
    view.started(winner, max_epochs=3)
    view.epoch(winner, epoch(1, None))
    view.ended(winner, outcome="complete", detail="trained for 1 epochs")
    line = "[1/1] trial 3, winner, seed 1 complete: trained for 1 epochs (0 s left)"
    assert last_line(paper) == line  # the best of the search is not its business


def test_the_live_view_has_a_line_for_each_running_training() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, height=20)
    with LiveProgress(console, objective="val_accuracy", heading="") as view:
        view.started(TRIAL_3, max_epochs=20)
        view.epoch(TRIAL_3, epoch(7, 0.8125))
        view._draw(at_once=True)
    text = screen.getvalue()
    for part in ("trial 3", "7/20", "0.8125", "0.1875", "1,000"):
        assert part in text


def test_the_live_view_leaves_what_failed_to_be_read() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, height=20)
    with LiveProgress(console, objective="val_accuracy", heading="") as view:
        view.phase("search", done=0, total=2)
        view.started(TRIAL_3, max_epochs=20)
        view.ended(TRIAL_3, outcome="error", detail="[bold]boom")
    assert "trial 3 error: [bold]boom" in screen.getvalue()


@pytest.mark.parametrize(
    ("terminal", "term", "view"),
    [
        (True, "xterm", LiveProgress),
        (True, "dumb", PlainProgress),
        (False, "xterm", PlainProgress),
    ],
)
def test_only_a_terminal_that_can_draw_gets_the_live_view(
    terminal: bool, term: str, view: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    console = Console(file=io.StringIO(), force_terminal=terminal)
    with open_progress(console, objective="val_loss", heading="") as observer:
        assert isinstance(observer, view)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_remark_on_the_whole_run_is_shown_as_it_is(terminal: bool) -> None:
    paper = io.StringIO()
    console = Console(file=paper, force_terminal=terminal, width=80)
    with open_progress(console, objective="val_loss", heading="") as view:
        view.remark("the note cannot be written; [red]full[/red]")
    assert "the note cannot be written; [red]full[/red]" in paper.getvalue()
