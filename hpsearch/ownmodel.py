"""A network of the user's own function, as a study file names it; no code of it runs here.

    model = "my_models:small_cnn"    # module.path:function

The function's parameters are whatever names `[space]` (or a configuration) has beside those of
training; `units.1`, `units.2` are handed to it as one tuple `units`. `models.own` calls it.
"""

import keyword
import re
from collections.abc import Mapping

from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.frozen import Frozen
from hpsearch.space import Scalar

WORDS = "package.module:function"  # how such a model is written, for people

_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_PARAMETER = re.compile(r"([^\W\d]\w*)(?:\.([1-9]\d{0,2}))?")
_RESERVED = frozenset(["image_shape", "num_classes"])  # what the function is given anyway


class OwnNetwork(Frozen):
    """What the user's function is asked for: hashable, comparable, printable."""

    function: str  # module.path:name
    parameters: tuple[tuple[str, Scalar | tuple[Scalar, ...]], ...] = ()  # sorted by name
    folder: str = ""  # the study file's, looked in first; where code lies is no part of a network


def is_own(model: object) -> bool:
    """Whether a study file's `model` names a function."""
    return isinstance(model, str) and _FUNCTION.fullmatch(model) is not None


def model_title(model: str) -> str:
    """A study file's `model` for people: CNN, MLP, or the function as it is."""
    return model if is_own(model) else model.upper()


def is_own_parameter(name: str) -> bool:
    """Whether a function can have a parameter of this name, or of a numbered part of it."""
    found = _PARAMETER.fullmatch(name)
    return (
        found is not None
        and found[1].isascii()
        and not keyword.iskeyword(found[1])
        and found[1] not in _RESERVED
    )


def numbered(name: str) -> tuple[str, int] | None:
    """("units", 2) for `units.2`; None for a name without a number."""
    found = _PARAMETER.fullmatch(name)
    return (found[1], int(found[2])) if found and found[2] else None


def own_network(values: Mapping[str, Scalar], *, function: str, folder: str) -> OwnNetwork:
    """The network that a function is asked for with these values of its parameters.

    Raises:
        InfeasibleConfigurationError: a number is left out among `units.1`, `units.2`, ...
    """
    parameters: dict[str, Scalar | tuple[Scalar, ...]] = {}
    lists: dict[str, dict[int, Scalar]] = {}
    for name, value in values.items():
        part = numbered(name)
        if part is None:
            parameters[name] = value
        else:
            lists.setdefault(part[0], {})[part[1]] = value
    for name, parts in lists.items():
        for number in range(1, max(parts) + 1):
            if number not in parts:
                message = f"{name}.{max(parts)} is given without {name}.{number}"
                raise InfeasibleConfigurationError(message)
        parameters[name] = tuple(parts[number] for number in sorted(parts))
    return OwnNetwork(
        function=function, parameters=tuple(sorted(parameters.items())), folder=folder
    )
