"""The search loop: asks for trials, has them trained, prunes and tells. The only writer of a study.

    end = Search(session).run(trials=100, timeout_s=None)

`trials` is the study's total of finished trials (complete, pruned and failed) over all runs. Trials
that an earlier run left running come first, continued under their own numbers.
"""

import time
from dataclasses import dataclass
from typing import Literal

from optuna.trial import Trial, TrialState

from hpsearch.dispatcher import TrialOutcome
from hpsearch.errors import RunFailedError
from hpsearch.executors.messages import (
    EpochFinished,
    Event,
    TrainingDiverged,
    TrainingFailed,
    TrainingFinished,
    TrainingTimedOut,
)
from hpsearch.proposals import Exhausted, Proposal, Proposals, Refusal
from hpsearch.records import EpochMetrics, TrainingKey, best_epoch
from hpsearch.session import Session
from hpsearch.storage.record import (
    OUTCOME,
    REASON,
    num_finished,
    rank_trials,
)

_MAX_ERRORS_IN_A_ROW = 3

SearchEnd = Literal["budget", "timeout", "exhausted"]


@dataclass
class _Active:
    """A trial under way."""

    trial: Trial
    reported: set[int]  # epochs that Optuna knows
    epochs: list[EpochMetrics]  # all that are recorded


class Search:
    """One study's search."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._spec = session.spec
        self._record = session.record
        self._study = session.record.study
        self._dispatcher = session.dispatcher
        self._observer = session.observer
        self._proposals = Proposals(session.spec, self._study)
        self._active: dict[TrainingKey, _Active] = {}
        self._num_finished = num_finished(self._study)
        self._errors_in_a_row = 0
        self._exhausted = False

    def run(self, *, trials: int, timeout_s: float | None) -> SearchEnd:
        """Search until the study has so many finished trials, or time or the space is used up.

        Raises:
            InterruptedRunError: a signal came; the running trials can be carried on.
            RunFailedError: several trials in a row failed with an error.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        ranked = rank_trials(self._record, objective=self._spec.objective)
        best = (ranked[0].number, ranked[0].value or 0.0) if ranked else None
        self._observer.phase("search", done=self._num_finished, total=trials, best=best)
        while True:
            self._fill(trials)
            if not self._active:
                return "exhausted" if self._exhausted else "budget"
            for event in self._dispatcher.events():
                self._handle(event)
            if deadline is not None and time.monotonic() >= deadline:
                self._dispatcher.pause()
                return "timeout"

    def _fill(self, trials: int) -> None:
        """Start trials while there are free slots and the budget allows."""
        while self._dispatcher.num_free and self._num_finished + len(self._active) < trials:
            proposal = self._proposals.take_over() or self._proposals.next()
            match proposal:
                case Proposal():
                    self._start(proposal)
                case Refusal():
                    self._num_finished += 1
                    key = TrainingKey("search", proposal.number)
                    self._observer.ended(key, outcome="infeasible", detail=proposal.reason)
                case Exhausted():
                    self._exhausted = True
                    return

    def _start(self, proposal: Proposal) -> None:
        trial = proposal.trial
        key = TrainingKey("search", trial.number)
        frozen = self._study._storage.get_trial(trial._trial_id)
        known = self._record.epochs(key) if proposal.taken_over else []
        self._active[key] = _Active(trial, set(frozen.intermediate_values), [*known])
        for metrics in known:
            # an epoch that Optuna has not heard of: the search was cut off just then
            if self._is_to_be_pruned(key, metrics):
                self._end(key, "pruned", f"after epoch {metrics.epoch}")
                return
        task = self._session.task(key, proposal.configuration)
        self._dispatcher.submit(task, known=known)
        for metrics in known:
            self._observer.epoch(key, metrics)

    def _handle(self, event: Event) -> None:
        match event:
            case EpochFinished(key, metrics):
                self._active[key].epochs.append(metrics)
                if self._is_to_be_pruned(key, metrics):
                    self._dispatcher.stop(key)
                    self._end(key, "pruned", f"after epoch {metrics.epoch}")
            case TrainingFinished(key):
                self._end(key, "complete", "")
            case TrainingDiverged(key, reason):
                self._end(key, "diverged", reason)
            case TrainingTimedOut(key, reason):
                self._end(key, "timeout", reason)
            case TrainingFailed(key, outcome, reason, traceback):
                where = self._session.keep_traceback(key, traceback)
                self._end(key, outcome, reason, traceback=traceback)
                self._stop_after_errors(f"{reason}{where}")

    def _is_to_be_pruned(self, key: TrainingKey, metrics: EpochMetrics) -> bool:
        """Report an epoch that Optuna has not heard of, and ask whether it was the last."""
        active = self._active[key]
        if metrics.epoch in active.reported:
            return False
        active.trial.report(metrics.value_of(self._spec.objective), step=metrics.epoch)
        active.reported.add(metrics.epoch)
        return active.trial.should_prune()

    def _end(
        self, key: TrainingKey, outcome: TrialOutcome, reason: str, *, traceback: str = ""
    ) -> None:
        active = self._active.pop(key)
        trial = active.trial
        trial.set_user_attr(OUTCOME, outcome)
        if reason:
            trial.set_user_attr(REASON, reason)
        if traceback:
            trial.set_user_attr("traceback", traceback)
        detail = reason
        if outcome == "complete":
            objective = self._spec.objective
            best = best_epoch(active.epochs, objective=objective)
            value = best.value_of(objective)
            self._study.tell(trial, value)
            detail = f"{objective} {value:.4f} in epoch {best.epoch}"
        elif outcome in ("pruned", "diverged", "infeasible", "timeout"):
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, state=TrialState.FAIL)
        self._num_finished += 1
        self._errors_in_a_row = self._errors_in_a_row + 1 if outcome == "error" else 0
        self._session.forget_checkpoint(key)
        self._observer.ended(key, outcome=outcome, detail=detail)

    def _stop_after_errors(self, last: str) -> None:
        """End a search in which nothing works."""
        if self._errors_in_a_row == _MAX_ERRORS_IN_A_ROW:
            self._dispatcher.pause()
            raise RunFailedError(
                f"{_MAX_ERRORS_IN_A_ROW} trials in a row failed, the last with {last}"
            )
