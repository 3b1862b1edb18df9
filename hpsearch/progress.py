"""How a run looks while it goes on: a live view in a terminal, one line a finished trial elsewhere.

Within a program nothing, unless it is asked for. All are `dispatcher.Observer`s; both views write
to stderr, so that stdout holds the result alone.
"""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hpsearch.dispatcher import Observer, TrialOutcome
from hpsearch.durations import show_duration
from hpsearch.records import EpochMetrics, Objective, TrainingKey, is_better

_REFRESH_S = 0.25


@dataclass
class _Running:
    """A training under way."""

    max_epochs: int
    last: EpochMetrics | None = None


@dataclass
class _State:
    """What both views know of a run."""

    objective: Objective
    best: float | None = None
    best_trial: int | None = None
    title: str = ""
    done: int = 0
    total: int = 0
    done_before: int = 0  # when the phase began
    phase_started: float = field(default_factory=time.monotonic)
    running: dict[TrainingKey, _Running] = field(default_factory=dict)
    peaks: dict[TrainingKey, float] = field(default_factory=dict)

    def begin(self, title: str, done: int, total: int, best: tuple[int, float] | None) -> None:
        self.title, self.done, self.total, self.done_before = title, done, total, done
        self.phase_started = time.monotonic()
        self.running.clear()
        if best is not None:
            self.best_trial, self.best = best

    def add_epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        self.running[key].last = metrics
        if metrics.val_loss is None:
            return
        value = metrics.value_of(self.objective)
        if is_better(value, self.peaks.get(key), objective=self.objective):
            self.peaks[key] = value

    def end(self, key: TrainingKey, outcome: TrialOutcome) -> None:
        self.running.pop(key, None)
        self.done += 1
        value = self.peaks.pop(key, None)
        if outcome != "complete" or key.role != "search" or value is None:
            return
        if is_better(value, self.best, objective=self.objective):
            self.best, self.best_trial = value, key.trial

    def seconds_left(self) -> float | None:
        """At the pace of this phase; None before anything of it is done."""
        num_new = self.done - self.done_before
        if num_new <= 0:
            return None
        elapsed = time.monotonic() - self.phase_started
        return elapsed / num_new * max(0, self.total - self.done)


class PlainProgress:
    """One line for each finished training."""

    def __init__(self, console: Console, *, objective: Objective, heading: str) -> None:
        self._console = console
        self._state = _State(objective)
        self._heading = heading

    def phase(
        self, title: str, *, done: int, total: int, best: tuple[int, float] | None = None
    ) -> None:
        """Say what begins."""
        self._state.begin(title, done, total, best)
        if self._heading:
            self._print(self._heading)
            self._heading = ""
        self._print(f"{title}: {done} of {total} done")

    def started(self, key: TrainingKey, *, max_epochs: int) -> None:
        """Note it."""
        self._state.running[key] = _Running(max_epochs)

    def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        """Note it."""
        self._state.add_epoch(key, metrics)

    def ended(self, key: TrainingKey, *, outcome: TrialOutcome, detail: str) -> None:
        """Print the line."""
        self._state.end(key, outcome)
        state = self._state
        best = f"best {_best(state)}, " if key.role == "search" else ""
        self._print(
            f"[{state.done}/{state.total}] {_label(key)} {outcome}: {detail} "
            f"({best}{show_duration(state.seconds_left())} left)"
        )

    def warned(self, key: TrainingKey, *, reason: str) -> None:
        """Say so."""
        self._print(_warning(key, reason))

    def remark(self, text: str) -> None:
        """Say so."""
        self._print(text)

    def tick(self) -> None:
        """Nothing moves on paper."""

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class LiveProgress:
    """A view redrawn in place: the state of the run and a line for each running training."""

    def __init__(self, console: Console, *, objective: Objective, heading: str) -> None:
        self._state = _State(objective)
        self._heading = heading
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn = 0.0

    def phase(
        self, title: str, *, done: int, total: int, best: tuple[int, float] | None = None
    ) -> None:
        """A new heading."""
        self._state.begin(title, done, total, best)
        if self._heading:
            self._live.console.print(self._heading, markup=False, highlight=False, soft_wrap=True)
            self._heading = ""
        self._draw(at_once=True)

    def started(self, key: TrainingKey, *, max_epochs: int) -> None:
        """A new line."""
        self._state.running[key] = _Running(max_epochs)
        self._draw()

    def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        """New figures on its line."""
        self._state.add_epoch(key, metrics)
        self._draw()

    def ended(self, key: TrainingKey, *, outcome: TrialOutcome, detail: str) -> None:
        """The line goes; what failed stays readable above the view."""
        self._state.end(key, outcome)
        if outcome not in ("complete", "pruned"):
            self._live.console.print(Text(f"{_label(key)} {outcome}: {detail}", style="yellow"))
        self._draw()

    def warned(self, key: TrainingKey, *, reason: str) -> None:
        """A line above the view."""
        self._live.console.print(Text(_warning(key, reason), style="yellow"))

    def remark(self, text: str) -> None:
        """A line above the view."""
        self._live.console.print(Text(text, style="yellow"))

    def tick(self) -> None:
        """The clock moves on."""
        self._draw()

    def __enter__(self) -> "LiveProgress":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _draw(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._drawn >= _REFRESH_S:
            self._drawn = now
            self._live.update(self._view(), refresh=True)

    def _view(self) -> RenderableType:
        state = self._state
        elapsed = show_duration(time.monotonic() - state.phase_started)
        heading = Text.assemble(
            (f"{state.title} ", "bold"),
            f"{state.done} of {state.total} finished · best {_best(state)} · ",
            f"{elapsed} so far, {show_duration(state.seconds_left())} left",
        )
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in ("training", "epoch", "val. accuracy", "val. loss", "images/s"):
            table.add_column(
                column, justify="left" if column == "training" else "right", style="dim"
            )
        for key, running in state.running.items():
            table.add_row(_label(key), *_figures(running))
        return Group(heading, table)


class QuietProgress:
    """Nothing but what a program's user should know, as warnings."""

    def phase(
        self, title: str, *, done: int, total: int, best: tuple[int, float] | None = None
    ) -> None:
        pass

    def started(self, key: TrainingKey, *, max_epochs: int) -> None:
        pass

    def epoch(self, key: TrainingKey, metrics: EpochMetrics) -> None:
        pass

    def warned(self, key: TrainingKey, *, reason: str) -> None:
        warnings.warn(f"trial {key.trial}: {reason}", stacklevel=2)

    def remark(self, text: str) -> None:
        warnings.warn(text, stacklevel=2)

    def ended(self, key: TrainingKey, *, outcome: TrialOutcome, detail: str) -> None:
        pass

    def tick(self) -> None:
        pass


def _figures(running: _Running) -> tuple[str, str, str, str]:
    last = running.last
    if last is None:
        return f"0/{running.max_epochs}", "", "", ""
    accuracy = "" if last.val_accuracy is None else f"{last.val_accuracy:.4f}"
    loss = "" if last.val_loss is None else f"{last.val_loss:.4f}"
    return f"{last.epoch}/{running.max_epochs}", accuracy, loss, f"{last.images_per_s:,.0f}"


def _label(key: TrainingKey) -> str:
    if key.role == "search":
        return f"trial {key.trial}"
    return f"trial {key.trial}, {key.role}, seed {key.seed}"


def _warning(key: TrainingKey, reason: str) -> str:
    return f"{_label(key)}: {reason}"


def _best(state: _State) -> str:
    return "none yet" if state.best is None else f"{state.best:.4f} (trial {state.best_trial})"


@contextmanager
def open_progress(console: Console, *, objective: Objective, heading: str) -> Iterator[Observer]:
    """The view that suits the console; `heading` is shown when the run really begins."""
    if console.is_terminal and not console.is_dumb_terminal:
        with LiveProgress(console, objective=objective, heading=heading) as live:
            yield live
    else:
        yield PlainProgress(console, objective=objective, heading=heading)
