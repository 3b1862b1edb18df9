"""From the `[space]` table of a study file to a `Space`: how its entries depend on each other.

`each = "conv_layers"` makes one parameter a layer, and a numbered parameter (`conv.3.filters`) is
there only when its layer is. Parents come before the parameters that depend on them.
"""

import math
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from hpsearch.configuration import (
    DEFAULTS,
    MAX_LAYERS,
    ConvLayer,
    feature_map_sizes,
    layer_of,
    resolve,
)
from hpsearch.entries import Entry, parse_entry
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.mistakes import MistakeError, wanted, written
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
        training: the hyperparameters that `[training]` fixes.
        model: "mlp" or "cnn".
        image_shape: channels, height and width of the data set's images.

    Raises:
        MistakeError: the first thing that is wrong.
    """
    twice = sorted(table.keys() & training.keys())
    if twice:
        problem = "is already chosen in [training]; keep one of the two"
        raise MistakeError(f"space.{twice[0]}", problem)
    fixed = [parse_entry(f"training.{name}", name, raw, model) for name, raw in training.items()]
    for entry in fixed:
        if not isinstance(entry.domain, Fixed):
            problem = "must be one value; what is searched goes to [space]"
            raise MistakeError(f"training.{entry.name}", problem)
    searched = [parse_entry(f"space.{name}", name, raw, model) for name, raw in table.items()]
    space = Space(_in_order(_expand([*fixed, *searched])))
    for parameter in space.parameters:
        section = "training" if parameter.name in training else "space"
        _check_values(parameter, f"{section}.{parameter.name}", model)
    if model == "cnn":
        _check_shapes(space, image_shape)
    return space


def _expand(entries: list[Entry]) -> list[Parameter]:
    """The parameters of all entries, one a layer with `each`, with their conditions."""
    by_name = {entry.name: entry for entry in entries}
    pairs = [(name, entry) for entry in entries for name in _names(entry, by_name)]
    domains: dict[str, Domain] = {}
    for name, entry in pairs:
        if name in domains:
            raise MistakeError(f"space.{name}", "is given twice, once by number and once by each")
        domains[name] = entry.domain
    parameters = []
    for name, entry in pairs:
        conditions = [_condition(name, *item, domains) for item in entry.when.items()]
        conditions += _of_layer(name, by_name)
        parameters.append(Parameter(name, entry.domain, tuple(conditions)))
    return parameters


def _names(entry: Entry, by_name: Mapping[str, Entry]) -> list[str]:
    """The entry's own name, or with `each` one for each layer that there can be."""
    if entry.each is None:
        return [entry.name]
    kind, field = entry.name.split(".")
    num_layers = max(_layer_counts(entry.each, by_name))
    return [f"{kind}.{number}.{field}" for number in range(1, num_layers + 1)]


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


def _of_layer(name: str, by_name: Mapping[str, Entry]) -> list[Condition]:
    """The condition that binds a numbered parameter to its layer, if that is not always there."""
    layer = layer_of(name)
    if layer is None:
        return []
    kind, number = layer
    counter = f"{kind}_layers"
    counts = _layer_counts(counter, by_name)
    having = tuple(count for count in counts if count >= number)
    if not having:
        problem = f"there is no layer {number}: {counter} is at most {max(counts)}"
        raise MistakeError(f"space.{name}", problem)
    return [] if len(having) == len(counts) else [Condition(counter, having)]


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
