"""From the `[space]` table of a study file to a `Space`: how its entries depend on each other.

`each = "conv_layers"` makes one parameter a layer, and a numbered parameter (`conv.3.filters`) is
there only when its layer is. Parents come before the parameters that depend on them.
"""

from collections.abc import Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from pydantic import ValidationError

from hpsearch.configuration import DEFAULTS, feature_map_sizes, layer_of, resolve
from hpsearch.entries import Entry, parse_entry
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.mistakes import MistakeError, wanted
from hpsearch.space import Condition, Fixed, Float, Int, Parameter, Scalar, Space


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
        raise MistakeError(
            f"space.{twice[0]}", "is already chosen in [training]; keep one of the two"
        )
    entries = [parse_entry(f"training.{name}", name, raw, model) for name, raw in training.items()]
    for entry in entries:
        if not isinstance(entry.domain, Fixed):
            raise MistakeError(
                f"training.{entry.name}", "must be one value; what is searched goes to [space]"
            )
    entries += [parse_entry(f"space.{name}", name, raw, model) for name, raw in table.items()]
    by_name = {entry.name: entry for entry in entries}
    parameters = [p for entry in entries for p in _expand(entry, by_name)]
    _check_names(parameters)
    space = Space(_in_order(parameters))
    for parameter in space.parameters:
        _check_values(parameter, model)
    if model == "cnn":
        _check_shapes(space, image_shape)
    return space


def _expand(entry: Entry, by_name: Mapping[str, Entry]) -> list[Parameter]:
    """The parameters of one entry, one a layer with `each`, with their conditions."""
    conditions = tuple(
        _condition(entry.name, parent, values, by_name) for parent, values in entry.when.items()
    )
    if entry.each is not None:
        kind, field = entry.name.split(".")
        return [
            _of_layer(Parameter(f"{kind}.{number}.{field}", entry.domain, conditions), by_name)
            for number in range(1, max(_layer_counts(entry.each, by_name)) + 1)
        ]
    return [_of_layer(Parameter(entry.name, entry.domain, conditions), by_name)]


def _condition(
    name: str, parent: str, values: tuple[Scalar, ...], by_name: Mapping[str, Entry]
) -> Condition:
    key = f"space.{name}.when.{parent}"
    if parent not in by_name or parent == name:
        known = ", ".join(sorted(by_name.keys() - {name}))
        raise MistakeError(
            key, f"no parameter {parent!r} to depend on; there are {known or 'none'}"
        )
    possible = by_name[parent].domain.values
    if possible is None:
        raise MistakeError(key, f"{parent} is a continuous range; a condition needs listed values")
    for value in values:
        if value not in possible:
            raise MistakeError(
                key, f"{value!r} is never a value of {parent}; allowed are {_listed(possible)}"
            )
    return Condition(parent, values)


def _layer_counts(counter: str, by_name: Mapping[str, Entry]) -> tuple[int, ...]:
    """The numbers of layers that the space allows."""
    domain = by_name[counter].domain if counter in by_name else Fixed(DEFAULTS[counter])
    counts = domain.values or ()
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise MistakeError(f"space.{counter}", f"{count!r} is not a number of layers")
    return tuple(int(count) for count in counts)


def _of_layer(parameter: Parameter, by_name: Mapping[str, Entry]) -> Parameter:
    """A numbered parameter, bound to the presence of its layer."""
    layer = layer_of(parameter.name)
    if layer is None:
        return parameter
    kind, number = layer
    counter = f"{kind}_layers"
    counts = _layer_counts(counter, by_name)
    having = tuple(count for count in counts if count >= number)
    if not having:
        raise MistakeError(
            f"space.{parameter.name}",
            f"there is no layer {number}: {counter} is at most {max(counts)}",
        )
    if len(having) == len(counts):
        return parameter
    return replace(parameter, when=(*parameter.when, Condition(counter, having)))


def _check_names(parameters: list[Parameter]) -> None:
    seen: set[str] = set()
    for parameter in parameters:
        if parameter.name in seen:
            raise MistakeError(
                f"space.{parameter.name}", "is given twice, once by number and once by each"
            )
        seen.add(parameter.name)


def _in_order(parameters: list[Parameter]) -> tuple[Parameter, ...]:
    """Parents before children, otherwise in the file's order."""
    by_name = {p.name: p for p in parameters}
    sorter = TopologicalSorter({p.name: [c.parent for c in p.when] for p in parameters})
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise MistakeError(
            "space", f"conditions depend on each other in a circle: {circle}"
        ) from None
    return tuple(by_name[name] for name in order if name in by_name)


# What must be set for a name to have an effect, so that its values can be checked.
_CONTEXT: Mapping[str, Mapping[str, Scalar]] = {
    "momentum": {"optimizer": "sgd"},
    "nesterov": {"optimizer": "sgd"},
    "decay_steps": {"schedule": "inverse_time"},
    "decay_rate": {"schedule": "inverse_time"},
}


def _check_values(parameter: Parameter, model: str) -> None:
    """Resolve the parameter's extreme values, all else at its default."""
    domain = parameter.domain
    values = (domain.low, domain.high) if isinstance(domain, Int | Float) else domain.values
    kind, number = layer_of(parameter.name) or ("", 0)
    layers: dict[str, Scalar] = {"conv_layers": 1, "dense_layers": 1}
    if kind:
        layers[f"{kind}_layers"] = number
    for value in values:
        context = layers | dict(_CONTEXT.get(parameter.name, {}))
        try:
            resolve({**context, parameter.name: value}, model=model)
        except ValidationError as error:
            raise MistakeError(
                f"space.{parameter.name}", f"{value!r} is not allowed; {wanted(error)}"
            ) from None
        except InfeasibleConfigurationError as error:
            raise MistakeError(f"space.{parameter.name}", str(error)) from None


def _check_shapes(space: Space, image_shape: tuple[int, int, int]) -> None:
    """Refuse a space in which even the gentlest network shrinks its feature maps to nothing."""
    possible = {p.name: p.domain.values or () for p in space.parameters}
    num_layers = min(possible.get("conv_layers", (DEFAULTS["conv_layers"],)))
    gentlest: dict[str, Scalar] = {"conv_layers": num_layers}
    for number in range(1, int(num_layers) + 1):
        for field in ("kernel", "stride", "padding", "pool", "pool_size", "pool_padding"):
            values = possible.get(f"conv.{number}.{field}") or possible.get(f"conv.{field}")
            if values:
                gentlest[f"conv.{number}.{field}"] = _gentlest(values)
    network = resolve(gentlest, model="cnn").network
    try:
        feature_map_sizes(network, image_shape=image_shape)
    except InfeasibleConfigurationError as error:
        raise MistakeError(
            "space", f"no network of this space can be built: {error}, at best"
        ) from None


def _gentlest(values: tuple[Scalar, ...]) -> Scalar:
    """The value that shrinks a feature map least: no pooling, same padding, the smallest number."""
    for keeps in ("none", "same"):
        if keeps in values:
            return keeps
    return min(values)


def _listed(values: tuple[Scalar, ...]) -> str:
    return ", ".join(repr(value) for value in values)
