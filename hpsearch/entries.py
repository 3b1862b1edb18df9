"""One entry of a study file's `[space]` table, parsed on its own: a domain, `each` and `when`.

0.2                                     fixed
[32, 64]                                choices
{ low = 1e-4, high = 1e-1, log = true } a range; of integers, if the hyperparameter is one
{ choices = [...], each = "conv_layers", when = { pool = "max" } }
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from hpsearch.configuration import (
    DEFAULTS,
    TRAINING_NAMES,
    allowed_names,
    is_allowed,
    is_common,
    layer_of,
)
from hpsearch.mistakes import MistakeError, UnknownKeyError, written
from hpsearch.ownmodel import is_own, is_own_parameter, numbered
from hpsearch.space import Choice, Domain, Fixed, Float, Int, Scalar

_DOMAIN_KEYS = frozenset({"low", "high", "log", "step", "choices", "value"})
_NUMBER_KEYS = _DOMAIN_KEYS - {"log"}
_LARGEST_INT = 2**53  # what a float holds exactly
_ENTRY_KEYS = _DOMAIN_KEYS | {"each", "when"}


@dataclass(frozen=True)
class Entry:
    """One key of the table, not yet related to the others."""

    name: str
    domain: Domain
    each: str | None
    when: dict[str, tuple[Scalar, ...]]


def flatten(table: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """`{conv: {filters: 32}}` as `{"conv.filters": 32}`; a domain's table stays whole.

    Raises:
        MistakeError: a name is given in both ways.
    """
    flat: dict[str, object] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        nested = isinstance(value, dict) and not _ENTRY_KEYS & value.keys() and value
        below = flatten(value, f"{name}.") if nested and isinstance(value, dict) else {name: value}
        for known in sorted(flat.keys() & below.keys()):
            raise MistakeError(f"space.{known}", "is given twice")
        flat |= below
    return flat


def normalize(table: Mapping[str, object], *, model: object = None) -> dict[str, object]:
    """The flat table with 0 and 1 written as 0.0 and 1.0 where a number with a point is meant.

    What is meant by the parameters of an own model, only the model knows.
    """
    return {
        name: _normalize(value)
        if _is_float(name) and (is_common(name) or not is_own(model))
        else value
        for name, value in table.items()
    }


def _normalize(value: object) -> object:
    if isinstance(value, dict):
        return {key: _normalize(v) if key in _NUMBER_KEYS else v for key, v in value.items()}
    if isinstance(value, list):
        return [_normalize(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    too_large = isinstance(value, int) and abs(value) > _LARGEST_INT
    return value if too_large else float(value) + 0.0  # minus zero becomes zero


def parse_entry(key: str, name: str, raw: object, model: str) -> Entry:
    """Parse what stands behind a name; `key` is where, for people.

    Raises:
        MistakeError: the name is not a hyperparameter of the model, or the value makes no sense.
    """
    if not is_allowed(name, model=model):
        allowed = sorted(TRAINING_NAMES) if key.startswith("training.") else allowed_names(model)
        raise UnknownKeyError(key, [f"{key.split('.')[0]}.{name}" for name in allowed])
    if not isinstance(raw, dict):
        return Entry(name, _parse_domain(key, name, raw, model), None, {})
    for unknown in sorted(raw.keys() - _ENTRY_KEYS):
        allowed = [f"{key}.{word}" for word in sorted(_ENTRY_KEYS)]
        raise UnknownKeyError(f"{key}.{unknown}", allowed)
    domain = _parse_domain(key, name, {k: v for k, v in raw.items() if k in _DOMAIN_KEYS}, model)
    parse_each = _parse_own_each if is_own(model) else _parse_each
    return Entry(name, domain, parse_each(key, name, raw.get("each")), _parse_when(key, raw))


def _parse_domain(key: str, name: str, raw: object, model: str) -> Domain:
    if isinstance(raw, list):
        return Choice(_scalars(key, raw))
    if not isinstance(raw, dict):
        return Fixed(_scalar(key, raw))
    if set(raw) == {"choices"}:
        return Choice(_scalars(f"{key}.choices", raw["choices"]))
    if set(raw) == {"value"}:
        return Fixed(_scalar(f"{key}.value", raw["value"]))
    if {"low", "high"} <= set(raw) and not {"choices", "value"} & set(raw):
        return _parse_range(key, name, raw, model)
    given = ", ".join(sorted(raw)) or "nothing"
    raise MistakeError(
        key, f"has {given}; allowed are low and high (log, step), or choices, or value"
    )


def _parse_range(key: str, name: str, raw: Mapping[str, object], model: str) -> Domain:
    low, high = (_number(f"{key}.{end}", raw[end]) for end in ("low", "high"))
    log = raw.get("log", False)
    if not isinstance(log, bool):
        raise MistakeError(
            f"{key}.log", f"{written(log)} is not allowed; allowed are true and false"
        )
    step = _number(f"{key}.step", raw["step"]) if "step" in raw else None
    if low > high:
        raise MistakeError(key, f"low = {low} is above high = {high}")
    if log and low <= 0:
        raise MistakeError(key, f"low = {low} with log = true; a logarithmic range starts above 0")
    if step is not None and (step <= 0 or log):
        raise MistakeError(
            f"{key}.step", f"{step} is not allowed; a step is above 0 and without log"
        )
    if step is not None and (high - low) / step > _LARGEST_INT:
        raise MistakeError(f"{key}.step", f"{step} is not allowed; the range has too many steps")
    if step is not None and low < high and _last_step(low, high, step) == Decimal(str(low)):
        raise MistakeError(f"{key}.step", f"{step} is not allowed; it leads out of the range")
    own = is_own(model) and not is_common(name)
    if any(isinstance(n, float) for n in (low, high, step)) if own else _is_float(name):
        top = float(high) if step is None else float(_last_step(low, high, step))
        return Float(float(low), top, None if step is None else float(step), log)
    for end, value in (("low", low), ("high", high), ("step", 1 if step is None else step)):
        if not isinstance(value, int):
            raise MistakeError(
                f"{key}.{end}", f"{value!r} is not allowed; {name} takes whole numbers"
            )
    return Int(int(low), int(_last_step(low, high, step or 1)), int(step or 1), log)


def _last_step(low: float, high: float, step: float) -> Decimal:
    """The largest low + k * step up to high, in decimals, in which 0.3 is three times 0.1."""
    first, size = Decimal(str(low)), Decimal(str(step))
    return first + (Decimal(str(high)) - first) // size * size


def _is_float(name: str) -> bool:
    return name.endswith("dropout") or isinstance(DEFAULTS.get(name), float)


def _scalar(key: str, raw: object) -> Scalar:
    if isinstance(raw, float) and not math.isfinite(raw):
        raise MistakeError(key, f"{raw} is not a finite number")
    if isinstance(raw, int) and abs(raw) > _LARGEST_INT:
        raise MistakeError(key, f"the number is too large; allowed are at most {_LARGEST_INT}")
    if isinstance(raw, bool | int | float | str):
        return raw
    raise MistakeError(
        key, f"{written(raw)} is not allowed; allowed are numbers, text, true and false"
    )


def _scalars(key: str, raw: object) -> tuple[Scalar, ...]:
    if not isinstance(raw, list) or not raw:
        raise MistakeError(
            key, f"{written(raw)} is not allowed; choices are a list with at least one value"
        )
    values = tuple(_scalar(key, value) for value in raw)
    value, times = Counter(values).most_common(1)[0]
    if times > 1:
        raise MistakeError(key, f"{written(value)} stands twice among the choices")
    return values


def _number(key: str, raw: object) -> int | float:
    value = _scalar(key, raw)
    if isinstance(value, bool | str):
        raise MistakeError(key, f"{written(value)} is not allowed; a number is needed")
    return value


def _parse_each(key: str, name: str, each: object) -> str | None:
    if each is None:
        return None
    expected = f"{name.split('.')[0]}_layers"
    if each != expected or layer_of(name) is not None or not is_allowed(expected, model="cnn"):
        raise MistakeError(
            f"{key}.each",
            f"{written(each)} is not allowed here; "
            "conv.* takes conv_layers, dense.* takes dense_layers",
        )
    return expected


def _parse_own_each(key: str, name: str, each: object) -> str | None:
    if each is None:
        return None
    counts = isinstance(each, str) and is_own_parameter(each) and not is_common(each)
    if not counts or numbered(str(each)) or each == name or is_common(name) or numbered(name):
        problem = f"{written(each)} is not allowed here; allowed is the name of a parameter that"
        raise MistakeError(f"{key}.each", f"{problem} counts something of the model's")
    return str(each)


def _parse_when(key: str, raw: Mapping[str, object]) -> dict[str, tuple[Scalar, ...]]:
    when = raw.get("when", {})
    if not isinstance(when, dict):
        raise MistakeError(
            f"{key}.when", f"{written(when)} is not allowed; write when = {{ parent = value }}"
        )
    return {
        parent: _scalars(f"{key}.when.{parent}", values if isinstance(values, list) else [values])
        for parent, values in flatten(when).items()
    }
