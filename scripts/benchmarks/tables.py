"""The benchmark's results as tables for people."""

import math
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.contest import Contest, Score
from benchmarks.footprint import Footprint
from benchmarks.growth import Growth
from benchmarks.limit import Limit
from benchmarks.target import Targets
from benchmarks.trials import Overhead

_UNITS = {"ms": ("ms", 1), "s": ("s", 2), "mb": ("MB", 0)}  # and decimals, by a field's ending
_GROWTH = {
    "ask_ms": "a proposal",
    "optuna_ask_ms": "a proposal, Optuna alone",
    "report_ms": "an epoch's report",
    "optuna_report_ms": "an epoch's report, Optuna alone",
    "tell_ms": "a trial's end",
    "optuna_tell_ms": "a trial's end, Optuna alone",
    "page_full_ms": "a dashboard page",
    "page_poll_ms": "what is new on an open page",
    "status_s": "hpsearch status",
    "top_s": "hpsearch top",
}
_FOOTPRINT = {
    "worker_uss_mb": "a worker's own memory",
    "bare_torch_mb": "a bare `import torch`",
    "worker_extra_mb": "a worker beyond the import",
    "help_s": "hpsearch --help",
    "first_batch_s": "hpsearch run to the first batch, empty home",
    "first_batch_again_s": "hpsearch run to the first batch, home with data",
}


def show_contest(console: Console, contest: Contest, accuracies: Mapping[str, float]) -> None:
    """Every contestant's median and spread, and our lead."""
    table = Table(
        title=f"{contest.measure}: {contest.title} ({contest.unit})", title_justify="left"
    )
    for column in ("contestant", "median", "least", "most", "hpsearch is"):
        table.add_column(column, justify="left" if column == "contestant" else "right")
    if accuracies:
        table.add_column("mean val_accuracy", justify="right")
    for score in contest.scores:
        row = _row(score, contest.ours)
        if accuracies:
            reached = accuracies.get(score.contestant)
            row.append("" if reached is None else f"{reached:.4f}")
        table.add_row(*row)
    console.print(table)
    if contest.methods:
        console.print(f"hpsearch computed by: {'; '.join(contest.methods)}", highlight=False)
    console.print(escape(_verdict(contest)) + "\n", highlight=False)


def _verdict(contest: Contest) -> str:
    """Our lead, and whether it is the goal's, which only the whole field can say."""
    goal = f"goal {contest.goal:g} x"
    if contest.ratio is None:
        return f"{goal}: nothing to compare"
    if contest.left_out:
        missing = ", ".join(contest.left_out)
        return f"{contest.ratio:.2f} x the best peer that ran; {goal}: not judged without {missing}"
    met = "met" if contest.ratio >= contest.goal else "missed"
    return f"{contest.ratio:.2f} x the best peer; {goal}: {met}"


def _row(score: Score, ours: Score) -> list[str]:
    if not score.samples:
        return [score.contestant, escape(f"left out: {score.failure}"), "", "", ""]
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
        f"product's {limit.matrix_product_gflop_s:.0f} in {limit.precision}"
    )
    for name, share in limit.profile:
        console.print(f"  {share:6.1%}  {name:.100}", markup=False)  # a kernel's name has no end
    console.print()


def show_growth(console: Console, growth: Growth) -> None:
    """T5: medians, a column for each size of the study."""
    table = Table(title="T5: what a growing study costs", title_justify="left")
    table.add_column("median of")
    table.add_column("unit")
    for size in growth.sizes:
        table.add_column(f"{size.num_trials:,} trials", justify="right")
    for name, label in _GROWTH.items():
        unit, decimals = _unit(name)
        medians = (f"{getattr(size, name):,.{decimals}f}" for size in growth.sizes)
        table.add_row(label, unit, *medians)
    console.print(table)


def show_footprint(console: Console, footprint: Footprint) -> None:
    """T7: medians and spread."""
    table = Table(title="T7: footprint", title_justify="left")
    for column in ("", "unit", "median", "least", "most"):
        table.add_column(column, justify="left" if column in ("", "unit") else "right")
    for name, label in _FOOTPRINT.items():
        unit, decimals = _unit(name)
        samples = footprint.repeats[name]
        figures = (getattr(footprint, name), min(samples), max(samples))
        table.add_row(label, unit, *(f"{value:,.{decimals}f}" for value in figures))
    console.print(table)


def _unit(field: str) -> tuple[str, int]:
    return _UNITS[field.rpartition("_")[2]]


def show_targets(console: Console, targets: Targets) -> None:
    """T6: every strategy's expected time beside the default's."""
    title = f"T6: hours until a validation accuracy of {targets.target} on two workers"
    seeds = "1 seed" if targets.curve_seeds == 1 else f"{targets.curve_seeds} seeds"
    caption = f"searches of {targets.seeds} seeds, replayed on recorded curves of {seeds}"
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    columns = ("expected hours", "seeds that met it", "default is faster by")
    table.add_column("strategy")
    for column in (*columns, "hours of the whole budget", "its best accuracy"):
        table.add_column(column, justify="right")
    ours = targets.strategies[0].expected_hours
    for times in sorted(targets.strategies, key=lambda times: times.expected_hours or math.inf):
        expected = times.expected_hours
        lead = f"{expected / ours:.2f} x" if expected and ours else ""
        shown = "never" if expected is None else f"{expected:.3f}"
        met = f"{times.num_reached} of {targets.seeds}"
        whole = (f"{times.total_hours:.3f}", f"{times.best:.4f}")
        table.add_row(times.strategy, shown, met, lead, *whole)
    console.print(table)
