"""Tables for a terminal, as text that also reads well in a file."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from hpsearch.durations import show_duration
from hpsearch.records import Objective
from hpsearch.report.status import StudyStatus, TestResult
from hpsearch.report.top import ACCURACIES, TopRow, objective_measures, parameter_names
from hpsearch.report.trials import TrialRow
from hpsearch.studytables import PublishedSearch
from hpsearch.text import counted, one_line

if TYPE_CHECKING:  # PyTorch takes seconds to import, and a table does not need it
    from hpsearch.evaluate import Winner
    from hpsearch.search import SearchEnd


_PLACES = 4  # of the figures that are rounded; learning rates and their like have what they need
_TEXT_WIDTH = 20  # that a column of text may be folded to


def print_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A plain table: names to the left, numbers to the right."""
    texts = [show_column([row[index] for row in rows]) for index in range(len(columns))]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    least = 0  # characters without which a number would be broken in its middle
    for index, column in enumerate(columns):
        numbers = all(isinstance(row[index], int | float) or row[index] == "" for row in rows)
        widest = max(len(column), *map(len, texts[index]), 0)
        least += 2 + (widest if numbers else min(widest, _TEXT_WIDTH))
        table.add_column(
            column, justify="right" if numbers else "left", overflow="fold", no_wrap=numbers
        )
    for row in zip(*texts, strict=True):
        table.add_row(*row)
    if least > console.width:  # the terminal wraps whole lines
        # a dumb terminal's width is taken only with a height
        console = Console(file=console.file, width=least, height=console.height, highlight=False)
    console.print(table, markup=False)


def show_column(values: Sequence[object]) -> list[str]:
    """A column's values; fractions of four places at most all have as many as the longest."""
    texts = [show_cell(value) for value in values]
    fractions = [value for value in values if isinstance(value, float) and math.isfinite(value)]
    places = max((len(text.partition(".")[2]) for text in texts), default=0)
    others = len(values) - len(fractions) - values.count("")
    if others or places > _PLACES or any("e" in text for text in texts):
        return texts
    return ["" if value == "" else f"{value:.{places}f}" for value in values]


def show_cell(value: object) -> str:
    """A value as tables show it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return one_line(str(value))


def top_table(rows: list[TopRow]) -> tuple[list[str], list[list[object]]]:
    """The top table's columns and rows, parameters by name."""
    names = parameter_names(rows)
    rounded = [*objective_measures(rows), *ACCURACIES]
    table: list[list[object]] = [
        [
            *(row.rank, row.trial),
            *(row.params.get(name, "") for name in names),
            *(round(getattr(row, name), 4) for name in rounded),
            *(row.epochs, round(row.duration_s, 1)),
        ]
        for row in rows
    ]
    return ["rank", "trial", *names, *rounded, "epochs", "duration_s"], table


def print_top(
    console: Console, rows: list[TopRow], published: PublishedSearch | None = None
) -> None:
    """The top table, and the one that a document has of its own search."""
    print_table(console, *top_table(rows))
    if published is not None and published.top:
        console.print("published:")
        print_table(console, *published_table(published))


def published_table(published: PublishedSearch) -> tuple[list[str], list[list[object]]]:
    """A document's own top table."""
    names, rows = parameter_names(published.top), published.top
    table: list[list[object]] = [
        [
            rank,
            *(row.params.get(name, "") for name in names),
            *(round(getattr(row, name), 4) for name in ACCURACIES),
            *(row.epochs, row.duration_s),
        ]
        for rank, row in enumerate(rows, start=1)
    ]
    return ["rank", *names, *ACCURACIES, "epochs", "duration_s"], table


def print_trials(console: Console, rows: list[TrialRow]) -> None:
    """Every trial with its outcome; parameters are left to CSV and JSON."""
    print_table(
        console,
        ["trial", "outcome", "value", "epochs", "duration_s", "reason"],
        [
            [
                row.trial,
                row.outcome,
                "" if row.value is None else round(row.value, 4),
                row.epochs,
                round(row.duration_s, 1),
                row.reason,
            ]
            for row in rows
        ],
    )


def show_spread(mean: float, std: float | None) -> str:
    """Mean and deviation over networks; of one the figure alone."""
    return f"{mean:.4f}" if std is None else f"{mean:.4f} ± {std:.4f}"


def test_line(test: TestResult, *, objective: Objective) -> str:
    """The test result in one line, with balanced accuracy where that is the objective."""
    measures = {
        "accuracy": (test.accuracy_mean, test.accuracy_std),
        "loss": (test.loss_mean, test.loss_std),
    }
    if objective == "val_balanced_accuracy" and test.balanced_accuracy_mean is not None:
        balanced = (test.balanced_accuracy_mean, test.balanced_accuracy_std)
        measures = {"balanced accuracy": balanced, **measures}
    spread = (f"{name} {show_spread(*measure)}" for name, measure in measures.items())
    over = "with one seed" if test.seeds == 1 else f"over {test.seeds} seeds"
    figures = f"{', '.join(spread)} {over}"
    times = "once" if test.test_set_readings == 1 else f"{test.test_set_readings} times"
    line = f"test: trial {test.trial} retrained, {figures}; the test set was read {times}"
    if test.trials_since:
        line += (
            f"; {test.trials_since} trials finished since then are not in it, "
            "`hpsearch test --again` would choose and read anew"
        )
    return line


def published_lines(status: StudyStatus) -> list[str]:
    """What a document reports of its search's winner, beside ours; nothing where none does."""
    if status.published is None:
        return []
    line = f"published: test accuracy {status.published:.4f}"
    if status.test is not None:
        line += f", ours {status.test.accuracy_mean - status.published:+.4f}"
    return [line]


def tested_line(status: StudyStatus) -> str:
    """What is known of the test set, in one line."""
    if status.kind == "fixed set":
        tested = f"{status.networks_tested} of {_networks(status.trials.complete)}"
        return f"test: {tested} tested; of a fixed set each is, `hpsearch test` has them"
    return test_line(status.test, objective=status.objective) if status.test else "test: not yet"


def failure_lines(status: StudyStatus) -> list[str]:
    """The trainings after the search that failed, a line each."""
    return [f"failed: {training}: {reason}" for training, reason in status.failures.items()]


def winner_line(winner: "Winner", *, objective: Objective) -> str:
    """How the winner was chosen, in one line."""
    value = show_spread(winner.mean, winner.std)
    seeds, epochs = counted(winner.seeds, "fresh seed"), counted(winner.epochs, "epoch")
    return f"winner: trial {winner.trial}, {objective} {value} with {seeds}, retrained for {epochs}"


def end_line(status: StudyStatus, *, end: "SearchEnd") -> str:
    """Why the search ended, in one line."""
    counts = status.trials
    finished = counts.complete + counts.pruned + counts.failed
    left = f"; {_trials(counts.running)} left to be carried on" if counts.running else ""
    why = {
        "budget": "",
        "timeout": "; the time is up",
        "exhausted": "; the space is used up, there is no other configuration to try",
    }
    return (
        f"study {status.study}: {_trials(finished)} finished ({counts.complete} complete, "
        f"{counts.pruned} pruned, {counts.failed} failed){why[end]}{left}"
    )


def _trials(number: int) -> str:
    return "1 trial" if number == 1 else f"{number:,} trials"


def _networks(number: int) -> str:
    return "1 network" if number == 1 else f"{number:,} networks"


def saved_line(status: StudyStatus) -> str:
    """What pruning and early stopping saved."""
    return (
        f"saved: {status.epochs_saved:,} of {status.epochs_saved + status.epochs_trained:,} epochs "
        f"by pruning and early stopping, about {show_duration(status.seconds_saved)} of "
        f"{show_duration(status.seconds_saved + status.train_seconds)} of training"
    )


def print_status(console: Console, status: StudyStatus) -> None:
    """A study's state in some lines."""
    counts = status.trials
    finished = counts.complete + counts.pruned + counts.failed
    running = "running" if status.owner else "interrupted"
    lines = [
        f"study {status.study}, a {status.kind}: {status.model} on {status.dataset}, "
        f"by {status.objective}",
        f"trials: {finished} of {status.target} finished: {counts.complete} complete, "
        f"{counts.pruned} pruned, {counts.failed} failed; {counts.running} {running}, "
        f"{counts.waiting} waiting, {counts.duplicate} duplicates not trained",
    ]
    unusual = {
        outcome: count
        for outcome, count in status.outcomes.items()
        if outcome not in ("complete", "pruned")
    }
    if unusual:
        lines.append("among them: " + ", ".join(f"{n} {outcome}" for outcome, n in unusual.items()))
    if status.best is not None:
        params = ", ".join(f"{name} {value}" for name, value in status.best.params.items())
        lines.append(f"best: trial {status.best.number}, {status.best.value:.4f}: {params}")
    lines.append(
        f"time: {show_duration(status.wall_seconds)} of runs, "
        f"{show_duration(status.train_seconds)} of training in {status.epochs_trained:,} epochs"
    )
    if status.kind == "search":
        lines.append(saved_line(status))
    if status.checkpoint_bytes:
        lines.append(f"checkpoints: {status.checkpoint_bytes / 1e6:,.1f} MB")
    if status.augmentation != "none":
        lines.append(f"augmentation: {status.augmentation}")
    if status.methods:
        methods = (f"{method} ({_trials(n)})" for method, n in status.methods.items())
        lines.append("computed: " + "; ".join(methods))
    lines += [tested_line(status), *published_lines(status), *failure_lines(status)]
    if status.owner is None and (counts.running or status.failures):
        lines.append(f"to carry on: {status.carry_on}")
    if status.owner is not None:
        owner = status.owner
        lines.append(f"running: process {owner.pid} on {owner.host} since {owner.since}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
