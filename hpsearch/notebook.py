"""Studies from Python: what the command line does, in a notebook or a program.

    study = hpsearch.Study.from_file("cnn-digits")     # or from_tables({...}, name=...), open(name)
    study.run(trials=20)                               # again: carries on
    pandas.DataFrame(study.top())
    study.predict(["scan.png"], invert=True)

Quiet unless asked for progress; what is wrong is raised as one of `hpsearch.errors`. A run works
inside a running event loop, and Ctrl-C (a notebook's stop button) ends it as on the command line:
everything finished is recorded, and `run` carries on.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from hpsearch.errors import (
    DataError,
    InterruptedRunError,
    MissingDatabaseError,
    StudyFileError,
    UnknownStudyError,
    UserError,
)
from hpsearch.home import Home
from hpsearch.interruption import Interruption
from hpsearch.mistakes import MistakeError
from hpsearch.pictures import prepare_all
from hpsearch.progress import QuietProgress, open_progress
from hpsearch.report.configurations import configuration_rows
from hpsearch.report.status import StudyStatus, stored_spec, study_status
from hpsearch.report.top import top_rows
from hpsearch.report.trials import trial_rows
from hpsearch.run import RunRequest, RunResult, run_study
from hpsearch.spec import StudySpec
from hpsearch.storage.database import open_database
from hpsearch.storage.record import StudyRecord, TestReading
from hpsearch.studyfiles import find_study_file
from hpsearch.studyparser import load_study_file, parse_study
from hpsearch.text import shown

if TYPE_CHECKING:  # PyTorch and plotly take seconds to import
    import plotly.graph_objects as go
    from numpy.typing import NDArray
    from PIL.Image import Image

    from hpsearch.evaluate import Agreement
    from hpsearch.predict import Prediction
    from hpsearch.trained import Classifier

Row = dict[str, Any]  # of a table, by column


@dataclass(frozen=True)
class Study:
    """A study, stored or not yet; made by `from_tables`, `from_file` or `open`.

    All three take `home`, the folder of all results (by default `HPSEARCH_HOME` or `runs`),
    `storage`, another database's URL (`HPSEARCH_STORAGE`), and `data_dir`, the data sets in
    torchvision's layout (`HPSEARCH_DATA` or `data`).
    """

    spec: StudySpec
    home: Home
    storage: str
    data_dir: Path

    @classmethod
    def from_tables(
        cls,
        tables: Mapping[str, Any],
        *,
        name: str,
        home: str | Path | None = None,
        storage: str | None = None,
        data_dir: str | Path | None = None,
    ) -> "Study":
        """A study built in code: the tables of a study file as dictionaries.

        Raises:
            StudyFileError: anything in them is not allowed.
        """
        try:
            spec = parse_study(tables, name=name, folder=Path.cwd())
        except MistakeError as mistake:
            raise StudyFileError(f"study {name!r}: {mistake}") from None
        return cls(spec, *_places(home, storage, data_dir))

    @classmethod
    def from_file(
        cls,
        study: str | Path,
        *,
        name: str | None = None,
        home: str | Path | None = None,
        storage: str | None = None,
        data_dir: str | Path | None = None,
    ) -> "Study":
        """A study by the path of its file, or by the name of one in `./studies` or shipped.

        Raises:
            UnknownStudyError: there is no such file.
            StudyFileError: anything in it is not allowed.
        """
        spec = load_study_file(find_study_file(str(study)), name=name)
        return cls(spec, *_places(home, storage, data_dir))

    @classmethod
    def open(
        cls,
        name: str,
        *,
        home: str | Path | None = None,
        storage: str | None = None,
        data_dir: str | Path | None = None,
    ) -> "Study":
        """A stored study, with the study file that it was started with.

        Raises:
            MissingDatabaseError: there is no database yet.
            UnknownStudyError: it has no study of this name.
        """
        places = _places(home, storage, data_dir)
        with closing(open_database(places[1], create=False)) as database:
            return cls(stored_spec(StudyRecord.of(database, name)), *places)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.spec.name

    def run(
        self,
        *,
        trials: int | None = None,
        workers: int | None = None,
        device: str = "auto",
        timeout_s: float | None = None,
        test: bool = True,
        restart: bool = False,
        progress: bool = False,
    ) -> RunResult:
        """Search, choose, retrain and test once; again: carry on.

        Args:
            trials: finished trials in total, over all runs; None: as the study file says.
            workers: processes that train; None: one a GPU or a physical core; 0: none but this one.
            device: auto, cpu, cuda (every GPU), or cuda:0,1.
            timeout_s: ends the search, not the retraining.
            test: whether to retrain and test the winner.
            restart: begin anew; the old study keeps a dated name.
            progress: show it on stderr.

        Raises:
            UserError: this cannot be done; nothing was changed.
            RunFailedError: the run ended without what was asked.
            InterruptedRunError: Ctrl-C or SIGTERM; `run` carries on.
        """
        _check_at_least("trials", trials, 1)
        _check_at_least("workers", workers, 0)
        request = RunRequest(
            spec=self.spec,
            home=self.home,
            storage=self.storage,
            data_dir=self.data_dir,
            trials=self.spec.search.trials if trials is None else trials,
            timeout_s=timeout_s,
            device=device,
            workers=workers,
            test=test,
            restart=restart,
            command=self._command(trials),
        )
        return self._run(request, progress=progress)

    def test(
        self,
        *,
        again: bool = False,
        workers: int | None = None,
        device: str = "auto",
        progress: bool = False,
    ) -> RunResult:
        """Retrain and test what `run(test=False)` has not; `again`: read the test set once more.

        Raises:
            RunFailedError: there is nothing to test, or it could not be retrained.
        """
        request = RunRequest(
            spec=self.spec,
            home=self.home,
            storage=self.storage,
            data_dir=self.data_dir,
            trials=None,
            device=device,
            workers=workers,
            test_again=again,
            command=self._command(None),
        )
        return self._run(request, progress=progress)

    def _run(self, request: RunRequest, *, progress: bool) -> RunResult:
        view = (
            open_progress(Console(stderr=True), objective=self.spec.objective, heading="")
            if progress
            else nullcontext(QuietProgress())
        )
        try:
            with view as observer:
                # a second Ctrl-C must not end the notebook's own process
                return run_study(
                    request, observer=observer, interruption=Interruption(patient=True)
                )
        except (KeyboardInterrupt, InterruptedRunError):
            if not self._is_stored():
                raise InterruptedRunError("interrupted before anything was stored") from None
            words = f"to carry on: {request.command[1]}" if request.command else ""
            raise InterruptedRunError(f"interrupted, nothing finished is lost; {words}") from None

    def _is_stored(self) -> bool:
        try:
            with self._record():
                return True
        except (MissingDatabaseError, UnknownStudyError):
            return False

    def _command(self, trials: int | None) -> tuple[str, str]:
        """What carries a run on, as `hpsearch status` shows it."""
        storage = "" if self.storage == self.home.database_url else f", storage={self.storage!r}"
        opened = f"hpsearch.Study.open({self.name!r}, home={str(self.home.root)!r}{storage})"
        return "python", shown(f"{opened}.run({'' if trials is None else f'trials={trials}'})")

    @contextmanager
    def _record(self) -> Iterator[StudyRecord]:
        """The stored study, for reading."""
        with closing(open_database(self.storage, create=False)) as database:
            yield StudyRecord.of(database, self.name)

    def status(self) -> StudyStatus:
        """Trials by state, the best, time spent and saved, the test result."""
        with self._record() as record:
            return study_status(record, home=self.home)

    def top(self, count: int = 5) -> list[Row]:
        """The best complete trials, best first: rank, trial, parameters, measures, times."""
        _check_at_least("count", count, 1)
        with self._record() as record:
            rows = top_rows(record, objective=self.spec.objective, count=count)
        return [_flat(asdict(row)) for row in rows]

    def trials(self) -> list[Row]:
        """Every trial by number, with its outcome, value and parameters."""
        with self._record() as record:
            return [_flat(asdict(row)) for row in trial_rows(record, objective=self.spec.objective)]

    def configurations(self) -> list[Row]:
        """The table of a fixed set: every configuration, ours beside what was published.

        Raises:
            UserError: the study is a search.
        """
        if self.spec.fixed is None:
            raise UserError(f"study {self.name!r} is a search; `top` has its best trials")
        with self._record() as record:
            return [asdict(row) for row in configuration_rows(record, self.spec)]

    def readings(self) -> list[TestReading]:
        """The readings of the test set, oldest first: every seed's scores and confusion matrix.

        A search's result is its newest; of a fixed set every network has its own.
        """
        with self._record() as record:
            return record.readings()

    def model(self, *, configuration: str | None = None, seed: int | None = None) -> "Classifier":
        """The retrained winner: an `nn.Module` in evaluation mode, with its `class_names`.

        It takes (B, C, H, W) float images in [0, 1] and returns (B, classes) logits.

        Args:
            configuration: of a fixed set, which one.
            seed: the network of this seed alone; None: all, as one of their mean probability.

        Raises:
            NothingToShowError: nothing was retrained yet.
            DataError: the weights are gone, damaged, or of another network.
        """
        from hpsearch.trained import load_classifier

        with self._record() as record:
            return load_classifier(
                record, self.spec, home=self.home, configuration=configuration, seed=seed
            )

    def predict(
        self,
        images: "Iterable[str | Path | Image | NDArray[np.uint8]]",
        *,
        invert: bool = False,
        crop: bool = False,
        configuration: str | None = None,
        seed: int | None = None,
    ) -> "list[Prediction]":
        """Classify images as `hpsearch predict` does.

        Args:
            images: files or folders, Pillow images, arrays (H, W), (H, W, 3) or (H, W, 4) uint8,
                so also (N, H, W) uint8; each of any size.
            invert: swap light and dark, as for black on white paper.
            crop: cut to what is drawn, with a margin as the training images have.
            configuration: of a fixed set, which one.
            seed: the network of this seed alone, not the mean of all.

        Raises:
            DataError: one of them is no image.
        """
        from hpsearch.predict import classify_all, find_training_images, prepare_for

        classifier = self.model(configuration=configuration, seed=seed)
        trained_on = None
        if crop:
            with self._record() as record:
                trained_on = find_training_images(record, home=self.home, data_dir=self.data_dir)
        how = prepare_for(classifier, trained_on, invert=invert, crop=crop)
        answers = classify_all(classifier, prepare_all(images, how))
        for picture in answers.unreadable:
            raise DataError(f"{picture.image}: {picture.reason}")
        return answers.predictions

    def figures(self) -> "dict[str, go.Figure]":
        """The figures of the study's page, by name, as plotly figures; those that there are."""
        from hpsearch.figures.figure import StudyFigure
        from hpsearch.pages.contents import read_contents

        with self._record() as record:
            contents = read_contents(record, home=self.home, data_dir=self.data_dir, images=None)
        return {
            figure.name: figure.plot
            for figure in contents.figures
            if isinstance(figure, StudyFigure)
        }

    def export_onnx(
        self,
        path: str | Path,
        *,
        configuration: str | None = None,
        seed: int | None = None,
        probabilities: bool = False,
    ) -> "Agreement":
        """Write what `predict` uses to an ONNX file; returns how near it is to PyTorch.

        Raises:
            UserError: the extra `onnx` is not installed, or the file cannot be written.
            RunFailedError: the network cannot be exported, or comes out otherwise.
        """
        from hpsearch.onnxfile import export_onnx

        return export_onnx(
            Path(path),
            self.model(configuration=configuration, seed=seed),
            spec=self.spec,
            data_dir=self.data_dir,
            as_probabilities=probabilities,
        )


def _check_at_least(name: str, value: object, least: int) -> None:
    if value is not None and not (isinstance(value, int) and value >= least):
        raise UserError(f"{name} = {value!r} is not allowed; a whole number from {least} is")


def _places(
    home: str | Path | None, storage: str | None, data_dir: str | Path | None
) -> tuple[Home, str, Path]:
    """Where results, database and data are, as the command line finds them."""
    place = Home(Path(home or os.environ.get("HPSEARCH_HOME") or "runs"))
    url = storage or os.environ.get("HPSEARCH_STORAGE") or place.database_url
    return place, url, Path(data_dir or os.environ.get("HPSEARCH_DATA") or "data")


def _flat(row: Row) -> Row:
    """A row with its parameters among its columns, after the first ones."""
    params = row.pop("params")
    first = {name: row.pop(name) for name in ("rank", "trial") if name in row}
    return {**first, **params, **row}
