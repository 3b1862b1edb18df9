"""The named configurations of a fixed set: what a document trained and tested, one by one.

    around = Around(shared={}, model="cnn", image_shape=(1, 28, 28))
    configurations = parse_configurations(tables, around)

Nothing is searched, so a value is one value. What all configurations share stands in `[training]`
and `[shared]`; a configuration's own table is read last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from hpsearch.architecture import feature_map_sizes
from hpsearch.configuration import Configuration, is_allowed, resolve
from hpsearch.entries import flatten, normalize
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.mistakes import MistakeError, wanted, written
from hpsearch.ownmodel import WORDS, is_own
from hpsearch.space import Choice, Fixed, Int, Parameter, Space
from hpsearch.spacefile import parse_space
from hpsearch.studytables import MODELS, PublishedResult, check_table, not_among

CONFIGURATION, SEED = "configuration", "seed"  # the parameters of a fixed set's trials

_LONGEST_NAME = 60


@dataclass(frozen=True)
class Around:
    """What a file says of all its configurations."""

    shared: Mapping[str, object]  # hyperparameters, flat
    model: str | None  # of those that name none
    image_shape: tuple[int, int, int]  # of the data set: channels, height, width
    folder: str = ""  # where own models are looked for first


@dataclass(frozen=True)
class NamedConfiguration:
    """One configuration of a fixed set."""

    name: str
    model: str
    configuration: Configuration
    published: PublishedResult
    document: dict[str, Any]  # its table, as JSON can hold it


def parse_configurations(tables: object, around: Around) -> tuple[NamedConfiguration, ...]:
    """Check the `[configurations]` of a file: tables by name, in its order.

    Raises:
        MistakeError: the first thing that is wrong.
    """
    if not isinstance(tables, dict) or not tables:
        problem = "a fixed set needs at least one table; write [configurations.NAME]"
        raise MistakeError("configurations", problem)
    chosen = [table.get("model") for table in tables.values() if isinstance(table, dict)]
    models = {*MODELS, *(model for model in [around.model, *chosen] if is_own(model))}
    parsed: dict[str, NamedConfiguration] = {}  # by what they are
    for name, table in tables.items():
        named = _parse_configuration(name, table, around, models)
        same = parsed.setdefault(named.configuration.fingerprint, named)
        if same is not named:
            raise MistakeError(f"configurations.{name}", f"is the same as {same.name!r}")
    return tuple(parsed.values())


def _parse_configuration(
    name: str, table: object, around: Around, models: set[Any]
) -> NamedConfiguration:
    key = f"configurations.{name}"
    if not name.isprintable() or not name or name != name.strip() or len(name) > _LONGEST_NAME:
        problem = f"a name has 1 to {_LONGEST_NAME} printable characters, no blank at its ends"
        raise MistakeError(key, problem)
    if not isinstance(table, dict):
        raise MistakeError(key, f"{written(table)} is not a table; write [{key}]")
    own = dict(table)
    published = check_table(PublishedResult, _table(own, "published", key), at=f"{key}.published")
    chosen = own.pop("model", around.model)
    if chosen not in MODELS and not is_own(chosen):
        missing = "is missing, here and in the file"
        problem = missing if chosen is None else not_among(chosen, [*MODELS, WORDS])
        raise MistakeError(f"{key}.model", problem)
    flat = normalize(flatten(own), model=chosen)
    shared = _for_model(around.shared, chosen, models)
    return NamedConfiguration(
        name,
        chosen,
        _resolve({**shared, **flat}, chosen, around, key),
        published,
        {**flat, "model": chosen, "published": published.model_dump(exclude_none=True)},
    )


def _table(own: dict[str, Any], name: str, key: str) -> dict[str, Any]:
    found = own.pop(name, {})
    if not isinstance(found, dict):
        raise MistakeError(f"{key}.{name}", f"{written(found)} is not a table")
    return found


def _for_model(shared: Mapping[str, object], model: str, models: set[Any]) -> dict[str, object]:
    """Without what only another model has; a name that none has is left to be refused."""
    return {
        name: value
        for name, value in shared.items()
        if is_allowed(name, model=model)
        or not any(is_allowed(name, model=other) for other in models)
    }


def _resolve(flat: Mapping[str, object], model: str, around: Around, key: str) -> Configuration:
    try:
        space = parse_space(flat, training={}, model=model, image_shape=around.image_shape)
    except MistakeError as mistake:
        raise MistakeError(key, str(mistake).replace("space.", "")) from None
    for parameter in space.parameters:
        if not isinstance(parameter.domain, Fixed):
            problem = "a fixed set searches nothing; give one value"
            raise MistakeError(f"{key}.{parameter.name}", problem)
    try:
        configuration = resolve(space.replay({}), model=model, folder=around.folder)
        feature_map_sizes(configuration.network, image_shape=around.image_shape)
    except ValidationError as error:
        raise MistakeError(key, wanted(error)) from None
    except InfeasibleConfigurationError as error:
        raise MistakeError(key, str(error)) from None
    return configuration


def space_of(configurations: tuple[NamedConfiguration, ...], *, seeds: int) -> Space:
    """Every configuration with its first seed, then every one with its second, and so on."""
    names = tuple(named.name for named in configurations)
    return Space((Parameter(SEED, Int(0, seeds - 1)), Parameter(CONFIGURATION, Choice(names))))
