"""A study: everything scientific about it, held as one frozen `StudySpec`.

    spec = load_study_file(Path("studies/cnn-fashion.toml"))  # of `studyparser`
    configuration = spec.configuration(spec.space.suggest(trial))

What a study's file says is kept as a plain document too: it is stored with the study, so that a
later run can tell whether the file is still the same.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpsearch.architecture import feature_map_sizes
from hpsearch.catalogue import FOUND, DatasetInfo
from hpsearch.configuration import Configuration, resolve
from hpsearch.entries import flatten
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.fixedset import CONFIGURATION, SEED, NamedConfiguration
from hpsearch.ownmodel import OwnNetwork
from hpsearch.records import Objective
from hpsearch.space import Choice, Float, Int, Scalar, Space
from hpsearch.studytables import Final, FixedSet, PublishedSearch, Search, Training

AUGMENTATION = "augmentation"  # the table's name
MODEL_FOLDER = "model_folder"  # of stored documents only: where the study file was


@dataclass(frozen=True)
class StudySpec:
    """Everything scientific about a study: a search, or a fixed set of named configurations."""

    name: str
    description: str
    dataset: DatasetInfo
    model: str  # mlp, cnn, package.module:function; all that a fixed set has, with "and"
    objective: Objective
    training: Training
    search: Search  # of a fixed set: one trial a configuration and seed, in order
    final: Final | None  # None: a fixed set has no winner
    space: Space
    document: dict[str, Any]  # the file with its defaults filled in, as JSON can hold it
    published: PublishedSearch | None = None
    fixed: FixedSet | None = None
    configurations: tuple[NamedConfiguration, ...] = ()  # of a fixed set, in the file's order
    model_folder: str = ""  # where own models are looked for first

    def configuration(self, values: Mapping[str, Scalar]) -> Configuration:
        """Resolve suggested values to the one configuration that they describe.

        Raises:
            InfeasibleConfigurationError: its network cannot be built for this data set's images.
        """
        if self.fixed is not None:
            name = values[CONFIGURATION]
            return next(named.configuration for named in self.configurations if named.name == name)
        configuration = resolve(values, model=self.model, folder=self.model_folder)
        feature_map_sizes(configuration.network, image_shape=self.dataset.image_shape)
        return configuration

    def matters(self, name: str, params: Mapping[str, Scalar]) -> bool:
        """Whether a trial would be another one with another value of a searched parameter.

        Units of no layer do not matter, nor does momentum under Adam; a parameter that has no other
        value always does.
        """
        domain = next((p.domain for p in self.space.parameters if p.name == name), None)
        match domain:
            case Choice(others) if len(others) > 1:
                pass
            case Int(low, high) | Float(low, high) if low < high:
                others = (low, high)
            case _:
                return True
        own = self._identity_of(params)
        return any(self._identity_of({**params, name: other}) != own for other in others)

    def _identity_of(self, params: Mapping[str, Scalar]) -> str | None:
        """The identity of a trial with these parameters, or None if there can be no such trial."""
        try:
            return self.identity(self.space.replay(params))
        except (InfeasibleConfigurationError, KeyError):
            return None

    def stored_configuration(self, document: Mapping[str, Any]) -> Configuration:
        """A configuration as a training keeps it; own models are where this study has them."""
        configuration = Configuration.model_validate_json(json.dumps(document))
        if not isinstance(configuration.network, OwnNetwork):
            return configuration
        here = configuration.network.model_copy(update={"folder": self.model_folder})
        return configuration.model_copy(update={"network": here})

    def identity(self, values: Mapping[str, Scalar]) -> str:
        """What two trials must share for one to repeat the other.

        Raises:
            InfeasibleConfigurationError: as `configuration`.
        """
        if self.fixed is not None:
            return f"{values[CONFIGURATION]}, seed {values[SEED]}"
        return self.configuration(values).fingerprint

    @property
    def notes(self) -> str:
        """What the file tells its readers beside the description, as one paragraph."""
        return " ".join(self.document.get("notes", "").split())

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over all that decides a trial's outcome."""
        text = json.dumps(_scientific(self.document), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differences(self, stored: Mapping[str, Any]) -> list[str]:
        """One line for each key whose stored value is another than this file's."""
        old, new = flatten(_scientific(stored)), flatten(_scientific(self.document))
        return [
            f"{key}: {_shown(old, key)} -> {_shown(new, key)}"
            for key in sorted(old.keys() | new.keys())
            if _as_json(old.get(key)) != _as_json(new.get(key))  # true is not 1 there
        ]


def _as_json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _scientific(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what may change during a study: words, figures, budgets, places."""
    words = ("description", "notes", "published", MODEL_FOLDER)
    rest = {key: value for key, value in document.items() if key not in words}
    if FOUND in rest:  # the place may change; what is there is in the split's fingerprint
        rest["dataset"] = rest["dataset"].partition(":")[0]
    budgets = {"search": ("trials", "trial_timeout"), "fixed": ("seeds", "trial_timeout")}
    for table, names in budgets.items():
        if table in rest:
            rest[table] = {key: v for key, v in rest[table].items() if key not in names}
    if "configurations" in rest:
        rest["configurations"] = {
            name: {key: value for key, value in table.items() if key != "published"}
            for name, table in rest["configurations"].items()
        }
    return rest


def _shown(flat: Mapping[str, object], key: str) -> str:
    return json.dumps(flat[key]) if key in flat else "(absent)"
