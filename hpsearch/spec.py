"""Study files: read, checked, and held as one frozen `StudySpec`.

    spec = load_study_file(Path("studies/cnn-fashion.toml"))
    configuration = spec.configuration(spec.space.suggest(trial))

The name of a study is its file's stem. What a file says is kept as a plain document too: it is
stored with the study, so that a later run can tell whether the file is still the same.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hpsearch.algorithms import (
    PRUNERS,
    SAMPLERS,
    WRAPPED,
    Halving,
    Positive,
    Pruner,
    Sampler,
    Tpe,
)
from hpsearch.catalogue import DATASETS, DatasetInfo
from hpsearch.configuration import (
    TRAINING_NAMES,
    Configuration,
    feature_map_sizes,
    resolve,
)
from hpsearch.durations import parse_duration
from hpsearch.entries import flatten, normalize
from hpsearch.errors import StudyFileError
from hpsearch.mistakes import MistakeError, UnknownKeyError, nearest, wanted, written
from hpsearch.records import Objective
from hpsearch.space import Scalar, Space
from hpsearch.spacefile import parse_space

LARGEST_GRID = 20_000  # combinations of a space that are listed, to see what is left

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class EarlyStopping(_Table):
    """Stop after `patience` epochs without an improvement of `monitor` by more than `min_delta`."""

    monitor: Objective = "val_loss"
    patience: Positive = 10
    min_delta: Annotated[float, Field(ge=0)] = 0.0


class Training(_Table):
    """The protocol that every trial of a study shares."""

    epochs: Positive = 100  # at most
    early_stopping: EarlyStopping | None = None
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.15  # stratified share of the training set
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    precision: Literal["fp32", "bf16", "auto"] = "fp32"  # auto: what a short probe finds faster
    subset: Positive | None = None  # train and validate on so many images only, stratified


class Search(_Table):
    """How configurations are proposed, how trials are pruned, and how many there are."""

    sampler: Sampler = Tpe()
    # T6 of the benchmark compares it with others
    pruner: Pruner = Halving(reduction_factor=2, max_resource=4)
    trials: Positive = 100
    # seconds of training, after which a trial is ended; also as "90s", "30m" or "2h"
    trial_timeout: Annotated[float, Field(gt=0)] | None = None

    @field_validator("sampler", "pruner", mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("trial_timeout", mode="before")
    @classmethod
    def _in_seconds(cls, value: object) -> object:
        return parse_duration(value) if isinstance(value, str) else value


class Final(_Table):
    """How the winner is chosen and retrained after the search."""

    finalists: Positive = 3  # how many of the best are trained again with fresh seeds
    seeds: Positive = 3
    train_on: Literal["train", "train+validation"] = "train+validation"


class _Document(_Table):
    description: str = ""
    dataset: str
    model: Literal["mlp", "cnn"]
    objective: Objective = "val_accuracy"
    training: Training = Training()
    search: Search = Search()
    final: Final = Final()


@dataclass(frozen=True)
class StudySpec:
    """Everything scientific about a study."""

    name: str
    description: str
    dataset: DatasetInfo
    model: Literal["mlp", "cnn"]
    objective: Objective
    training: Training
    search: Search
    final: Final
    space: Space
    document: dict[str, Any]  # the file with its defaults filled in, as JSON can hold it

    def configuration(self, values: Mapping[str, Scalar]) -> Configuration:
        """Resolve suggested values to the one configuration that they describe.

        Raises:
            InfeasibleConfigurationError: its network cannot be built for this data set's images.
        """
        configuration = resolve(values, model=self.model)
        feature_map_sizes(configuration.network, image_shape=self.dataset.image_shape)
        return configuration

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
            if old.get(key) != new.get(key)
        ]


def _scientific(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what may change during a study: its description and budgets."""
    budgets = ("trials", "trial_timeout")
    search = {key: value for key, value in document["search"].items() if key not in budgets}
    rest = {key: value for key, value in document.items() if key != "description"}
    return {**rest, "search": search}


def _shown(flat: Mapping[str, object], key: str) -> str:
    return json.dumps(flat[key]) if key in flat else "(absent)"


def load_study_file(path: Path, *, name: str | None = None) -> StudySpec:
    """Read and check a study file; `name` replaces the file's stem as the study's name.

    Raises:
        StudyFileError: the file cannot be read, or anything in it is not allowed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return parse_study(content, name=path.stem if name is None else name)
    except OSError as error:
        raise StudyFileError(f"{path}: cannot be read: {error.strerror}") from None
    except MistakeError as mistake:
        raise StudyFileError(f"{path}: {mistake}") from None
    except ValueError as error:  # of tomllib, or of a text that is not UTF-8
        raise StudyFileError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise StudyFileError(f"{path}: not a study file: nested too deeply") from None


def parse_study(content: Mapping[str, Any], *, name: str) -> StudySpec:
    """Check a study given as the tables of its file.

    Raises:
        MistakeError: the first thing that is wrong.
    """
    check_study_name(name)
    tables = dict(content)
    table = _table(tables.pop("space", None), "space")
    protocol = _table(tables.get("training", {}), "training")
    fixed = normalize({key: value for key, value in protocol.items() if key in TRAINING_NAMES})
    flat = normalize(flatten(table))
    tables["training"] = {key: value for key, value in protocol.items() if key not in fixed}
    document = _checked(tables)
    if document.dataset not in DATASETS:
        raise MistakeError("dataset", _not_among(document.dataset, list(DATASETS)))
    dataset = DATASETS[document.dataset]
    subset = document.training.subset
    if subset is not None and subset > dataset.num_train:
        problem = f"{subset} is not allowed; {dataset.name} has {dataset.num_train} training images"
        raise MistakeError("training.subset", problem)
    space = parse_space(flat, training=fixed, model=document.model, image_shape=dataset.image_shape)
    if document.search.sampler.name == "grid" and space.count_at_most(LARGEST_GRID) is None:
        raise MistakeError("search.sampler", _no_grid(space))
    dumped = document.model_dump(mode="json")
    return StudySpec(
        name=name,
        description=document.description,
        dataset=dataset,
        model=document.model,
        objective=document.objective,
        training=document.training,
        search=document.search,
        final=document.final,
        space=space,
        document={**dumped, "training": {**dumped["training"], **fixed}, "space": flat},
    )


def _no_grid(space: Space) -> str:
    for parameter in space.parameters:
        if parameter.domain.values is None:
            return f"'grid' needs a finite space; give {parameter.name} a step or choices"
    return f"'grid' lists at most {LARGEST_GRID:,} combinations, and this space has more"


def check_study_name(name: str) -> None:
    """Names become file names, so only plain ones are allowed.

    Raises:
        MistakeError: any other name.
    """
    if not _NAME.fullmatch(name):
        raise MistakeError(
            "name",
            f"{written(name)} is not allowed; letters, digits, '.', '_' and '-', at most 100, are",
        )


def _table(value: object, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        problem = "is missing" if value is None else f"{written(value)} is not a table"
        raise MistakeError(key, f"{problem}; write [{key}]")
    return value


def _checked(tables: Mapping[str, Any]) -> _Document:
    try:
        return _Document.model_validate(dict(tables))
    except ValidationError as error:
        raise _first_mistake(error) from None


def _first_mistake(error: ValidationError) -> MistakeError:
    errors = error.errors()
    # a misspelt key is also a missing one: name what was written
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    path = [str(part) for part in first["loc"]]
    # pydantic puts the chosen algorithm's name into the path: search, sampler, tpe, gamma
    keys = [
        part
        for i, part in enumerate(path)
        if i == len(path) - 1 or path[i - 1 : i] not in (["sampler"], ["pruner"], ["wrapped"])
    ]
    key, given = ".".join(keys), first["input"]
    if first["type"] == "missing":
        return MistakeError(key, "is missing; every study file needs it")
    if first["type"] == "extra_forbidden":
        beside = ".".join([*keys[:-1], ""])
        return UnknownKeyError(key, [f"{beside}{name}" for name in _allowed_beside(path)])
    if keys[-1] in _NAMED and first["type"] in _NO_SUCH_NAME:
        if isinstance(given, dict) and "name" not in given:
            return MistakeError(key, f"needs a name; allowed: {', '.join(_NAMED[keys[-1]])}")
        given = given["name"] if isinstance(given, dict) else given
        return MistakeError(key, _not_among(given, _NAMED[keys[-1]]))
    return MistakeError(key, f"{written(given)} is not allowed; {wanted(error)}")


_NAMED = {"sampler": SAMPLERS, "pruner": PRUNERS, "wrapped": WRAPPED}
_NO_SUCH_NAME = ("union_tag_invalid", "union_tag_not_found", "model_attributes_type")


def _allowed_beside(path: list[str]) -> list[str]:
    """The names allowed in the table in which the last part of `path` stands."""
    schema = _Document.model_json_schema()
    tables = schema["$defs"]
    match path[:-1]:
        case []:
            return [*schema["properties"], "space"]
        case ["training"]:
            return [*tables["Training"]["properties"], *sorted(TRAINING_NAMES)]
        case [*_, "early_stopping"]:
            return list(tables["EarlyStopping"]["properties"])
        case [("search" | "final") as name]:
            return list(tables[name.capitalize()]["properties"])
        case [*_, chosen]:
            names = (table["properties"] for table in tables.values())
            return next(list(n) for n in names if n.get("name", {}).get("const") == chosen)
    raise AssertionError(path)


def _not_among(value: object, allowed: list[str]) -> str:
    near = nearest(str(value), allowed)
    return f"{written(value)} is not allowed{near}; allowed: {', '.join(allowed)}"
