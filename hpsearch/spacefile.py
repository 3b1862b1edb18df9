"""From the `[space]` table of a study file to a `Space`, every mistake answered.

An entry is a scalar (fixed), a list (choices) or a table: `{ low, high, log, step }`, `{ choices }` or
`{ value }`, each with `when = { parent = value or values }`, and `each = "conv_layers"` for one
parameter a layer. A numbered parameter (`conv.3.filters`) is there only when its layer is.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter

from pydantic import ValidationError

from hpsearch.configuration import (
    DEFAULTS,
    TRAINING_NAMES,
    Network,
    allowed_names,
    feature_map_sizes,
    is_allowed,
    layer_of,
    resolve,
)
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.space import Choice, Condition, Domain, Fixed, Float, Int, Parameter, Scalar, Space

_DOMAIN_KEYS = frozenset({"low", "high", "log", "step", "choices", "value"})
_ENTRY_KEYS = _DOMAIN_KEYS | {"each", "when"}


class Mistake(Exception):
    """What is wrong with one key of a study file; `spec` adds the file's name."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")


class UnknownKey(Mistake):
    """A key that does not exist."""

    def __init__(self, key: str, allowed: list[str]) -> None:
        super().__init__(key, f"unknown key{nearest(key, allowed)}; allowed: {', '.join(allowed)}")


def nearest(given: str, allowed: list[str]) -> str:
    """ " (did you mean X?)" for the allowed name that is spelt most like the given one, or nothing."""
    near = get_close_matches(given, allowed, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


@dataclass(frozen=True)
class _Entry:
    """One key of the table, parsed but not yet related to the others."""

    name: str
    domain: Domain
    each: str | None
    when: dict[str, tuple[Scalar, ...]]


def flatten(table: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """`{conv: {filters: 32}}` as `{"conv.filters": 32}`; tables that describe a domain stay whole."""
    flat: dict[str, object] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and not _ENTRY_KEYS & value.keys() and value:
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat


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
        Mistake: the first thing that is wrong.

    """
    twice = sorted(table.keys() & training.keys())
    if twice:
        raise Mistake(f"space.{twice[0]}", "is already chosen in [training]; keep one of the two")
    entries = [_parse_entry(f"training.{name}", name, raw, model) for name, raw in training.items()]
    for entry in entries:
        if not isinstance(entry.domain, Fixed):
            raise Mistake(
                f"training.{entry.name}", "must be one value; what is searched goes to [space]"
            )
    entries += [_parse_entry(f"space.{name}", name, raw, model) for name, raw in table.items()]
    by_name = {entry.name: entry for entry in entries}
    parameters = [p for entry in entries for p in _expand(entry, by_name)]
    _check_names(parameters)
    space = Space(_in_order(parameters))
    for parameter in space.parameters:
        _check_values(parameter, model)
    if model == "cnn":
        _check_shapes(space, image_shape)
    return space


def _parse_entry(key: str, name: str, raw: object, model: str) -> _Entry:
    if not is_allowed(name, model=model):
        allowed = sorted(TRAINING_NAMES) if key.startswith("training.") else allowed_names(model)
        raise UnknownKey(key, [f"{key.split('.')[0]}.{name}" for name in allowed])
    if not isinstance(raw, dict):
        return _Entry(name, _parse_domain(key, name, raw), None, {})
    for unknown in sorted(raw.keys() - _ENTRY_KEYS):
        raise UnknownKey(f"{key}.{unknown}", sorted(_ENTRY_KEYS))
    domain = _parse_domain(key, name, {k: v for k, v in raw.items() if k in _DOMAIN_KEYS})
    return _Entry(name, domain, _parse_each(key, name, raw.get("each")), _parse_when(key, raw))


def _parse_domain(key: str, name: str, raw: object) -> Domain:
    if isinstance(raw, list):
        return Choice(_scalars(key, raw))
    if not isinstance(raw, dict):
        return Fixed(_scalar(key, raw))
    if set(raw) == {"choices"}:
        return Choice(_scalars(f"{key}.choices", raw["choices"]))
    if set(raw) == {"value"}:
        return Fixed(_scalar(f"{key}.value", raw["value"]))
    if {"low", "high"} <= set(raw) and not {"choices", "value"} & set(raw):
        return _parse_range(key, name, raw)
    given = ", ".join(sorted(raw)) or "nothing"
    raise Mistake(key, f"has {given}; allowed are low and high (log, step), or choices, or value")


def _parse_range(key: str, name: str, raw: Mapping[str, object]) -> Domain:
    low, high = (_number(f"{key}.{end}", raw[end]) for end in ("low", "high"))
    log = raw.get("log", False)
    if not isinstance(log, bool):
        raise Mistake(f"{key}.log", f"{log!r} is not allowed; allowed are true and false")
    step = _number(f"{key}.step", raw["step"]) if "step" in raw else None
    if low > high:
        raise Mistake(key, f"low = {low} is above high = {high}")
    if log and low <= 0:
        raise Mistake(key, f"low = {low} with log = true; a logarithmic range starts above 0")
    if step is not None and (step <= 0 or log):
        raise Mistake(f"{key}.step", f"{step} is not allowed; a step is above 0 and without log")
    if _is_float(name):
        return Float(float(low), float(high), float(step) if step is not None else None, log)
    for end, value in (("low", low), ("high", high), ("step", 1 if step is None else step)):
        if not isinstance(value, int):
            raise Mistake(f"{key}.{end}", f"{value!r} is not allowed; {name} takes whole numbers")
    assert isinstance(low, int) and isinstance(high, int)
    return Int(low, high, int(step or 1), log)


def _is_float(name: str) -> bool:
    return name.endswith("dropout") or isinstance(DEFAULTS.get(name), float)


def _scalar(key: str, raw: object) -> Scalar:
    if isinstance(raw, float) and not math.isfinite(raw):
        raise Mistake(key, f"{raw} is not a finite number")
    if isinstance(raw, bool | int | float | str):
        return raw
    raise Mistake(key, f"{raw!r} is not allowed; allowed are numbers, text, true and false")


def _scalars(key: str, raw: object) -> tuple[Scalar, ...]:
    if not isinstance(raw, list) or not raw:
        raise Mistake(key, f"{raw!r} is not allowed; choices are a list with at least one value")
    values = tuple(_scalar(key, value) for value in raw)
    for index, value in enumerate(values):
        if value in values[:index]:
            raise Mistake(key, f"{value!r} stands twice among the choices")
    return values


def _number(key: str, raw: object) -> int | float:
    value = _scalar(key, raw)
    if isinstance(value, bool | str):
        raise Mistake(key, f"{value!r} is not allowed; a number is needed")
    return value


def _parse_each(key: str, name: str, each: object) -> str | None:
    if each is None:
        return None
    expected = f"{name.split('.')[0]}_layers"
    if each != expected or layer_of(name) is not None or not is_allowed(expected, model="cnn"):
        raise Mistake(
            f"{key}.each",
            f"{each!r} is not allowed here; conv.* takes conv_layers, dense.* takes dense_layers",
        )
    return expected


def _parse_when(key: str, raw: Mapping[str, object]) -> dict[str, tuple[Scalar, ...]]:
    when = raw.get("when", {})
    if not isinstance(when, dict):
        raise Mistake(f"{key}.when", f"{when!r} is not allowed; write when = {{ parent = value }}")
    return {
        parent: _scalars(f"{key}.when.{parent}", values if isinstance(values, list) else [values])
        for parent, values in flatten(when).items()
    }


def _expand(entry: _Entry, by_name: Mapping[str, _Entry]) -> list[Parameter]:
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
    name: str, parent: str, values: tuple[Scalar, ...], by_name: Mapping[str, _Entry]
) -> Condition:
    key = f"space.{name}.when.{parent}"
    if parent not in by_name or parent == name:
        known = ", ".join(sorted(by_name.keys() - {name}))
        raise Mistake(key, f"no parameter {parent!r} to depend on; there are {known or 'none'}")
    possible = by_name[parent].domain.values
    if possible is None:
        raise Mistake(key, f"{parent} is a continuous range; a condition needs listed values")
    for value in values:
        if value not in possible:
            raise Mistake(
                key, f"{value!r} is never a value of {parent}; allowed are {_listed(possible)}"
            )
    return Condition(parent, values)


def _layer_counts(counter: str, by_name: Mapping[str, _Entry]) -> tuple[int, ...]:
    """The numbers of layers that the space allows."""
    domain = by_name[counter].domain if counter in by_name else Fixed(DEFAULTS[counter])
    counts = domain.values or ()
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise Mistake(f"space.{counter}", f"{count!r} is not a number of layers")
    return tuple(int(count) for count in counts)


def _of_layer(parameter: Parameter, by_name: Mapping[str, _Entry]) -> Parameter:
    """A numbered parameter, bound to the presence of its layer."""
    layer = layer_of(parameter.name)
    if layer is None:
        return parameter
    kind, number = layer
    counter = f"{kind}_layers"
    counts = _layer_counts(counter, by_name)
    having = tuple(count for count in counts if count >= number)
    if not having:
        raise Mistake(
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
            raise Mistake(
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
        raise Mistake("space", f"conditions depend on each other in a circle: {circle}") from None
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
            raise Mistake(
                f"space.{parameter.name}", f"{value!r} is not allowed; {wanted(error)}"
            ) from None
        except InfeasibleConfigurationError as error:
            raise Mistake(f"space.{parameter.name}", str(error)) from None


def wanted(error: ValidationError) -> str:
    """What the first error of a check would have accepted, in words."""
    first = error.errors()[0]
    context = first.get("ctx", {})
    if first["type"] in ("literal_error", "union_tag_invalid"):
        expected = context.get("expected", context.get("expected_tags", ""))
        return f"allowed: {str(expected).replace(' or ', ', ')}"
    return first["msg"].replace("Input should be", "it should be")


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
    network: Network = resolve(gentlest, model="cnn").network
    try:
        feature_map_sizes(network, image_shape=image_shape)
    except InfeasibleConfigurationError as error:
        raise Mistake("space", f"no network of this space can be built: {error}, at best") from None


def _gentlest(values: tuple[Scalar, ...]) -> Scalar:
    """The value that shrinks a feature map least: no pooling, same padding, the smallest number."""
    for keeps in ("none", "same"):
        if keeps in values:
            return keeps
    return min(values)  # type: ignore[type-var]


def _listed(values: tuple[Scalar, ...]) -> str:
    return ", ".join(repr(value) for value in values)
