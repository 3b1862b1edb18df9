"""Search spaces: named parameters, what each may be, and when it is there at all.

`Space.suggest` asks an Optuna trial (or anything with its three `suggest_` methods) for every
active parameter in order; `Space.grid` lists every combination of a finite space. A space knows
names and values only: what they mean to a network is `configuration`'s business.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Scalar = bool | int | float | str

_MOST_STEPS = 100_000


class Suggester(Protocol):
    """The part of `optuna.trial.Trial` that a space needs."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int: ...

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar | None: ...


@dataclass(frozen=True)
class Fixed:
    """One value, not searched and not stored as a parameter of the trial."""

    value: Scalar

    @property
    def values(self) -> Sequence[Scalar]:
        """The one value."""
        return (self.value,)

    def suggest(self, name: str, trial: Suggester) -> Scalar:
        """The value, without asking."""
        return self.value


@dataclass(frozen=True)
class Choice:
    """One of some scalars, in no particular order."""

    choices: tuple[Scalar, ...]

    @property
    def values(self) -> Sequence[Scalar]:
        """The choices."""
        return self.choices

    def suggest(self, name: str, trial: Suggester) -> Scalar:
        """Ask for one of the choices."""
        value = trial.suggest_categorical(name, self.choices)
        assert value is not None, "no choice is None"
        return value


@dataclass(frozen=True)
class Int:
    """An integer from low to high, both included."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    @property
    def values(self) -> Sequence[Scalar]:
        """Every integer of the range, not listed before it is asked for."""
        return range(self.low, self.high + 1, self.step)

    def suggest(self, name: str, trial: Suggester) -> Scalar:
        """Ask for an integer of the range."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)


@dataclass(frozen=True)
class Float:
    """A number from low to high, both included; a `step`, which divides it, makes it finite."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def values(self) -> Sequence[Scalar] | None:
        """Every value of a stepped range; None for a continuous one, or one as good as that."""
        if self.step is None or (self.high - self.low) / self.step > _MOST_STEPS:
            return (self.low,) if self.low == self.high else None
        count = round((self.high - self.low) / self.step) + 1
        # as optuna draws them: low + k * step, and never above high
        return tuple(min(self.low + k * self.step, self.high) for k in range(count))

    def draw(self, generator: random.Random) -> Scalar:
        """A random value, uniform on the range's own scale."""
        values = self.values
        if values is not None:
            return generator.choice(values)
        if self.log:
            return math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        return generator.uniform(self.low, self.high)

    def suggest(self, name: str, trial: Suggester) -> Scalar:
        """Ask for a number of the range."""
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)


Domain = Fixed | Choice | Int | Float


@dataclass(frozen=True)
class Condition:
    """Holds when the parameter `parent` is active and has one of `values`."""

    parent: str
    values: tuple[Scalar, ...]

    def holds(self, suggested: Mapping[str, Scalar]) -> bool:
        """Whether the values suggested so far fulfil the condition."""
        return self.parent in suggested and suggested[self.parent] in self.values


@dataclass(frozen=True)
class Parameter:
    """One named dimension of a space; it is there when all of its conditions hold."""

    name: str
    domain: Domain
    when: tuple[Condition, ...] = ()

    def is_active(self, suggested: Mapping[str, Scalar]) -> bool:
        """Whether the parameter is there, given the values of its parents."""
        return all(condition.holds(suggested) for condition in self.when)


@dataclass(frozen=True)
class Space:
    """Parameters in an order in which each comes after those that its conditions name."""

    parameters: tuple[Parameter, ...]

    def suggest(self, trial: Suggester) -> dict[str, Scalar]:
        """The trial's value for every active parameter, fixed ones included."""
        values: dict[str, Scalar] = {}
        for parameter in self.parameters:
            if parameter.is_active(values):
                values[parameter.name] = parameter.domain.suggest(parameter.name, trial)
        return values

    def draw(self, generator: random.Random) -> dict[str, Scalar]:
        """A random value for every active parameter, fixed ones included."""
        values: dict[str, Scalar] = {}
        for parameter in self.parameters:
            if parameter.is_active(values):
                domain = parameter.domain
                value = (
                    domain.draw(generator)
                    if isinstance(domain, Float)
                    else generator.choice(domain.values)
                )
                values[parameter.name] = value
        return values

    def replay(self, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The values that a trial with these parameters had, fixed ones included."""
        values: dict[str, Scalar] = {}
        for parameter in self.parameters:
            if parameter.is_active(values):
                name, domain = parameter.name, parameter.domain
                values[name] = domain.value if isinstance(domain, Fixed) else params[name]
        return values

    def grid(self) -> Iterator[dict[str, Scalar]]:
        """Every combination, inactive parameters left out; the space must be finite."""
        yield from self._expand(0, {})

    def _expand(self, index: int, values: dict[str, Scalar]) -> Iterator[dict[str, Scalar]]:
        if index == len(self.parameters):
            yield dict(values)
            return
        parameter = self.parameters[index]
        if not parameter.is_active(values):
            yield from self._expand(index + 1, values)
            return
        choices = parameter.domain.values
        assert choices is not None, "a continuous space has no grid"
        for value in choices:
            yield from self._expand(index + 1, {**values, parameter.name: value})

    @property
    def is_finite(self) -> bool:
        """Whether `grid` ends."""
        return all(parameter.domain.values is not None for parameter in self.parameters)

    def count_at_most(self, limit: int) -> int | None:
        """The number of combinations, or None when there are more than `limit`."""
        if not self.is_finite:
            return None
        count = 0
        for _ in self.grid():
            count += 1
            if count > limit:
                return None
        return count

    def searched(self, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Those of `values` that are parameters of a trial: all but the fixed ones."""
        fixed = {p.name for p in self.parameters if isinstance(p.domain, Fixed)}
        return {name: value for name, value in values.items() if name not in fixed}
