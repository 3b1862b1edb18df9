"""The tables of a study file as pydantic checks them, its mistakes put into our words.

`spec` reads a whole file; what a table means together with the others is checked there.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, field_validator

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
from hpsearch.catalogue import Channels
from hpsearch.configuration import TRAINING_NAMES
from hpsearch.durations import parse_duration
from hpsearch.frozen import Frozen
from hpsearch.mistakes import MistakeError, UnknownKeyError, nearest, wanted, written
from hpsearch.ownmodel import WORDS, is_own
from hpsearch.records import Objective
from hpsearch.space import Scalar

MODELS = ("mlp", "cnn")
Weights = Literal["best", "last"]

_Accuracy = Annotated[float, Field(ge=0, le=1)]
_Loss = Annotated[float, Field(ge=0)]


AnyTable = TypeVar("AnyTable", bound=Frozen)


class EarlyStopping(Frozen):
    """Stop after `patience` epochs without an improvement of `monitor` by more than `min_delta`."""

    monitor: Objective = "val_loss"
    patience: Positive = 10
    min_delta: Annotated[float, Field(ge=0)] = 0.0


class Training(Frozen):
    """The protocol that every trial of a study shares."""

    epochs: Positive = 100  # at most
    early_stopping: EarlyStopping | None = None
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.15  # stratified share of the training set
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    precision: Literal["fp32", "bf16", "auto"] = "fp32"  # auto: what a short probe finds faster
    subset: Positive | None = None  # train and validate on so many images only, stratified


_Side = Annotated[int, Field(ge=1, le=4096)]  # pixels


class OwnImages(Frozen):
    """How a data set of one's own is brought to the networks' input; `[data]` in the file."""

    size: tuple[_Side, _Side] | None = None  # height and width; None: as they are, all the same
    channels: Channels | None = None  # None: grey if all images are
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2  # share of each class, without a test part

    @field_validator("size", mode="before")
    @classmethod
    def _one_number_or_two(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return (value, value)
        return tuple(value) if isinstance(value, list) else value


# seconds of training, after which a trial is ended; also as "90s", "30m" or "2h"
_Timeout = Annotated[float, Field(gt=0)]


def _in_seconds(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


class Search(Frozen):
    """How configurations are proposed, how trials are pruned, and how many there are."""

    sampler: Sampler = Tpe()
    # T6 of the benchmark compares it with others
    pruner: Pruner = Halving(reduction_factor=2, max_resource=4)
    trials: Positive = 100
    trial_timeout: _Timeout | None = None

    _seconds = field_validator("trial_timeout", mode="before")(_in_seconds)

    @field_validator("sampler", "pruner", mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class Final(Frozen):
    """How the winner is chosen and retrained after the search."""

    finalists: Positive = 3  # how many of the best are trained again with fresh seeds
    seeds: Positive = 3
    train_on: Literal["train", "train+validation"] = "train+validation"


class FixedSet(Frozen):
    """How each configuration of a set is trained and tested; nothing is searched."""

    seeds: Positive = 3  # networks a configuration
    weights: Weights = "best"  # that are tested: of the epoch with the best objective, or the last
    trial_timeout: _Timeout | None = None

    _seconds = field_validator("trial_timeout", mode="before")(_in_seconds)


class PublishedResult(Frozen):
    """What a document says of one configuration, to be shown beside ours."""

    test_accuracy: _Accuracy | None = None
    test_loss: _Loss | None = None
    parameters: Positive | None = None  # trainable ones
    all_parameters: Positive | None = None  # and batch norm's running statistics, as Keras counts


class PublishedTrial(Frozen):
    """A row of a document's own top table."""

    params: dict[str, Scalar]
    val_accuracy: _Accuracy
    val_loss: _Loss
    accuracy: _Accuracy
    loss: _Loss
    epochs: Positive
    duration_s: Annotated[float, Field(gt=0)]


class PublishedSearch(Frozen):
    """What a document says of a search: its winner's test result, its top table."""

    test_accuracy: _Accuracy | None = None
    top: list[PublishedTrial] = Field(default_factory=list)


def _known_model(value: object) -> object:
    if value in MODELS or is_own(value):
        return value
    raise ValueError(f"allowed: {', '.join(map(repr, MODELS))}, '{WORDS}'")


Model = Annotated[str, BeforeValidator(_known_model)]


class Document(Frozen):
    """A whole file, but for its space and configurations."""

    description: str = ""
    notes: str = ""  # for readers: what a document leaves open, and how it was read
    dataset: str
    data: OwnImages | None = None  # of a data set of one's own
    objective: Objective = "val_accuracy"
    training: Training = Training()


class SearchDocument(Document):
    """The file of a study that searches."""

    model: Model
    search: Search = Search()
    final: Final = Final()
    published: PublishedSearch | None = None


class FixedDocument(Document):
    """The file of a fixed set."""

    model: Model | None = None  # of the configurations that name none
    fixed: FixedSet = FixedSet()


# names that a table may have beside its pydantic fields
_ALSO: Mapping[str, Sequence[str]] = {"Training": sorted(TRAINING_NAMES)}
_NAMED = {"sampler": SAMPLERS, "pruner": PRUNERS, "wrapped": WRAPPED}
_NO_SUCH_NAME = ("union_tag_invalid", "union_tag_not_found", "model_attributes_type")


def check_table(
    table: type[AnyTable], content: Mapping[str, Any], *, at: str = "", also: Sequence[str] = ()
) -> AnyTable:
    """The table that this content is.

    Args:
        table: what it should be.
        content: as TOML gives it.
        at: the table's own key, for messages; "" for the whole file.
        also: keys that it may have beside its fields, for messages.

    Raises:
        MistakeError: the first thing that is wrong.
    """
    try:
        return table.model_validate(dict(content))
    except ValidationError as error:
        raise _first_mistake(error, table, at, also) from None


def _first_mistake(
    error: ValidationError, table: type[Frozen], at: str, also: Sequence[str]
) -> MistakeError:
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
    keys = [at, *keys] if at else keys
    key, given = ".".join(keys), first["input"]
    if first["type"] == "missing":
        return MistakeError(key, "is missing; every study file needs it")
    if first["type"] == "extra_forbidden":
        beside = ".".join([*keys[:-1], ""]) if keys[:-1] else ""
        allowed = _allowed_beside(path, table, also)
        return UnknownKeyError(key, [f"{beside}{name}" for name in allowed])
    if keys[-1] in _NAMED and first["type"] in _NO_SUCH_NAME:
        if isinstance(given, dict) and "name" not in given:
            return MistakeError(key, f"needs a name; allowed: {', '.join(_NAMED[keys[-1]])}")
        given = given["name"] if isinstance(given, dict) else given
        return MistakeError(key, not_among(given, _NAMED[keys[-1]]))
    return MistakeError(key, f"{written(given)} is not allowed; {wanted(error)}")


def _allowed_beside(path: list[str], table: type[Frozen], also: Sequence[str]) -> list[str]:
    """The names allowed in the table in which the last part of `path` stands."""
    schema = table.model_json_schema()
    parents = path[:-1]
    if not parents:
        return [*schema["properties"], *also]
    tables = schema["$defs"]
    for definition in tables.values():  # an algorithm, by its name
        if definition["properties"].get("name", {}).get("const") == parents[-1]:
            return list(definition["properties"])
    title = _TITLES[next(part for part in reversed(parents) if part in _TITLES)]
    return [*tables[title]["properties"], *_ALSO.get(title, ())]


_TITLES: Mapping[str, str] = {
    "training": "Training",
    "data": "OwnImages",
    "early_stopping": "EarlyStopping",
    "search": "Search",
    "final": "Final",
    "fixed": "FixedSet",
    "published": "PublishedSearch",
    "top": "PublishedTrial",
}


def not_among(value: object, allowed: Sequence[str]) -> str:
    """A problem: a value that is none of the allowed ones."""
    near = nearest(str(value), list(allowed))
    return f"{written(value)} is not allowed{near}; allowed: {', '.join(allowed)}"
