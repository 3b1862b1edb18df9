r"""The note of a study: what is asked, how, how far it is, and what came out; in Markdown.

Text from a study file is shown as it is: what Markdown or HTML would make of it is escaped.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hpsearch.catalogue import DATASETS
from hpsearch.durations import show_duration
from hpsearch.report.status import StudyStatus
from hpsearch.report.terminal import saved_line, test_line
from hpsearch.report.top import TopRow, parameter_names
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


def write_note(info: NoteInfo, *, before: str = "") -> str:
    """The note; what a user wrote into the one `before` is kept."""
    sections = [
        _heading(info),
        f"## Result\n\n{_result(info)}",
        f"## Best trials\n\n{_top(info)}",
        f"## Question\n\n{_question(info.document)}",
        f"## Protocol\n\n{_protocol(info.document)}",
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
    if info.state != "running" and counts.running:
        lines.append(f"To carry on: {_code(status.carry_on)}")
    return "\n\n".join(lines)


def _result(info: NoteInfo) -> str:
    status = info.status
    lines = [test_line(status.test) if status.test else "test: not yet"]
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
    columns = ["trial", "val_accuracy", "val_loss", "accuracy", "loss", "epochs", "time", *varied]
    rows = [
        [
            row.trial,
            *(f"{v:.4f}" for v in (row.val_accuracy, row.val_loss, row.accuracy, row.loss)),
            row.epochs,
            show_duration(row.duration_s),
            *(_figure(row.params.get(name, "")) for name in varied),
        ]
        for row in info.top
    ]
    shared = {n: info.top[0].params[n] for n in names if n not in varied}
    note = ", ".join(f"{name} {_figure(value)}" for name, value in shared.items())
    return _table(columns, rows) + (f"\n\nThe same in all of them: {plain(note)}." if note else "")


def _question(document: Mapping[str, Any]) -> str:
    dataset = DATASETS[document["dataset"]]
    subset = document["training"]["subset"]
    training = f"{subset:,} of {dataset.num_train:,}" if subset else f"{dataset.num_train:,}"
    size = " x ".join(map(str, dataset.image_shape[1:]))
    lead = (
        f"Which {document['model']} on {dataset.title} ({training} training and "
        f"{dataset.num_test:,} test images of {size}, {dataset.num_classes} classes) has the best "
        f"{document['objective']}?"
    )
    rows = [[name, describe_entry(entry)] for name, entry in document["space"].items()]
    return f"{plain(lead)}\n\n{_table(['parameter', 'values'], rows)}"


def describe_entry(entry: Any) -> str:
    """What a parameter may be, from its entry in the study file, in words."""
    if isinstance(entry, list) and len(entry) > 1:
        return ", ".join(map(_figure, entry))
    if not isinstance(entry, dict):
        return f"fixed at {_figure(entry[0] if isinstance(entry, list) else entry)}"
    if "low" in entry:
        words = f"{_figure(entry['low'])} to {_figure(entry['high'])}"
        words += f" in steps of {_figure(entry['step'])}" if "step" in entry else ""
        words += ", logarithmic" if entry.get("log") else ""
    else:
        words = describe_entry(entry.get("choices", entry.get("value")))
    words += f"; one for each of {entry['each']}" if "each" in entry else ""
    conditions = (
        f"{parent} is {' or '.join(map(_figure, v if isinstance(v, list) else [v]))}"
        for parent, v in entry.get("when", {}).items()
    )
    when = " and ".join(conditions)
    return f"{words}; only if {when}" if when else words


def _protocol(document: Mapping[str, Any]) -> str:
    training, search, final = (document[key] for key in ("training", "search", "final"))
    stopping = training["early_stopping"]
    early = (
        f", early stopping on {stopping['monitor']} with patience {stopping['patience']}"
        if stopping
        else ""
    )
    own = {"epochs", "early_stopping", "validation", "seed", "precision", "subset"}
    fixed = ", ".join(f"{k} {_figure(v)}" for k, v in training.items() if k not in own)
    lines = [
        f"at most {training['epochs']} epochs{early}; a trial's value is its best epoch's",
        f"{training['validation'] * 100:g} % of the training images held out, stratified, "
        f"seed {training['seed']}; precision {training['precision']}",
        f"fixed: {fixed}" if fixed else "",
        f"sampler {_algorithm(search['sampler'])}; pruner {_algorithm(search['pruner'])}",
        f"then the best {final['finalists']} trained again with {final['seeds']} fresh seeds, the "
        f"best mean wins, and is retrained on {final['train_on']} and tested once",
    ]
    return "\n".join(f"- {plain(line)}" for line in lines if line)


def _algorithm(table: Mapping[str, Any]) -> str:
    arguments = (
        f"{name} {_algorithm(v) if isinstance(v, dict) else _figure(v)}"
        for name, v in table.items()
        if name != "name" and v is not None
    )
    listed = ", ".join(arguments)
    return f"{table['name']} ({listed})" if listed else str(table["name"])


def _figure(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _code(text: str) -> str:
    """A command; no backtick of its own ends it."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{one_line(text)}{pad}{fence}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head, *body = ("| " + " | ".join(map(plain, row)) + " |" for row in [columns, *rows])
    return "\n".join([head, "|" + " :--- |" * len(columns), *body])
