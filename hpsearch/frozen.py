"""The base of all that is read from a study file: strict values, no other keys, hashable."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A table whose values have the very types that are asked for; infinity and NaN are none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
