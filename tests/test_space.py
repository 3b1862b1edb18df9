import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.space import Choice, Condition, Fixed, Float, Int, Parameter, Scalar, Space

SGD = Condition("optimizer", ("sgd",))
CONDITIONAL = Space(
    (
        Parameter("batch_size", Fixed(32)),
        Parameter("optimizer", Choice(("adam", "sgd"))),
        Parameter("momentum", Choice((0.0, 0.5, 0.9)), (SGD,)),
        Parameter("nesterov", Choice((True, False)), (SGD, Condition("momentum", (0.5, 0.9)))),
    )
)

choices = st.lists(
    st.one_of(st.booleans(), st.integers(-9, 9), st.sampled_from("abc")), min_size=1, unique=True
).map(lambda values: Choice(tuple(values)))
finite_domains = st.one_of(
    st.integers(-9, 9).map(Fixed),
    choices,
    st.builds(lambda low, n, step: Int(low, low + n * step, step), *[st.integers(1, 5)] * 3),
    st.builds(lambda low, n: Float(low, low + n * 0.25, 0.25), *[st.integers(1, 5)] * 2),
)
flat_spaces = st.lists(finite_domains, max_size=4).map(
    lambda domains: Space(tuple(Parameter(f"p{i}", d) for i, d in enumerate(domains)))
)


@st.composite
def conditional_spaces(draw: st.DrawFn) -> Space:
    """Each parameter may depend on some of those before it."""
    parameters: list[Parameter] = []
    for i, domain in enumerate(draw(st.lists(finite_domains, min_size=1, max_size=4))):
        parents = draw(st.lists(st.sampled_from(parameters), max_size=2)) if parameters else []
        when = []
        for parent in parents:
            possible = parent.domain.values
            assert possible is not None
            when.append(Condition(parent.name, (draw(st.sampled_from(possible)),)))
        parameters.append(Parameter(f"p{i}", domain, tuple(when)))
    return Space(tuple(parameters))


@dataclass
class Recorder:
    """A suggester that answers with hypothesis's draws and keeps what it was asked."""

    data: st.DataObject
    params: dict[str, Scalar] = field(default_factory=dict)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        if step is None:
            return self._kept(name, self.data.draw(st.floats(low, high)))
        steps = self.data.draw(st.integers(0, round((high - low) / step)))
        return self._kept(name, low + steps * step)

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        return self._kept(name, self.data.draw(st.sampled_from(range(low, high + 1, step))))

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        return self._kept(name, self.data.draw(st.sampled_from(choices)))

    def _kept(self, name: str, value: Any) -> Any:
        assert name not in self.params, "a parameter is asked for once"
        self.params[name] = value
        return value


@pytest.mark.parametrize(
    ("domain", "values"),
    [
        (Fixed("same"), ("same",)),
        (Choice((64, 32)), (64, 32)),
        (Int(1, 3), (1, 2, 3)),
        (Int(16, 64, step=16), (16, 32, 48, 64)),
        (Int(1, 10, step=4), (1, 5, 9)),
        (Int(2, 2), (2,)),
        (Float(0.0, 0.5, step=0.25), (0.0, 0.25, 0.5)),
        (Float(0.5, 0.5), (0.5,)),
    ],
)
def test_a_finite_domain_lists_its_values_with_both_ends(
    domain: Fixed | Choice | Int | Float, values: tuple[Scalar, ...]
) -> None:
    assert tuple(domain.values or ()) == values


def test_a_continuous_range_has_no_list_of_values() -> None:
    assert Float(1e-4, 1e-1, log=True).values is None


@pytest.mark.parametrize(
    ("low", "high", "step"), [(0.0, 0.5, 0.1), (0.0, 0.3, 0.1), (0.1, 0.7, 0.2)]
)
def test_a_stepped_range_lists_exactly_the_values_that_optuna_draws(
    low: float, high: float, step: float
) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    domain = Float(low, high, step)
    drawn = {domain.suggest("x", study.ask()) for _ in range(100)}
    assert drawn == set(domain.values or ())


def test_a_parameter_is_asked_for_only_when_all_of_its_conditions_hold() -> None:
    expected = [
        {"batch_size": 32, "optimizer": "adam"},
        {"batch_size": 32, "optimizer": "sgd", "momentum": 0.0},
        {"batch_size": 32, "optimizer": "sgd", "momentum": 0.5, "nesterov": True},
        {"batch_size": 32, "optimizer": "sgd", "momentum": 0.5, "nesterov": False},
        {"batch_size": 32, "optimizer": "sgd", "momentum": 0.9, "nesterov": True},
        {"batch_size": 32, "optimizer": "sgd", "momentum": 0.9, "nesterov": False},
    ]
    assert list(CONDITIONAL.grid()) == expected


def test_a_child_of_an_absent_parent_is_absent() -> None:
    fixed = optuna.trial.FixedTrial({"optimizer": "adam"})
    assert CONDITIONAL.suggest(fixed) == {"batch_size": 32, "optimizer": "adam"}


def test_fixed_values_are_no_parameters_of_a_trial() -> None:
    trial = optuna.create_study().ask({})
    values = Space((Parameter("batch_size", Fixed(32)),)).suggest(trial)
    assert values == {"batch_size": 32}
    assert trial.params == {}
    assert CONDITIONAL.searched({"batch_size": 32, "optimizer": "sgd"}) == {"optimizer": "sgd"}


def test_ranges_reach_optuna_with_their_step_and_log() -> None:
    space = Space(
        (
            Parameter("learning_rate", Float(1e-4, 1e-1, log=True)),
            Parameter("dropout", Float(0.0, 0.5, step=0.1)),
            Parameter("units", Int(16, 64, step=16)),
            Parameter("filters", Int(8, 64, log=True)),
            Parameter("pool", Choice(("max", "none"))),
        )
    )
    trial = optuna.create_study().ask()
    space.suggest(trial)
    assert trial.distributions == {
        "learning_rate": optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True),
        "dropout": optuna.distributions.FloatDistribution(0.0, 0.5, step=0.1),
        "units": optuna.distributions.IntDistribution(16, 64, step=16),
        "filters": optuna.distributions.IntDistribution(8, 64, log=True),
        "pool": optuna.distributions.CategoricalDistribution(("max", "none")),
    }


@given(flat_spaces)
def test_an_unconditional_grid_has_the_product_of_its_choices(space: Space) -> None:
    combinations = list(space.grid())
    sizes = [len(p.domain.values or ()) for p in space.parameters]
    assert len(combinations) == math.prod(sizes)
    assert len({tuple(c.items()) for c in combinations}) == len(combinations)


@given(conditional_spaces(), st.data())
def test_replaying_a_trials_parameters_gives_the_values_it_suggested(
    space: Space, data: st.DataObject
) -> None:
    recorder = Recorder(data)
    suggested = space.suggest(recorder)
    assert space.replay(recorder.params) == suggested
    assert space.searched(suggested) == recorder.params


@given(conditional_spaces(), st.data())
def test_whatever_is_suggested_is_in_the_grid(space: Space, data: st.DataObject) -> None:
    assert space.suggest(Recorder(data)) in list(space.grid())


@given(conditional_spaces())
def test_a_grid_lists_every_combination_once(space: Space) -> None:
    combinations = list(space.grid())
    assert len({tuple(c.items()) for c in combinations}) == len(combinations)
    assert space.is_finite


@pytest.mark.parametrize(("limit", "count"), [(5, None), (6, 6), (7, 6)])
def test_counting_stops_at_the_limit(limit: int, count: int | None) -> None:
    assert CONDITIONAL.count_at_most(limit) == count


def test_a_space_with_a_continuous_range_is_not_counted() -> None:
    space = Space((Parameter("learning_rate", Float(0.1, 0.2)),))
    assert not space.is_finite
    assert space.count_at_most(10) is None


def test_the_empty_space_has_one_combination() -> None:
    assert list(Space(()).grid()) == [{}]
