"""The benchmark's results as tables for people."""

import math
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from benchmarks.contest import OURS, Contest, Score
from benchmarks.limit import Limit
from benchmarks.target import Targets
from benchmarks.trials import Overhead


def show_contest(console: Console, contest: Contest, accuracies: Mapping[str, float]) -> None:
    """Every contestant's median and spread, and our lead."""
    table = Table(
        title=f"{contest.measure}: {contest.title} ({contest.unit})", title_justify="left"
    )
    for column in ("contestant", "median", "least", "most", "hpsearch is"):
        table.add_column(column, justify="left" if column == "contestant" else "right")
    if accuracies:
        table.add_column("mean val_accuracy", justify="right")
    ours = next(score for score in contest.scores if score.contestant == OURS)
    for score in contest.scores:
        row = _row(score, ours)
        if accuracies:
            reached = accuracies.get(score.contestant)
            row.append("" if reached is None else f"{reached:.4f}")
        table.add_row(*row)
    console.print(table)
    if contest.ratio is not None:
        met = "met" if contest.ratio >= contest.goal else "missed"
        console.print(f"{contest.ratio:.2f} x the best peer; goal {contest.goal:g} x: {met}\n")


def _row(score: Score, ours: Score) -> list[str]:
    if not score.samples:
        return [score.contestant, score.failure or "not run", "", "", ""]
    lead = f"{ours.median / score.median:.2f} x" if ours.samples and score is not ours else ""
    figures = (score.median, min(score.samples), max(score.samples))
    return [score.contestant, *(f"{value:,.0f}" for value in figures), lead]


def show_overheads(console: Console, overheads: list[Overhead]) -> None:
    """T4."""
    table = Table(title="T4: what is not training", title_justify="left")
    for column in ("trials", "wall s", "around a trial ms", "of its time", "of the whole run ms"):
        table.add_column(column, justify="right")
    for overhead in overheads:
        table.add_row(
            f"{overhead.trials} {overhead.model}",
            f"{overhead.wall_s:.1f}",
            f"{overhead.around_a_trial_ms:.0f}",
            f"{overhead.share:.2%}",
            f"{overhead.of_the_whole_ms:.0f}",
        )
    console.print(table)


def show_limit(console: Console, limit: Limit) -> None:
    """T8."""
    console.print(
        f"T8: {limit.model}: {limit.images_per_s:,.0f} images/s of {limit.mflop_per_image:.2f} "
        f"MFLOP: {limit.achieved_gflop_s:.0f} GFLOP/s, {limit.share:.0%} of a large matrix "
        f"product's {limit.matrix_product_gflop_s:.0f}"
    )
    for name, share in limit.profile:
        console.print(f"  {share:6.1%}  {name}")
    console.print()


def show_targets(console: Console, targets: Targets) -> None:
    """T6: every strategy's expected time beside the default's."""
    title = f"T6: hours until a validation accuracy of {targets.target} on two workers"
    table = Table(title=title, title_justify="left")
    for column in ("strategy", "expected hours", "seeds that met it", "default is faster by"):
        table.add_column(column, justify="left" if column == "strategy" else "right")
    ours = targets.strategies[0].expected_hours
    for times in sorted(targets.strategies, key=lambda times: times.expected_hours or math.inf):
        expected = times.expected_hours
        lead = f"{expected / ours:.2f} x" if expected and ours else ""
        shown = "never" if expected is None else f"{expected:.3f}"
        table.add_row(times.strategy, shown, f"{times.num_reached} of {targets.seeds}", lead)
    console.print(table)
