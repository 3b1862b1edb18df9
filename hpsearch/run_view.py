"""How a run looks: where the study is, the progress on stderr, and the result at the end."""

import shlex
from typing import TextIO, cast

from rich.console import Console

from hpsearch.errors import InterruptedRunError, RunFailedError
from hpsearch.home import Home
from hpsearch.interruption import last_words
from hpsearch.output import LastingStderr
from hpsearch.progress import open_progress
from hpsearch.report.configurations import configuration_rows, print_configurations
from hpsearch.report.status import study_status
from hpsearch.report.terminal import (
    end_line,
    print_top,
    published_lines,
    saved_line,
    test_line,
    winner_line,
)
from hpsearch.report.top import top_rows
from hpsearch.run import RunRequest, RunResult, run_study
from hpsearch.spec import StudySpec
from hpsearch.storage.record import StudyRecord
from hpsearch.text import shown


def watch_run(request: RunRequest) -> RunResult:
    """Run with a view of the progress on stderr.

    Raises:
        InterruptedRunError: with the command to carry on; beside all that `run_study` raises.
    """
    try:
        console = Console(file=cast("TextIO", LastingStderr()))
        with open_progress(
            console, objective=request.spec.objective, heading=_heading(request)
        ) as observer:
            return run_study(request, observer=observer)
    except InterruptedRunError:
        raise InterruptedRunError(last_words()) from None


def _heading(request: RunRequest) -> str:
    """Where the study is, and the command to watch it."""
    home, url = request.home, request.storage
    is_secret = shown(url) != url  # and has to come from HPSEARCH_STORAGE
    where = [] if url == home.database_url or is_secret else ["--storage", url]
    command = shlex.join(["hpsearch", "dashboard", "--home", str(home.root), *where])
    return f"database: {shown(url)}\nwatch it: {command}"


def print_result(
    console: Console, record: StudyRecord, spec: StudySpec, result: RunResult, *, home: Home
) -> None:
    """Why the search ended, its best trials, the winner and its test; or a fixed set's table.

    Raises:
        RunFailedError: no trial was completed.
    """
    state = study_status(record, home=home)
    rows = top_rows(record, objective=state.objective, count=5)
    _print(console, end_line(state, end=result.end))
    if not rows:
        raise RunFailedError(f"no trial was completed; to carry on: {state.carry_on}")
    if spec.fixed is not None:
        print_configurations(console, configuration_rows(record, spec))
        return
    _print(console, f"top {len(rows)} by {state.objective} at each trial's best epoch:")
    print_top(console, rows, spec.published)
    if result.winner is not None:
        _print(console, winner_line(result.winner, objective=state.objective))
    if state.test is not None:
        _print(console, test_line(state.test, objective=state.objective))
    for line in published_lines(state):
        _print(console, line)
    _print(console, saved_line(state))
    if state.trials.running:
        _print(console, f"to carry on: {state.carry_on}")


def _print(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
