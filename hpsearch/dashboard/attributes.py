"""How optuna-dashboard keeps notes, plots and artifacts in a study's system attributes.

Its own functions for it cost a search seconds, as they come with scikit-learn, and write every
2,045 characters in a transaction of their own. The attributes here are the same; tests compare them
with what its functions write and read.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import count
from typing import Any

from optuna.artifacts import ArtifactMeta

Attributes = dict[str, Any]

_MOST = 2045  # characters of an attribute
_NOTE_VERSION = "dashboard:note_ver"
_NOTE = "dashboard:note_str:"
_PLOT = "dashboard:plot_data:"
_STUDY_ARTIFACT = "artifacts:"
_TRIAL_ARTIFACT = "dashboard:artifacts:"  # and Optuna's id of the trial


def note_of(there: Mapping[str, Any]) -> str:
    """A study's note; empty if it has none."""
    return "".join(there[key] for key in _pieces(there, _NOTE))


def note_attributes(there: Mapping[str, Any], body: str) -> Attributes:
    """What makes `body` the study's note; nothing, if it is that already."""
    if body == note_of(there):
        return {}
    return {_NOTE_VERSION: there.get(_NOTE_VERSION, 0) + 1, **_split(there, _NOTE, body)}


def plot_attributes(there: Mapping[str, Any], name: str, figure_json: str) -> Attributes:
    """What makes a Plotly figure the study's custom plot of that name."""
    return _split(there, f"{_PLOT}{name}:", figure_json)


def artifact_key(artifact_id: str, *, trial_id: int | None = None) -> str:
    """Where an artifact is listed: the study's, or that of a trial, which may be finished.

    A trial's own attributes cannot be changed once it is finished, and a dashboard that runs would
    not look at them again.
    """
    owner = _STUDY_ARTIFACT if trial_id is None else f"{_TRIAL_ARTIFACT}{trial_id}:"
    return f"{owner}{artifact_id}"


def artifact_value(meta: ArtifactMeta) -> str:
    """What is told of an artifact."""
    return json.dumps(asdict(meta))


def artifacts_of(there: Mapping[str, Any]) -> dict[str, ArtifactMeta]:
    """Every artifact of a study and its trials by its key; without those that a user deleted."""
    found = {}
    for key, value in there.items():
        if key.startswith((_STUDY_ARTIFACT, _TRIAL_ARTIFACT)):
            meta = json.loads(value)
            if meta is not None:
                found[key] = ArtifactMeta(**meta)
    return found


def _pieces(there: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """The keys of a text's pieces, in order."""
    for number in count():
        if f"{prefix}{number}" not in there:
            return
        yield f"{prefix}{number}"


def _split(there: Mapping[str, Any], prefix: str, text: str) -> Attributes:
    """A text in pieces; the rest of a longer one before it becomes empty, as by the dashboard."""
    pieces = [text[start : start + _MOST] for start in range(0, len(text), _MOST)]
    emptied = dict.fromkeys(_pieces(there, prefix), "")
    return {**emptied, **{f"{prefix}{number}": piece for number, piece in enumerate(pieces)}}
