"""What is done to training images before a network sees them; how is `training.augment`'s part.

Names in a study file: `augmentation.shift` and so on, fixed in its table `[augmentation]`, or
searched in `[space]`, or given to one configuration of a fixed set.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from hpsearch.frozen import Frozen
from hpsearch.space import Scalar

PREFIX = "augmentation."

_Probability = Annotated[float, Field(ge=0, le=1)]


class Augmentation(Frozen):
    """Random changes, drawn anew for each image and epoch."""

    shift: Annotated[int, Field(ge=0, le=1_024)] = 0  # pixels at most, in each direction
    horizontal_flip: _Probability = 0.0
    vertical_flip: _Probability = 0.0
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0  # degrees at most, either way
    random_erasing: _Probability = 0.0  # of one rectangle of an image
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0  # standard deviation; pixels are 0 to 1


AUGMENTATION_DEFAULTS: Mapping[str, Scalar] = {
    f"{PREFIX}{name}": field.default for name, field in Augmentation.model_fields.items()
}
_FLIP = 0.5  # what `true` means


def augmentation_of(values: Mapping[str, Scalar]) -> Augmentation | None:
    """The augmentation among flat names and values; None if nothing is changed.

    Raises:
        pydantic.ValidationError: a value has the wrong type or is out of range.
    """
    given = {
        name.removeprefix(PREFIX): value
        for name, value in values.items()
        if name.startswith(PREFIX)
    }
    for name, value in given.items():
        if name.endswith("_flip") and isinstance(value, bool):
            given[name] = _FLIP if value else 0.0
        elif name != "shift" and isinstance(value, int) and not isinstance(value, bool):
            given[name] = float(value)
    augmentation = Augmentation.model_validate(given)
    return None if augmentation == Augmentation() else augmentation


def augmentation_in_words(values: Mapping[str, object]) -> str:
    """The table of a study file for people: `shift 2, noise 0.1`; "none" if nothing is changed."""
    words = [
        f"{name} {_FLIP if value is True else value}" for name, value in values.items() if value
    ]
    return ", ".join(words) or "none"
