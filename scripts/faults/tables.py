"""The table of all scenarios, for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from faults.row import Row

_COUNTS = {
    "faults": "faults injected",
    "lost": "trials lost",
    "duplicated": "trials duplicated",
    "ended_by_contract": "trials ended by contract",
    "wrong_epochs": "wrong epochs",
}
_SHOWN = 20  # of a scenario's broken promises
_CAPTION = (
    "Seconds to recover: until every trial that was under way has a new epoch, counted from the "
    "fault, or from the end of a stop or a full disk. Ended by contract: a trial whose worker died "
    "three times, or hung beyond its time limit."
)


def show_rows(console: Console, rows: Sequence[Row]) -> None:
    """A row a scenario, and below it what ought not to have happened."""
    table = Table(title="Faults", title_justify="left", caption=_CAPTION, caption_justify="left")
    table.add_column("scenario")
    for label in (*_COUNTS.values(), "s to recover, median", "largest"):
        table.add_column(label, justify="right")
    table.add_column("remark")
    for row in rows:
        table.add_row(row.scenario, *_figures(row))
    console.print(table)
    for row in rows:
        for sentence in row.broken[:_SHOWN]:
            console.print(f"{row.scenario}: {sentence}", markup=False, soft_wrap=True)
        if len(row.broken) > _SHOWN:
            console.print(f"{row.scenario}: and {len(row.broken) - _SHOWN} more")


def _figures(row: Row) -> list[str]:
    if row.skipped:
        return [*[""] * (len(_COUNTS) + 2), escape(f"left out: {row.skipped}")]
    counts = [f"{getattr(row, name):,}" for name in _COUNTS]
    times = ["" if value is None else f"{value:.1f}" for value in (row.median_s, row.largest_s)]
    return [*counts, *times, escape(row.remark)]
