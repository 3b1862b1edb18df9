"""What `hpsearch run` does, from a study file to a tested winner, in one place.

    result = run_study(request, observer=observer)

Everything that can be wrong with a request is found before anything is written for the study.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.dashboard.board import Board
from hpsearch.data.training_set import TrainingSet, prepare_training_set
from hpsearch.devices import Placement, place_workers
from hpsearch.dispatcher import Dispatcher, Observer
from hpsearch.environment import current_environment
from hpsearch.errors import DatabaseLostError, InterruptedRunError, RunFailedError
from hpsearch.executors.local import LocalExecutor
from hpsearch.executors.messages import Executor
from hpsearch.home import Home
from hpsearch.interruption import Interruption
from hpsearch.modelcode import code_of, hold_code, try_own_models
from hpsearch.proposals import Proposals
from hpsearch.search import Search, SearchEnd
from hpsearch.session import Session
from hpsearch.space import Scalar
from hpsearch.spec import StudySpec
from hpsearch.storage.lease import Lease
from hpsearch.storage.mishaps import open_for_run
from hpsearch.storage.record import (
    StudyRecord,
    TestReading,
    num_finished,
    rank_trials,
    trials_to_test,
)
from hpsearch.study import check_stored, leased, open_study, prepare_study
from hpsearch.text import shown

if TYPE_CHECKING:  # PyTorch takes seconds to import, and a search does not need it
    from hpsearch.evaluate import Winner

_CHECK_EVERY_S = 5.0


@dataclass(frozen=True)
class RunRequest:
    """What the user asked for."""

    spec: StudySpec
    home: Home
    storage: str
    data_dir: Path
    trials: int | None  # finished trials in total; None: the search is over, retrain and test
    timeout_s: float | None = None
    trial_timeout_s: float | None = None  # instead of the study file's
    device: str = "auto"
    workers: int | None = None  # None: one a GPU, or one a physical core; 0: in this process
    workers_per_gpu: int = 1
    plain: bool = False
    test: bool = True
    test_again: bool = False  # read the test set although its result is stored
    restart: bool = False
    command: tuple[str, ...] | None = None  # that carries on; None: this process' own


@dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    end: SearchEnd
    winner: "Winner | None"  # None: not chosen, because no test was asked for
    reading: TestReading | None
    read_now: bool  # whether this run read the test set, or found the result stored


def start_executor(placement: Placement) -> Executor:
    """Start the workers; they import PyTorch while the search prepares itself."""
    if placement.inline:
        from hpsearch.executors.inline import InlineExecutor  # with PyTorch

        return InlineExecutor(device=placement.devices[0])
    return LocalExecutor(placement.devices)


def run_study(
    request: RunRequest, *, observer: Observer, interruption: Interruption | None = None
) -> RunResult:
    """Search, choose, retrain and test; or find that it was done, and return the stored result.

    Args:
        request: what is wanted.
        observer: is told what happens.
        interruption: how signals are taken; None: as on the command line.

    Raises:
        UserError: the request cannot be met; nothing was changed.
        RunFailedError: the run ended without what was asked, or the database is lost to it.
        InterruptedRunError: a signal came; the next run carries on.
    """
    spec, home = request.spec, request.home
    placement = place_workers(
        request.device, workers=request.workers, workers_per_gpu=request.workers_per_gpu
    )
    with _disk_failures_told(), closing(start_executor(placement)) as executor:
        if not check_stored(request.storage, spec, restart=request.restart):
            try_own_models(spec)  # those of a stored study are tried once it is known to go on
        training_set = prepare_training_set(
            spec.dataset, spec.training, data_dir=request.data_dir, cache=home.cache
        )
        with open_for_run(request.storage) as database:
            study = open_study(database, spec, training_set, home=home, restart=request.restart)
            with (
                leased(StudyRecord(database, study)) as lease,
                interruption or Interruption() as interruption,
            ):
                record = StudyRecord(database, prepare_study(database, spec, training_set))
                run = _Run(request, record, training_set, lease, observer, interruption)
                run.forget_finished_checkpoints()
                if run.is_complete():
                    return run.stored_result()
                return run.go(executor, placement)


@contextmanager
def _disk_failures_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        what = f"{where}{error.strerror or error}"
        raise RunFailedError(f"{what}; once that is mended, the same command carries on") from None


class _Run:
    """One run of a study that this process holds."""

    def __init__(
        self,
        request: RunRequest,
        record: StudyRecord,
        training_set: TrainingSet,
        lease: Lease,
        observer: Observer,
        interruption: Interruption,
    ) -> None:
        self._request = request
        self._record = record
        self._training_set = training_set
        self._lease = lease
        self._observer = observer
        self._interruption = interruption
        self._board = Board(record, home=request.home, remark=observer.remark)
        self._run_id = 0
        self._checked = 0.0

    def forget_finished_checkpoints(self) -> None:
        """Remove the checkpoints that a killed run left of trainings that are over."""
        home, name = self._request.home, self._record.name
        left = {path.name for path in home.checkpoints(name).glob("*")}
        for key in self._record.finished() if left else ():
            if any(home.checkpoint(name, key).name in file for file in left):
                home.forget_checkpoint(name, key)

    def is_complete(self) -> bool:
        """Whether everything that is asked for is stored already."""
        return self._search_end() is not None and not self._must_test()

    def _search_end(self) -> SearchEnd | None:
        """How the search has ended; None if it has not."""
        if num_finished(self._record.study) >= (self._request.trials or 0):
            return "budget"
        proposals = Proposals(self._request.spec, self._record.study)
        return "exhausted" if proposals.is_exhausted else None

    def _must_test(self) -> bool:
        request = self._request
        if self._request.spec.fixed is not None:
            return request.test and bool(self._to_be_tested())
        return request.test and (request.test_again or self._record.last_reading() is None)

    def _to_be_tested(self) -> dict[int, dict[str, Scalar]]:
        """The trials of a fixed set whose networks are to be tested, with their parameters."""
        return trials_to_test(self._record, again=self._request.test_again)

    def stored_result(self) -> RunResult:
        """The result of an earlier run, which may have been an older hpsearch's."""
        end = self._search_end()
        assert end is not None
        self._board.refresh("over")
        return RunResult(end, None, self._record.last_reading(), read_now=False)

    def go(self, executor: Executor, placement: Placement) -> RunResult:
        """Search to the budget, then choose, retrain and test what is not tested yet."""
        try:
            result = self._go(executor, placement)
        except InterruptedRunError:
            self._board.refresh("interrupted")
            raise
        except DatabaseLostError:
            raise
        except RunFailedError:
            self._board.refresh("failed")
            raise
        self._board.refresh("over")
        return result

    def _go(self, executor: Executor, placement: Placement) -> RunResult:
        request = self._request
        code = code_of(request.spec)
        hold_code(self._record, code)
        try_own_models(request.spec)
        environment = self._environment(placement) | ({"models": code} if code else {})
        self._run_id = self._record.start_run(environment)
        dispatcher = Dispatcher(
            executor,
            self._record,
            observer=self._observer,
            interruption=self._interruption,
            keep_alive=self._keep_alive,
        )
        session = Session(
            request.spec,
            self._record,
            dispatcher,
            self._training_set,
            request.home,
            self._observer,
            plain=request.plain,
            trial_timeout_s=request.trial_timeout_s,
        )
        try:
            return self._search_and_test(session)
        except InterruptedRunError:
            self._record.renew_run(self._run_id)  # it lived until now
            raise

    def _search_and_test(self, session: Session) -> RunResult:
        request = self._request
        end: SearchEnd = "budget"
        if request.trials is not None:
            end = Search(session).run(trials=request.trials, timeout_s=request.timeout_s)
        must_test = self._must_test()
        if end == "timeout" and not rank_trials(self._record, objective=request.spec.objective):
            must_test = False  # there is nothing to choose from yet
        winner = None
        if must_test and request.spec.fixed is None:
            winner = self._test_winner(session)
        elif must_test:
            self._test_fixed_set(session)
        self._record.renew_run(self._run_id)
        return RunResult(end, winner, self._record.last_reading(), read_now=must_test)

    def _test_winner(self, session: Session) -> "Winner":
        from hpsearch.evaluate import Evaluation, read_test_set  # with PyTorch

        evaluation = Evaluation(session)
        winner = evaluation.choose_winner()
        evaluation.retrain(winner)
        number, configuration = winner.trial, winner.configuration
        data_dir = self._request.data_dir
        read_test_set(session, number, configuration, role="winner", data_dir=data_dir)
        return winner

    def _test_fixed_set(self, session: Session) -> None:
        """Test every network that is not tested yet: a fixed set chooses none."""
        from hpsearch.evaluate import read_test_set  # with PyTorch

        data_dir = self._request.data_dir
        for number, parameters in self._to_be_tested().items():
            configuration = session.spec.configuration(parameters)
            read_test_set(session, number, configuration, role="search", data_dir=data_dir)
            if self._interruption.requested:
                raise InterruptedRunError("interrupted")

    def _keep_alive(self) -> None:
        """Show every few seconds that this run lives, and now and then what it does."""
        now = time.monotonic()
        if now - self._checked > _CHECK_EVERY_S:
            self._checked = now
            self._lease.check()
            self._record.renew_run(self._run_id)
            self._board.refresh_if_due()

    def _environment(self, placement: Placement) -> dict[str, Any]:
        request = self._request
        return {
            "command": [shown(word) for word in request.command or sys.argv],
            "trials": request.trials,
            **current_environment(),
            "devices": placement.devices,
            "inline": placement.inline,
            "threads_per_worker": 1,
            "precision": request.spec.training.precision,
            "plain": request.plain,
            "split": self._training_set.fingerprint,
        }
