"""From the `[space]` table of a study file to a `Space`: how its entries depend on each other.

`each = "conv_layers"` makes one parameter a layer, and a numbered parameter (`conv.3.filters`) is
there only when its layer is. Parents come before the parameters that depend on them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from hpsearch.architecture import ConvLayer, feature_map_sizes
from hpsearch.augmentation import PREFIX
from hpsearch.configuration import DEFAULTS, MAX_LAYERS, is_common, layer_of, resolve
from hpsearch.entries import Entry, parse_entry
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.mistakes import MistakeError, wanted, written
from hpsearch.ownmodel import is_own, numbered
from hpsearch.space import Condition, Domain, Fixed, Float, Int, Parameter, Scalar, Space

_MOST_LISTED = 20  # values in a message


def parse_space(
    table: Mapping[str, object],
    *,
    training: Mapping[str, object],
    model: str,
    image_shape: tuple[int, int, int],
) -> Space:
    """The space of a study.

    Args:
        table: the flattened `[space]` table.
        training: the hyperparameters that `[training]` and `[augmentation]` fix.
        model: "mlp", "cnn" or the user's own function.
        image_shape: channels, height and width of the data set's images.

    Raises:
        MistakeError: the first thing that is wrong.
    """
    twice = sorted(table.keys() & training.keys())
    if twice:
        section = "augmentation" if twice[0].startswith(PREFIX) else "training"
        problem = f"is already chosen in [{section}]; keep one of the two"
        raise MistakeError(f"space.{twice[0]}", problem)
    keys = {name: f"space.{name}" for name in table}
    keys |= {n: n if n.startswith(PREFIX) else f"training.{n}" for n in training}
    fixed = [parse_entry(keys[name], name, raw, model) for name, raw in training.items()]
    for entry in fixed:
        if not isinstance(entry.domain, Fixed):
            problem = "must be one value; what is searched goes to [space]"
            raise MistakeError(keys[entry.name], problem)
    searched = [parse_entry(f"space.{name}", name, raw, model) for name, raw in table.items()]
    space = Space(_in_order(_expand([*fixed, *searched], own=is_own(model))))
    for parameter in space.parameters:
        key = keys.get(parameter.name, f"space.{parameter.name}")
        _check_values(parameter, key, model)
        _check_shift(parameter, key, image_shape)
    if is_own(model):
        _check_numbers(space)
    if model == "cnn":
        _check_shapes(space, image_shape)
    return space


class _Placed(NamedTuple):
    """An entry under the name of one of its parameters."""

    name: str
    entry: Entry
    counter: str | None  # of the layers of which this parameter has a numbered one
    number: int = 0


def _expand(entries: list[Entry], *, own: bool) -> list[Parameter]:
    """The parameters of all entries, one a layer with `each`, with their conditions."""
    by_name = {entry.name: entry for entry in entries}
    placed = [place for entry in entries for place in _places(entry, by_name, own=own)]
    domains: dict[str, Domain] = {}
    for name, entry, *_ in placed:
        if name in domains:
            raise MistakeError(f"space.{name}", "is given twice, once by number and once by each")
        domains[name] = entry.domain
    parameters = []
    for place in placed:
        when = place.entry.when
        conditions = [_condition(place.name, *item, domains) for item in when.items()]
        conditions += _of_layer(place, by_name)
        parameters.append(Parameter(place.name, place.entry.domain, tuple(conditions)))
    return parameters


def _places(entry: Entry, by_name: Mapping[str, Entry], *, own: bool) -> list[_Placed]:
    """The entry's own name, or with `each` one for each layer that there can be."""
    if entry.each is None:
        layer = None if own else layer_of(entry.name)
        kind, number = layer or (None, 0)
        return [_Placed(entry.name, entry, kind and f"{kind}_layers", number)]
    if own and entry.each not in by_name:
        problem = f"no parameter {written(entry.each)} to count by; there are {', '.join(by_name)}"
        raise MistakeError(f"space.{entry.name}.each", problem)
    kind, _, field = entry.name.partition(".")
    num_layers = max(_layer_counts(entry.each, by_name))
    return [
        _Placed(f"{kind}.{number}.{field}".rstrip("."), entry, entry.each, number)
        for number in range(1, num_layers + 1)
    ]


def _condition(
    name: str, parent: str, values: tuple[Scalar, ...], domains: Mapping[str, Domain]
) -> Condition:
    key = f"space.{name}.when.{parent}"
    if parent not in domains or parent == name:
        known = ", ".join(sorted(domains.keys() - {name})) or "none"
        raise MistakeError(key, f"no parameter {written(parent)} to depend on; there are {known}")
    possible = domains[parent].values
    if possible is None:
        raise MistakeError(key, f"{parent} is a continuous range; a condition needs listed values")
    return Condition(parent, tuple(_among(value, possible, key, parent) for value in values))


def _among(value: Scalar, possible: Sequence[Scalar], key: str, parent: str) -> Scalar:
    """The parent's own value that is meant: 0.3 also where three steps of 0.1 give a bit more."""
    if isinstance(value, float) and not isinstance(possible, range):
        for candidate in possible:
            if isinstance(candidate, float) and math.isclose(candidate, value, rel_tol=1e-9):
                return candidate
    if not _is_among(value, possible):
        listed = ", ".join(written(candidate) for candidate in possible[:_MOST_LISTED])
        more = ", ..." if len(possible) > _MOST_LISTED else ""
        problem = f"{written(value)} is never a value of {parent}; allowed: {listed}{more}"
        raise MistakeError(key, problem)
    return value


def _is_among(value: Scalar, possible: Sequence[Scalar]) -> bool:
    if isinstance(possible, range):  # of any length, and quick to look into for an int alone
        return not isinstance(value, str) and value == int(value) and int(value) in possible
    return value in possible


def _layer_counts(counter: str, by_name: Mapping[str, Entry]) -> tuple[int, ...]:
    """The numbers of layers that the space allows."""
    domain = by_name[counter].domain if counter in by_name else Fixed(DEFAULTS[counter])
    values = (domain.low, domain.high) if isinstance(domain, Int) else domain.values or ()
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_LAYERS:
            problem = f"{written(value)} is not allowed; allowed are 0 to {MAX_LAYERS} layers"
            raise MistakeError(f"space.{counter}", problem)
    return tuple(int(value) for value in domain.values or ())


def _of_layer(place: _Placed, by_name: Mapping[str, Entry]) -> list[Condition]:
    """The condition that binds a numbered parameter to its layer, if that is not always there."""
    if place.counter is None:
        return []
    counts = _layer_counts(place.counter, by_name)
    having = tuple(count for count in counts if count >= place.number)
    if not having:
        problem = f"there is no layer {place.number}: {place.counter} is at most {max(counts)}"
        raise MistakeError(f"space.{place.name}", problem)
    return [] if len(having) == len(counts) else [Condition(place.counter, having)]


def _in_order(parameters: list[Parameter]) -> tuple[Parameter, ...]:
    """Parents before children, otherwise in the file's order."""
    placed: dict[str, Parameter] = {}
    waiting = list(parameters)
    while waiting:
        ready = [p for p in waiting if all(condition.parent in placed for condition in p.when)]
        if not ready:
            circle = ", ".join(p.name for p in waiting)
            raise MistakeError("space", f"conditions depend on each other in a circle: {circle}")
        placed[ready[0].name] = ready[0]
        waiting.remove(ready[0])
    return tuple(placed.values())


# What must be set for a name to have an effect, so that its values can be checked.
_CONTEXT: Mapping[str, Mapping[str, Scalar]] = {
    "momentum": {"optimizer": "sgd"},
    "nesterov": {"optimizer": "sgd"},
    "decay_steps": {"schedule": "inverse_time"},
    "decay_rate": {"schedule": "inverse_time"},
}


def _check_values(parameter: Parameter, key: str, model: str) -> None:
    """Resolve the parameter's extreme values, all else at its default."""
    if is_own(model) and not is_common(parameter.name):
        return  # what is allowed there, only the model knows
    kind, number = layer_of(parameter.name) or ("", 0)
    layers: dict[str, Scalar] = {"conv_layers": 1, "dense_layers": 1}
    if kind:
        layers[f"{kind}_layers"] = number
    for value in _extremes(parameter.domain):
        context = layers | dict(_CONTEXT.get(parameter.name, {}))
        try:
            resolve({**context, parameter.name: value}, model=model)
        except ValidationError as error:
            raise MistakeError(key, f"{written(value)} is not allowed; {wanted(error)}") from None
        except InfeasibleConfigurationError as error:
            raise MistakeError(key, str(error)) from None


def _check_shift(parameter: Parameter, key: str, image_shape: tuple[int, int, int]) -> None:
    """Refuse to shift images out of themselves."""
    _, height, width = image_shape
    largest = max(map(float, _extremes(parameter.domain))) if _is_shift(parameter) else 0
    if largest >= min(height, width):
        problem = f"{largest:g} pixels is not allowed; images of {height} x {width} are left empty"
        raise MistakeError(key, problem)


def _is_shift(parameter: Parameter) -> bool:
    return parameter.name == f"{PREFIX}shift"


def _check_numbers(space: Space) -> None:
    """Refuse `units.2` without `units.1`, and beside `units`, of an own model."""
    names = [p.name for p in space.parameters if not is_common(p.name)]
    for name in names:
        part = numbered(name)
        if part is not None and part[0] in names:
            raise MistakeError(f"space.{name}", f"is given twice: as {part[0]}, too")
        if part is not None and part[1] > 1 and f"{part[0]}.{part[1] - 1}" not in names:
            raise MistakeError(f"space.{name}", f"there is no {part[0]}.{part[1] - 1} before it")


def _extremes(domain: Domain) -> Sequence[Scalar]:
    """Every choice, or the two ends of a range."""
    return (domain.low, domain.high) if isinstance(domain, Int | Float) else domain.values


def _check_shapes(space: Space, image_shape: tuple[int, int, int]) -> None:
    """Refuse a space in which even the gentlest network shrinks its feature maps to nothing."""
    by_name = {parameter.name: parameter for parameter in space.parameters}
    counter = by_name.get("conv_layers")
    num_layers = DEFAULTS["conv_layers"] if counter is None else min(_extremes(counter.domain))
    gentlest: dict[str, Scalar] = {"conv_layers": num_layers}
    for number in range(1, int(num_layers) + 1):
        for field in ("kernel", "stride", "padding", "pool", "pool_size", "pool_padding"):
            gentlest[f"conv.{number}.{field}"] = _gentlest(number, field, by_name)
    network = resolve(gentlest, model="cnn").network
    try:
        feature_map_sizes(network, image_shape=image_shape)
    except InfeasibleConfigurationError as error:
        problem = f"no network of this space can be built: {error}, at best"
        raise MistakeError("space", problem) from None


def _gentlest(number: int, field: str, by_name: Mapping[str, Parameter]) -> Scalar:
    """The value of a layer's field that shrinks its feature map least."""
    values: list[Scalar] = [ConvLayer.model_fields[field].default]
    for name in (f"conv.{field}", f"conv.{number}.{field}"):
        if name in by_name:
            parameter = by_name[name]
            values = [*(values if parameter.when else []), *_extremes(parameter.domain)]
    for keeps in ("none", "same"):  # no pooling, padding to the same size
        if keeps in values:
            return keeps
    return min(values)
