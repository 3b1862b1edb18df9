"""The timeline: what was trained when, in as many lanes as trained at once.

Which worker process trained what is not recorded; lanes are reconstructed from when trainings were
begun, continued and ended, each in the first lane that is free. Breaks between runs are left out.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import NamedTuple

import plotly.graph_objects as go

from hpsearch.figures.figure import NoFigure, Shown, StudyFigure
from hpsearch.figures.snapshot import Snapshot, outcome
from hpsearch.figures.theme import INK, OUTCOME_COLORS, themed
from hpsearch.records import TrainingKey
from hpsearch.storage.record import Run
from hpsearch.text import counted
from hpsearch.times import utc_of_trial

NAME, TITLE = "timeline", "Timeline by worker"
MOST_SPANS = 2_000  # drawn, the newest


class Span(NamedTuple):
    """A stretch of one training, in one run."""

    run: int  # counted from 1
    lane: int  # counted from 1
    role: str
    trial: int
    seed: int
    outcome: str  # of the trial; of the stretch where it was cut; or the role after the search
    start: datetime  # UTC
    end: datetime
    start_s: float  # on the axis, without the breaks between runs
    end_s: float


class TimelineInfo(NamedTuple):
    """All stretches in the order of their starts."""

    spans: list[Span]
    run_starts_s: list[float]  # where each run begins on the axis
    lanes: int
    is_guessed: bool  # some starts were not recorded


class _Stretch(NamedTuple):
    start: datetime
    end: datetime
    run: int  # its index
    key: TrainingKey
    outcome: str


def get_timeline_info(snapshot: Snapshot) -> TimelineInfo:
    """Stretches of training, each from its start to the next, to its end or to its run's."""
    stretches, is_guessed = _stretches(snapshot)
    offsets, offset = [], 0.0
    for index, run in enumerate(snapshot.runs):
        offsets.append(offset)
        ends = [s.end for s in stretches if s.run == index]
        end = max([run.started, run.last_alive, *ends])
        offset += (end - run.started).total_seconds()
    free: dict[int, list[datetime]] = defaultdict(list)  # by run: when each lane is free
    spans = []
    for stretch in sorted(stretches):
        lanes = free[stretch.run]
        lane = next((i for i, until in enumerate(lanes) if until <= stretch.start), len(lanes))
        lanes[lane : lane + 1] = [stretch.end]
        begin = snapshot.runs[stretch.run].started
        start_s, end_s = (
            offsets[stretch.run] + (time - begin).total_seconds()
            for time in (stretch.start, stretch.end)
        )
        spans.append(
            Span(
                stretch.run + 1,
                lane + 1,
                stretch.key.role,
                stretch.key.trial,
                stretch.key.seed,
                stretch.outcome,
                stretch.start,
                stretch.end,
                start_s,
                end_s,
            )
        )
    most = max((span.lane for span in spans), default=0)
    return TimelineInfo(spans, offsets, most, is_guessed)


def _stretches(snapshot: Snapshot) -> tuple[list[_Stretch], bool]:
    starts: dict[TrainingKey, list[datetime]] = defaultdict(list)
    for recorded in snapshot.starts:
        starts[recorded.key].append(recorded.started)
    found, is_guessed = [], False
    for key, (end, how, first) in _trainings(snapshot).items():
        begun = sorted(starts.get(key, [])) or _guess_starts(snapshot.runs, first, end)
        is_guessed |= key not in starts
        for index, start in enumerate(begun):
            is_last = index == len(begun) - 1
            found += _stretch(
                snapshot.runs,
                key,
                start,
                until=end if is_last else begun[index + 1],
                how=how if is_last else "interrupted",
            )
    return found, is_guessed


def _trainings(
    snapshot: Snapshot,
) -> dict[TrainingKey, tuple[datetime | None, str, datetime | None]]:
    """Of every training its end, its outcome, and a guess at its start."""
    found: dict[TrainingKey, tuple[datetime | None, str, datetime | None]] = {}
    for trial in snapshot.trials:
        if trial.datetime_start is not None:
            end = trial.datetime_complete and utc_of_trial(trial.datetime_complete)
            start = utc_of_trial(trial.datetime_start)
            found[TrainingKey("search", trial.number)] = (end, outcome(trial), start)
    for key in snapshot.histories:
        if key.role != "search":
            training = snapshot.trainings.get(key)
            end = training.finished if training else None
            found[key] = (end, key.role, _guess_start(snapshot, key, end))
    return found


def _guess_start(snapshot: Snapshot, key: TrainingKey, end: datetime | None) -> datetime | None:
    """As long before its end as its epochs took."""
    seconds = sum(metrics.duration_s for metrics in snapshot.histories[key])
    return end and end - timedelta(seconds=seconds)


def _guess_starts(runs: list[Run], first: datetime | None, end: datetime | None) -> list[datetime]:
    """Where none is recorded: once, and once more where the run had changed by the end."""
    if first is None:
        return []
    last = _run_at(runs, end) if end else None
    again = [runs[last].started] if last is not None and runs[last].started > first else []
    return [first, *again]


def _run_at(runs: list[Run], time: datetime) -> int | None:
    """The index of the newest run that had begun by a time."""
    begun = [index for index, run in enumerate(runs) if run.started <= time]
    return begun[-1] if begun else None


def _stretch(
    runs: list[Run], key: TrainingKey, start: datetime, *, until: datetime | None, how: str
) -> list[_Stretch]:
    """One stretch, cut where its run ended; none where no run had begun."""
    run = _run_at(runs, start)
    if run is None:
        return []
    next_run = runs[run + 1].started if run + 1 < len(runs) else None
    is_cut = until is None or (next_run is not None and until >= next_run)
    if is_cut or until is None:
        until = max(start, runs[run].last_alive)
        how = "interrupted" if next_run is not None or how != "running" else how
    return [_Stretch(start, max(start, until), run, key, how)]


def plot_timeline(info: TimelineInfo) -> go.Figure:
    """Bars by lane, coloured by what became of them."""
    shown = info.spans[-MOST_SPANS:]
    unit_s, unit = _unit(max(span.end_s for span in shown))
    figure = go.Figure()
    for name, color in OUTCOME_COLORS.items():
        spans = [span for span in shown if span.outcome == name]
        if spans:
            figure.add_bar(
                base=[span.start_s / unit_s for span in spans],
                x=[(span.end_s - span.start_s) / unit_s for span in spans],
                y=[f"lane {span.lane}" for span in spans],
                orientation="h",
                name=name,
                marker={"color": color, "line": {"color": INK, "width": 0.5}},
                customdata=[
                    [_label(span), f"{span.start:%Y-%m-%d %H:%M:%S} UTC"] for span in spans
                ],
                hovertemplate="%{customdata[0]}<br>from %{customdata[1]}<extra></extra>",
            )
    for start_s in info.run_starts_s[1:]:
        figure.add_vline(start_s / unit_s, line={"color": INK, "dash": "dot", "width": 1})
    lanes = [f"lane {number}" for number in range(1, info.lanes + 1)]
    figure.update_layout(
        barmode="overlay",
        bargap=0.25,
        xaxis_title=f"{unit} of runs, without the breaks between them",
        yaxis={"categoryorder": "array", "categoryarray": lanes, "autorange": "reversed"},
    )
    return themed(figure, height=150 + 34 * info.lanes)


def _unit(longest_s: float) -> tuple[float, str]:
    units = ((3600.0, "hours"), (60.0, "minutes"))
    return next(((s, name) for s, name in units if longest_s >= 2 * s), (1.0, "seconds"))


def _label(span: Span) -> str:
    if span.role == "search":
        return f"trial {span.trial}, {span.outcome}"
    return f"{span.role} {span.trial}, seed {span.seed}"


def timeline_figure(snapshot: Snapshot) -> Shown:
    """The timeline of a study."""
    info = get_timeline_info(snapshot)
    if not info.spans:
        return NoFigure(NAME, TITLE, "Nothing has been trained yet.")
    runs = len(info.run_starts_s)
    notes = [
        "A lane is as good as a worker: who trained what is not kept, so each training is put "
        "into the first lane that was free when it began."
    ]
    if runs > 1:
        notes.append(f"Dotted lines: where each of {runs} runs begins.")
    if info.is_guessed:
        notes.append(
            "An older hpsearch kept no starts of trainings; some are guessed from when a trial "
            "was proposed or how long its epochs took."
        )
    if len(info.spans) > MOST_SPANS:
        notes.append(f"The newest {MOST_SPANS:,} of {len(info.spans):,} stretches.")
    alt = (
        f"{counted(len(info.spans), 'stretch', 'stretches')} of training in "
        f"{counted(info.lanes, 'lane')} over {counted(runs, 'run')}, coloured by what became of "
        "the trial."
    )
    rows: list[tuple[object, ...]] = [
        (*span[:6], span.start.isoformat(), span.end.isoformat(), *span[8:]) for span in info.spans
    ]
    figure = plot_timeline(info)
    note = " ".join(notes)
    return StudyFigure(NAME, TITLE, alt, figure, Span._fields, rows, note, min_width=560)
