r"""The note of a study: what is asked, how, how far it is, and what came out; in Markdown.

Text from a study file is shown as it is: what Markdown or HTML would make of it is escaped.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hpsearch.catalogue import dataset_of
from hpsearch.durations import show_duration
from hpsearch.ownmodel import model_title
from hpsearch.pages.question import (
    configurations_table,
    protocol_table,
    shared_table,
    space_table,
)
from hpsearch.pages.table import Cell, PageTable, page_table
from hpsearch.report.configurations import ConfigurationRow, results_table
from hpsearch.report.status import StudyStatus
from hpsearch.report.terminal import (
    failure_lines,
    published_lines,
    saved_line,
    show_cell,
    tested_line,
)
from hpsearch.report.top import ACCURACIES, TopRow, objective_measures, parameter_names
from hpsearch.space import Scalar
from hpsearch.text import one_line

# what a run is doing when the note is written
RunState = Literal["running", "over", "interrupted", "failed"]

# the last line of ours; what stands below belongs to the user
END = "*hpsearch keeps all above current; what you write below this line stays.*"

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|&~$])")


@dataclass(frozen=True)
class NoteInfo:
    """What a note tells."""

    state: RunState
    as_of: str  # a time, for people
    step: str  # of a run that is running: what it does
    status: StudyStatus
    document: Mapping[str, Any]  # the study file
    top: Sequence[TopRow]
    configurations: Sequence[ConfigurationRow] = ()  # of a fixed set


def write_note(info: NoteInfo, *, before: str = "") -> str:
    """The note; what a user wrote into the one `before` is kept."""
    sections = [
        _heading(info),
        f"## Result\n\n{_result(info)}",
        *([f"## Configurations\n\n{_configurations(info)}"] if info.configurations else []),
        f"## Best trials\n\n{_top(info)}",
        f"## Question\n\n{_question(info.document)}",
        f"## Protocol\n\n{_table(protocol_table(info.document))}",
        f"---\n\n{END}",
    ]
    kept = before.split(END, 1)[1] if END in before else before and f"\n\n{before}"
    return "\n\n".join(sections) + kept


def plain(text: object) -> str:
    """A text in one line that Markdown and HTML leave as it is."""
    return _SPECIAL.sub(r"\\\1", one_line(str(text)))


def _heading(info: NoteInfo) -> str:
    counts, status = info.status.trials, info.status
    finished = counts.complete + counts.pruned + counts.failed
    how_many = (
        f"{finished:,} of {status.target:,} trials finished: {counts.complete:,} complete, "
        f"{counts.pruned:,} pruned, {counts.failed:,} failed"
    )
    if counts.running:
        how_many += f"; {counts.running:,} {'running' if info.state == 'running' else 'cut off'}"
    words = {
        "running": f"Running, {info.step}",
        "over": "Finished",
        "interrupted": "Interrupted",
        "failed": "Ended by an error",
    }
    lines = [f"**{words[info.state]}** as of {info.as_of}. {how_many}."]
    if info.document["description"]:
        lines.insert(0, f"**{plain(info.document['description'])}**")
    if info.state in ("interrupted", "failed") or (info.state == "over" and counts.running):
        lines.append(f"To carry on: {_code(status.carry_on)}")
    return "\n\n".join(lines)


def _result(info: NoteInfo) -> str:
    status = info.status
    lines = [tested_line(status), *published_lines(status), *failure_lines(status)]
    if status.best is not None:
        best = f"{status.objective} {status.best.value:.4f}"
        lines.append(f"best: trial {status.best.number}, {best}")
    lines.append(
        f"time: {show_duration(status.wall_seconds)} of runs, "
        f"{show_duration(status.train_seconds)} of training in {status.epochs_trained:,} epochs"
    )
    lines.append(saved_line(status))
    return "\n".join(f"- {plain(line)}" for line in lines)


def _top(info: NoteInfo) -> str:
    if not info.top:
        return "None is complete yet."
    names = parameter_names(info.top)
    varied = [n for n in names if len({str(row.params.get(n)) for row in info.top}) > 1]
    measures = [*objective_measures(info.top), *ACCURACIES]
    columns = ["trial", *measures, "epochs", "time", "parameters"]  # no wider than a screen
    rows = [
        [
            row.trial,
            *(round(getattr(row, name), 4) for name in measures),
            row.epochs,
            show_duration(row.duration_s),
            _parameters({name: row.params[name] for name in varied if name in row.params}),
        ]
        for row in info.top
    ]
    note = _parameters({name: info.top[0].params[name] for name in names if name not in varied})
    table = _table(page_table(columns, rows))
    return f"{table}\n\nThe same in all of them: {plain(note)}." if note else table


def _parameters(values: Mapping[str, Scalar]) -> str:
    return ", ".join(f"{name} {show_cell(value)}" for name, value in values.items())


def _configurations(info: NoteInfo) -> str:
    return _table(page_table(*results_table(list(info.configurations))))


def _question(document: Mapping[str, Any]) -> str:
    if "configurations" in document:
        tables = configurations_table(document), shared_table(document)
        return "\n\n".join(_table(table) for table in tables if table.rows)
    dataset, model = dataset_of(document), model_title(document["model"])
    lead = f"Which {model} on {dataset.title} has the best {document['objective']}?"
    return f"{plain(lead)}\n\n{_table(space_table(document))}"


def _code(text: str) -> str:
    """A command; no backtick of its own ends it."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{one_line(text)}{pad}{fence}"


def _table(table: PageTable) -> str:
    sides = ("---:" if cell.is_number else ":---" for cell in table.columns)
    head, *body = (" | ".join(plain(cell.text) for cell in row) for row in _lines(table))
    return "\n".join(f"| {line} |" for line in [head, " | ".join(sides), *body])


def _lines(table: PageTable) -> list[list[Cell]]:
    return [table.columns, *table.rows]
