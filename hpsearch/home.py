"""Where hpsearch keeps its files: the one place that knows a file's name.

runs/                            --home, or HPSEARCH_HOME
  hpsearch.db                    every study: Optuna's tables and ours
  cache/                         decoded training sets and splits, mapped by all workers
  checkpoints/STUDY/             of trainings that are under way
  artifacts/STUDY/               weights and test predictions of the winner
  artifacts/ID                   files that the dashboard shows
  tracebacks/STUDY/              of trainings that failed with an error
  reports/                       pages and pictures
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hpsearch.errors import UserError
from hpsearch.records import TrainingKey

_TEMPORARY = ".tmp"


@dataclass(frozen=True)
class Home:
    """A folder of results; nothing is created before something is written."""

    root: Path

    @property
    def database_url(self) -> str:
        """The default database, as SQLAlchemy names it."""
        path = str(self.root / "hpsearch.db").replace("%", "%25").replace("?", "%3F")
        return f"sqlite:///{path}"

    @property
    def cache(self) -> Path:
        """The folder of decoded data."""
        return self.root / "cache"

    @property
    def reports(self) -> Path:
        """The folder of pictures and pages."""
        return self.root / "reports"

    def checkpoints(self, study: str) -> Path:
        """The folder of a study's checkpoints."""
        return self.root / "checkpoints" / study

    def checkpoint(self, study: str, key: TrainingKey) -> Path:
        """The checkpoint of one training."""
        return self.checkpoints(study) / f"{key}.pt"

    def checkpoint_bytes(self, study: str) -> int:
        """The size of a study's checkpoints; they come and go while it is searched."""
        size = 0
        for path in self.checkpoints(study).glob("*"):
            with suppress(FileNotFoundError):
                size += path.stat().st_size
        return size

    def forget_checkpoint(self, study: str, key: TrainingKey) -> None:
        """Remove the checkpoints of one training, and what was to become one, as far as can be."""
        checkpoint = self.checkpoint(study, key)
        for path in [*checkpoint_files(checkpoint), *temporary_files(checkpoint)]:
            with suppress(OSError):  # none there, or something else in its place
                path.unlink()

    @property
    def artifact_store(self) -> Path:
        """The folder of optuna-dashboard's artifact store."""
        return self.root / "artifacts"

    def artifact(self, artifact_id: str) -> Path:
        """One artifact in the store."""
        return self.artifact_store / artifact_id

    def artifacts(self, study: str) -> Path:
        """The folder of what a study leaves for use elsewhere."""
        return self.artifact_store / study

    def weights(self, study: str, key: TrainingKey) -> Path:
        """The trained weights of one training."""
        return self.artifacts(study) / f"{key}.safetensors"

    def predictions(self, study: str, reading: int) -> Path:
        """The outputs for every test image of one reading of the test set."""
        return self.artifacts(study) / f"test-reading-{reading}.safetensors"

    def report(self, study: str) -> Path:
        """The page of a study; one whose name is no file's has it without the odd characters."""
        return self.reports / f"{re.sub('[^A-Za-z0-9._-]', '_', study)}.html"

    def tracebacks(self, study: str) -> Path:
        """The folder of a study's tracebacks."""
        return self.root / "tracebacks" / study

    def traceback(self, study: str, key: TrainingKey) -> Path:
        """The traceback of one training."""
        return self.tracebacks(study) / f"{key}.txt"

    def rename_study(self, old: str, new: str) -> None:
        """Move a study's folders along with its name."""
        for folder in (self.checkpoints, self.artifacts, self.tracebacks):
            if folder(old).exists():
                folder(old).rename(folder(new))


def checkpoint_files(checkpoint: Path) -> tuple[Path, Path]:
    """The newest checkpoint of a training, and the one before it."""
    return checkpoint, checkpoint.with_name(f"{checkpoint.name}.before")


def temporary_files(path: Path) -> Iterator[Path]:
    """What processes that were killed while they wrote a file left beside it."""
    return path.parent.glob(f".{path.name}.*{_TEMPORARY}")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place on leaving, whole or not at all.

    What was written is on the disk before it takes the place, should the power fail.

    Raises:
        UserError: the folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
        temporary.touch()
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename is not None:
            raise
        # a full disk is told without the file, by NumPy even without a number
        reason = error.strerror or str(error)
        raise OSError(error.errno or errno.EIO, reason, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
