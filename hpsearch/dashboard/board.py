"""Keeps what the dashboard shows of a study current while it is searched.

    board = Board(record, home=home, remark=observer.remark)
    board.refresh_if_due()      # every now and then; at most some 2 % of the time go into it
    board.refresh("over")       # at the end

Only the search that holds the study writes. That it cannot is told once and ends nothing.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from hpsearch.dashboard.note import NoteInfo, RunState, write_note
from hpsearch.dashboard.throttle import Throttle
from hpsearch.home import Home
from hpsearch.records import Role
from hpsearch.report.configurations import configuration_rows
from hpsearch.report.status import document_of, is_fixed_set, stored_spec, study_status
from hpsearch.report.top import top_rows
from hpsearch.storage.attributes import StudyAttributes
from hpsearch.storage.record import StudyRecord
from hpsearch.text import error_text

_NUM_TOP = 5
_STEPS: Mapping[Role, str] = MappingProxyType(  # the last first
    {
        "winner": "the winner is being retrained and tested",
        "finalist": "the best are being trained again with fresh seeds",
    }
)


class Board:
    """One study's note, plots and artifacts."""

    def __init__(
        self,
        record: StudyRecord,
        *,
        home: Home,
        remark: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._record = record
        self._home = home
        self._remark = remark
        self._throttle = Throttle(clock=clock)
        self._is_told = False

    def refresh_if_due(self) -> None:
        """Bring a running study's board up to date, if it is not too soon."""
        if self._throttle.is_due:
            self.refresh("running")

    def refresh(self, state: RunState) -> None:
        """Bring the board up to date."""
        with self._throttle:
            try:
                publish(self._record, home=self._home, state=state)
            except Exception as error:  # whatever it is, the search is worth more than its board
                self._tell_once(error)

    def _tell_once(self, error: Exception) -> None:
        if not self._is_told:
            self._is_told = True
            reason = error_text(error)[:200]
            self._remark(f"the dashboard's note and plots cannot be written; {reason}")


def publish(record: StudyRecord, *, home: Home, state: RunState) -> int:
    """Write note, plots and artifacts; returns how many rows of the database were changed."""
    # with Plotly, so not before the first batch
    from hpsearch.dashboard.artifacts import Shelf, study_files
    from hpsearch.dashboard.attributes import note_attributes, note_of, plot_attributes
    from hpsearch.dashboard.plots import study_plots
    from hpsearch.figures.snapshot import read_snapshot

    snapshot = read_snapshot(record, home=home)
    attributes = StudyAttributes(record.database.engine, record.study_id)
    there = attributes.read()
    shelf = Shelf.of(there, home=home)
    values, gone = shelf.put(study_files(snapshot), there)
    for name, figure_json in study_plots(snapshot).items():
        values |= plot_attributes(there, name, figure_json)
    note = write_note(read_note_info(record, home=home, state=state), before=note_of(there))
    values |= note_attributes(there, note)
    num_changed = attributes.write(values, without=gone)
    shelf.remove(gone)
    return num_changed


def read_note_info(record: StudyRecord, *, home: Home, state: RunState) -> NoteInfo:
    """What a study's note tells now."""
    status = study_status(record, home=home)
    return NoteInfo(
        state=state,
        as_of=datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z"),
        step=_step(record),
        status=status,
        document=document_of(record),
        top=top_rows(record, objective=status.objective, count=_NUM_TOP),
        configurations=(
            configuration_rows(record, stored_spec(record)) if is_fixed_set(record) else ()
        ),
    )


def _step(record: StudyRecord) -> str:
    """What the newest run is at, by what it has begun."""
    run = max((run.id for run in record.runs()), default=None)
    for role, step in _STEPS.items():
        if any(start.run == run for start in record.starts(role=role)):
            return step
    return "searching"
