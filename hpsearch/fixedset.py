"""The named configurations of a fixed set: what a document trained and tested, one by one.

    configurations = parse_configurations(tables, shared=..., model="cnn", image_shape=(1, 28, 28))

Nothing is searched, so a value is one value. What all configurations share stands in `[training]`
and `[shared]`; a configuration's own table is read last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from hpsearch.configuration import Configuration, feature_map_sizes, is_allowed, resolve
from hpsearch.entries import flatten, normalize
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.mistakes import MistakeError, wanted, written
from hpsearch.space import Choice, Fixed, Int, Parameter, Space
from hpsearch.spacefile import parse_space
from hpsearch.studytables import Model, PublishedResult, check_table, not_among

CONFIGURATION, SEED = "configuration", "seed"  # the parameters of a fixed set's trials

_LONGEST_NAME = 60
_MODELS = ("mlp", "cnn")


@dataclass(frozen=True)
class NamedConfiguration:
    """One configuration of a fixed set."""

    name: str
    model: Model
    configuration: Configuration
    published: PublishedResult
    document: dict[str, Any]  # its table, as JSON can hold it


def parse_configurations(
    tables: object,
    *,
    shared: Mapping[str, object],
    model: Model | None,
    image_shape: tuple[int, int, int],
) -> tuple[NamedConfiguration, ...]:
    """Check the `[configurations]` of a file.

    Args:
        tables: by name, in the file's order.
        shared: hyperparameters of every configuration, flat.
        model: of those that name none.
        image_shape: channels, height and width of the data set's images.

    Raises:
        MistakeError: the first thing that is wrong.
    """
    if not isinstance(tables, dict) or not tables:
        problem = "a fixed set needs at least one table; write [configurations.NAME]"
        raise MistakeError("configurations", problem)
    return tuple(
        _parse_configuration(name, table, shared, model, image_shape)
        for name, table in tables.items()
    )


def _parse_configuration(
    name: str,
    table: object,
    shared: Mapping[str, object],
    model: Model | None,
    image_shape: tuple[int, int, int],
) -> NamedConfiguration:
    key = f"configurations.{name}"
    if not name.isprintable() or not name or name != name.strip() or len(name) > _LONGEST_NAME:
        problem = f"a name has 1 to {_LONGEST_NAME} printable characters, no blank at its ends"
        raise MistakeError(key, problem)
    if not isinstance(table, dict):
        raise MistakeError(key, f"{written(table)} is not a table; write [{key}]")
    own = dict(table)
    published = check_table(PublishedResult, _table(own, "published", key), at=f"{key}.published")
    chosen = own.pop("model", model)
    if chosen not in _MODELS:
        missing = "is missing, here and in the file"
        problem = missing if chosen is None else not_among(chosen, _MODELS)
        raise MistakeError(f"{key}.model", problem)
    flat = normalize(flatten(own))
    return NamedConfiguration(
        name,
        chosen,
        _resolve({**_for_model(shared, chosen), **flat}, chosen, image_shape, key),
        published,
        {**flat, "model": chosen, "published": published.model_dump(exclude_none=True)},
    )


def _table(own: dict[str, Any], name: str, key: str) -> dict[str, Any]:
    found = own.pop(name, {})
    if not isinstance(found, dict):
        raise MistakeError(f"{key}.{name}", f"{written(found)} is not a table")
    return found


def _for_model(shared: Mapping[str, object], model: Model) -> dict[str, object]:
    """Without what only the other model has; a name that none has is left to be refused."""
    return {
        name: value
        for name, value in shared.items()
        if is_allowed(name, model=model) or not is_allowed(name, model="cnn")
    }


def _resolve(
    flat: Mapping[str, object], model: Model, image_shape: tuple[int, int, int], key: str
) -> Configuration:
    try:
        space = parse_space(flat, training={}, model=model, image_shape=image_shape)
    except MistakeError as mistake:
        raise MistakeError(key, str(mistake).replace("space.", "")) from None
    for parameter in space.parameters:
        if not isinstance(parameter.domain, Fixed):
            problem = "a fixed set searches nothing; give one value"
            raise MistakeError(f"{key}.{parameter.name}", problem)
    try:
        configuration = resolve(space.replay({}), model=model)
        feature_map_sizes(configuration.network, image_shape=image_shape)
    except ValidationError as error:
        raise MistakeError(key, wanted(error)) from None
    except InfeasibleConfigurationError as error:
        raise MistakeError(key, str(error)) from None
    return configuration


def space_of(configurations: tuple[NamedConfiguration, ...], *, seeds: int) -> Space:
    """Every configuration with its first seed, then every one with its second, and so on."""
    names = tuple(named.name for named in configurations)
    return Space((Parameter(SEED, Int(0, seeds - 1)), Parameter(CONFIGURATION, Choice(names))))
