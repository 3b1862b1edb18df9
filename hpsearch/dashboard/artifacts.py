"""Files of a study for the dashboard's artifact store: what came of the best trials.

    shelf = Shelf.of(there, home=home)
    attributes, gone = shelf.put(study_files(snapshot), there)

The store is a folder with a file an artifact, named by its id. Here an id is made from what the
file is, so that one that is put there again replaces itself, and what nobody wants any more is told
from a user's own and removed.
"""

import mimetypes
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.artifacts import ArtifactMeta

from hpsearch.dashboard.attributes import Attributes, artifact_key, artifact_value, artifacts_of
from hpsearch.dashboard.drawings import confusion_svg, curves_svg
from hpsearch.figures.confusion import get_confusion_info
from hpsearch.figures.curves import get_curves_info
from hpsearch.figures.snapshot import Snapshot
from hpsearch.home import Home, atomic_path
from hpsearch.records import EpochMetrics, TrainingKey
from hpsearch.report.spreadsheet import csv_text

NUM_TRIALS = 5  # of the best, whose epochs and curves are kept
_MARK = "hpsearch:artifacts"  # a study's own random part of its artifacts' ids
_TYPES = {".safetensors": "application/octet-stream", ".svg": "image/svg+xml", ".csv": "text/csv"}
_COLUMNS = tuple(EpochMetrics.__dataclass_fields__)


@dataclass(frozen=True)
class StudyFile:
    """A file for the store; of the study, or of one of its trials."""

    name: str
    content: bytes | Path  # a file of the home is linked, not copied, where that can be done
    trial_id: int | None = None  # Optuna's


def study_files(snapshot: Snapshot) -> list[StudyFile]:
    """The winner's files, and those of the best trials; those both with the study and the trial."""
    files = [*_winner_files(snapshot), *_weights(snapshot)]
    for trial in snapshot.ranked[:NUM_TRIALS]:
        epochs = snapshot.epochs(trial.number)
        title = f"{snapshot.name}: trial {trial.number}"
        csv = csv_text(_COLUMNS, ([getattr(m, name) for name in _COLUMNS] for m in epochs))
        svg = curves_svg(title, [epochs])
        for ending, text in (("epochs.csv", csv), ("curves.svg", svg)):
            name = f"trial-{trial.number}-{ending}"
            files.append(StudyFile(name, text.encode(), trial._trial_id))
            if ending == "epochs.csv":
                files.append(StudyFile(name, text.encode()))
    return files


def _winner_files(snapshot: Snapshot) -> list[StudyFile]:
    found = []
    curves = get_curves_info(snapshot)
    if curves is not None and any(curves.trainings.values()):
        name, what = "winner", "all its trainings after the search"
        if all(key.role == "search" for key in curves.trainings):
            name, what = "best", "the best so far"
        title = f"{snapshot.name}: trial {snapshot.winner}, {what}"
        svg = curves_svg(title, list(curves.trainings.values()))
        found.append(StudyFile(f"{name}-curves.svg", svg.encode()))
    confusion = get_confusion_info(snapshot)
    if confusion is not None:
        title = f"{snapshot.name}: test images, summed over {confusion.seeds} seeds"
        svg = confusion_svg(title, confusion.names, confusion.counts)
        found.append(StudyFile("winner-confusion.svg", svg.encode()))
    return found


def _weights(snapshot: Snapshot) -> list[StudyFile]:
    keys = [key for key in sorted(snapshot.trainings) if key.role == "winner"]
    paths = ((key, snapshot.home.weights(snapshot.name, key)) for key in keys)
    return [StudyFile(_weights_name(key), path) for key, path in paths if path.exists()]


def _weights_name(key: TrainingKey) -> str:
    return f"winner-{key.trial}-seed-{key.seed}.safetensors"


class Shelf:
    """One study's part of the store."""

    def __init__(self, mark: str, *, home: Home) -> None:
        self._mark = uuid.UUID(mark)
        self._home = home

    @classmethod
    def of(cls, there: Mapping[str, Any], *, home: Home) -> "Shelf":
        """The shelf of the study that has these attributes."""
        return cls(there.get(_MARK) or str(uuid.uuid4()), home=home)

    def put(
        self, files: Sequence[StudyFile], there: Mapping[str, Any]
    ) -> tuple[Attributes, dict[str, str]]:
        """Put files into the store; returns attributes that list them, and what is to be removed.

        What is to be removed are artifact ids by their attributes: `remove` them when the
        attributes are gone.
        """
        listed: Attributes = {_MARK: str(self._mark)}
        for file in files:
            meta = self._meta(file.name, file.trial_id)
            _place(file.content, self._home.artifact(meta.artifact_id))
            key = artifact_key(meta.artifact_id, trial_id=file.trial_id)
            listed[key] = artifact_value(meta)
        gone = {
            key: meta.artifact_id
            for key, meta in artifacts_of(there).items()
            if key not in listed and self._is_ours(key, meta)
        }
        return listed, gone

    def remove(self, gone: Mapping[str, str]) -> None:
        """Delete the files of artifacts that are no longer listed."""
        for artifact_id in gone.values():
            self._home.artifact(artifact_id).unlink(missing_ok=True)

    def _meta(self, name: str, trial_id: int | None) -> ArtifactMeta:
        kind = _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "text/plain"
        return ArtifactMeta(self._id(name, trial_id), name, kind, None)

    def _id(self, name: str, trial_id: int | None) -> str:
        return str(uuid.uuid5(self._mark, f"{trial_id}/{name}"))

    def _is_ours(self, key: str, meta: ArtifactMeta) -> bool:
        trial_id = key.split(":")[2] if key.startswith("dashboard:") else None
        return meta.artifact_id == str(uuid.uuid5(self._mark, f"{trial_id}/{meta.filename}"))


def _place(content: bytes | Path, path: Path) -> None:
    """Write or link a file whole or not at all, unless it is there already."""
    with suppress(FileNotFoundError):
        if isinstance(content, Path):
            if path.samefile(content):
                return
        elif path.read_bytes() == content:
            return
    with atomic_path(path) as temporary:
        if isinstance(content, bytes):
            temporary.write_bytes(content)
            return
        temporary.unlink()
        try:
            os.link(content, temporary)
        except OSError:  # a file system without links
            temporary.write_bytes(content.read_bytes())
