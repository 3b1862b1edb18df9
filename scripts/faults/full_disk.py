"""A full disk: a home on a small file system that is filled, and freed, while a search runs."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from faults.row import Row
from faults.scenario import Ground, places
from faults.study import Study
from faults.subject import Subject

_BLOCK = bytes(4096)


class NotMountedError(Exception):
    """This user or this system cannot mount a file system; says why."""


@dataclass(frozen=True)
class FullDisk:
    """Fill the disk, leave it so for a while, free it and carry on."""

    faults: int = 6
    full_s: float = 25.0  # longer than the time between two checkpoints
    size_mb: int = 16
    trials: int = 16
    epochs: int = 100
    sample: int = 5

    name: ClassVar = "full-disk"

    def run(self, ground: Ground) -> Row:
        """Mount, fill, free, carry on."""
        try:
            with _small_file_system(ground.folder / "disk", size_mb=self.size_mb) as folder:
                return self._run(Study(folder, self.trials, self.epochs), ground)
        except NotMountedError as error:
            return Row(self.name, skipped=str(error))

    def _run(self, study: Study, ground: Ground) -> Row:
        ends = struck = 0
        with Subject(study) as subject:
            subject.start()
            for place in places(ground.random, total_epochs=study.total_epochs, count=self.faults):
                if not subject.reach(place) or not subject.recover():
                    break
                with _filled(study.folder):
                    subject.pause(self.full_s)
                struck += 1
                subject.struck()
                if not subject.search.is_running:
                    ends += 1
                    self._expect_clear_end(subject)
                    subject.start()
            subject.finish()
        remark = f"the search ended {ends} times, went on {struck - ends} times"
        return subject.row(self.name, faults=struck, sample=self.sample, remark=remark)

    def _expect_clear_end(self, subject: Subject) -> None:
        """A search that stopped for want of space says so, in one line."""
        code, said = subject.search.wait(0), subject.search.stderr.strip().splitlines()
        last = said[-1] if said else ""
        if code not in (0, 1):
            subject.broken.append(f"on a full disk it ended with {code}: {last}")
        elif code == 1 and not any(word in last.lower() for word in ("full", "space")):
            subject.broken.append(f"its last line does not name the full disk: {last}")
        if any(line.startswith("Traceback") for line in said):
            subject.broken.append(f"a traceback on a full disk: {last}")


@contextmanager
def _small_file_system(folder: Path, *, size_mb: int) -> Iterator[Path]:
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip()
        raise NotMountedError(f"cannot mount a tmpfs, which takes root: {said}") from None
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def _filled(folder: Path) -> Iterator[None]:
    """Every byte of the folder's file system taken, until the end of the block."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(_BLOCK)
    except OSError:
        pass
    try:
        yield
    finally:
        ballast.unlink()
