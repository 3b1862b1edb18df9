from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.entries import Entry, flatten, parse_entry
from hpsearch.mistakes import MistakeError
from hpsearch.space import Choice, Domain, Fixed, Float, Int


def parsed(name: str, raw: object, model: str = "cnn") -> Entry:
    return parse_entry(f"space.{name}", name, raw, model)


@pytest.mark.parametrize(
    ("name", "raw", "domain"),
    [
        ("dropout", 0.2, Fixed(0.2)),
        ("optimizer", "sgd", Fixed("sgd")),
        ("batch_norm", True, Fixed(True)),
        ("dropout", {"value": 0.2}, Fixed(0.2)),
        ("batch_size", [32, 64], Choice((32, 64))),
        ("batch_size", {"choices": [32, 64]}, Choice((32, 64))),
        ("learning_rate", {"low": 1e-4, "high": 1e-1, "log": True}, Float(1e-4, 1e-1, log=True)),
        ("learning_rate", {"low": 1, "high": 2}, Float(1.0, 2.0)),
        ("dropout", {"low": 0, "high": 0.5, "step": 0.1}, Float(0.0, 0.5, 0.1)),
        ("output.dropout", {"low": 0, "high": 1}, Float(0.0, 1.0)),
        ("dense.2.dropout", {"low": 0, "high": 1}, Float(0.0, 1.0)),
        ("conv_layers", {"low": 1, "high": 3}, Int(1, 3)),
        ("conv.1.filters", {"low": 16, "high": 64, "step": 16}, Int(16, 64, 16)),
        ("dense.units", {"low": 16, "high": 512, "log": True}, Int(16, 512, log=True)),
        ("batch_size", {"low": 8, "high": 8}, Int(8, 8)),
    ],
)
def test_an_entry_is_a_fixed_value_choices_or_a_range(
    name: str, raw: object, domain: Domain
) -> None:
    entry = parsed(name, raw)
    assert entry == Entry(name, domain, each=None, when={})
    assert type(entry.domain) is type(domain)


def test_each_and_when_stand_beside_the_values() -> None:
    raw = {
        "choices": [16, 32],
        "each": "conv_layers",
        "when": {"optimizer": "sgd", "conv": {"1": {"pool": ["max", "none"]}}},
    }
    when = {"optimizer": ("sgd",), "conv.1.pool": ("max", "none")}
    assert parsed("conv.filters", raw) == Entry(
        "conv.filters", Choice((16, 32)), "conv_layers", when
    )


@pytest.mark.parametrize(
    ("name", "raw", "parts"),
    [
        ("batch_size", [], ["space.batch_size: ", "[]", "at least one"]),
        ("batch_size", {"choices": []}, ["space.batch_size.choices: ", "[]", "at least one"]),
        ("batch_size", {"choices": 3}, ["space.batch_size.choices: ", "3", "list"]),
        ("batch_size", [32, 32], ["space.batch_size: ", "32", "twice"]),
        ("batch_size", [[32]], ["space.batch_size: ", "[32]", "allowed are numbers"]),
        ("dropout", {"low": 0.5, "high": 0.1}, ["space.dropout: ", "0.5", "above", "0.1"]),
        ("learning_rate", {"low": 0, "high": 1, "log": True}, ["low = 0", "log", "above 0"]),
        ("learning_rate", {"low": -1.0, "high": 1, "log": True}, ["low = -1.0", "above 0"]),
        ("learning_rate", {"low": 1, "high": 2, "log": 1}, [".log: ", "1", "true and false"]),
        ("dropout", {"low": 0, "high": 1, "step": 0}, [".step: ", "0", "above 0"]),
        ("dropout", {"low": 0, "high": 1, "step": -0.1}, [".step: ", "-0.1", "above 0"]),
        (
            "learning_rate",
            {"low": 1, "high": 9, "log": True, "step": 2},
            [".step: ", "2", "without log"],
        ),
        ("learning_rate", {"low": "a", "high": 1}, ["space.learning_rate.low: ", "'a'", "number"]),
        ("learning_rate", {"low": 0.1, "high": True}, [".high: ", "True", "number"]),
        ("conv_layers", {"low": 1, "high": 2.5}, [".high: ", "2.5", "whole numbers"]),
        ("conv_layers", {"low": 1, "high": 2, "step": 0.5}, [".step: ", "0.5", "whole numbers"]),
        ("dropout", float("nan"), ["space.dropout: ", "nan", "finite"]),
        ("dropout", [0.1, float("inf")], ["space.dropout: ", "inf", "finite"]),
        ("dropout", {"low": 0.1, "high": float("inf")}, [".high: ", "inf", "finite"]),
        ("dropout", {"low": 0.1}, ["space.dropout: ", "low", "allowed are low and high"]),
        ("dropout", {}, ["space.dropout: ", "nothing", "allowed are low and high"]),
        ("dropout", {"value": 1, "choices": [2]}, ["choices, value", "or choices, or value"]),
        ("dropout", {"low": 0, "high": 1, "value": 0}, ["high, low, value", "or value"]),
        ("conv.filters", {"value": 8, "each": "dense_layers"}, [".each: ", "'dense_layers'"]),
        ("conv.1.filters", {"value": 8, "each": "conv_layers"}, [".each: ", "'conv_layers'"]),
        ("dropout", {"value": 0.1, "each": "dense_layers"}, ["space.dropout.each: "]),
        ("dropout", {"value": 0.1, "when": "sgd"}, ["space.dropout.when: ", "'sgd'", "parent"]),
        ("dropout", {"value": 0.1, "when": {"optimizer": []}}, [".when.optimizer: ", "[]"]),
    ],
)
def test_a_wrong_entry_is_answered_with_key_value_and_what_is_allowed(
    name: str, raw: object, parts: list[str]
) -> None:
    with pytest.raises(MistakeError) as caught:
        parsed(name, raw)
    message = str(caught.value)
    assert message.startswith(f"space.{name}")
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("misspelt", "right"), [("setp", "step"), ("hihg", "high"), ("whem", "when"), ("loww", "low")]
)
def test_a_misspelt_word_of_an_entry_names_the_nearest_right_one(misspelt: str, right: str) -> None:
    with pytest.raises(
        MistakeError, match=rf"space\.dropout\.{misspelt}: .*did you mean .*{right}\?"
    ):
        parsed("dropout", {"low": 0.1, "choices": [0.2], misspelt: 0.5})


@pytest.mark.parametrize("name", ["conv.filters", "conv_layers", "conv.1.kernel"])
def test_an_mlp_has_no_convolutions(name: str) -> None:
    with pytest.raises(MistakeError, match=f"space.{name}: unknown key"):
        parsed(name, 3, model="mlp")


def test_dotted_and_nested_names_are_the_same() -> None:
    nested = {"conv": {"filters": 32, "1": {"kernel": [3, 5]}}, "dropout": {"low": 0, "high": 1}}
    assert flatten(nested) == {
        "conv.filters": 32,
        "conv.1.kernel": [3, 5],
        "dropout": {"low": 0, "high": 1},
    }


def test_an_empty_table_is_not_lost() -> None:
    assert flatten({"conv": {"filters": {}}}) == {"conv.filters": {}}


names = st.text("abc", min_size=1, max_size=3)


trees = st.recursive(
    st.integers(), lambda t: st.dictionaries(names, t, min_size=1, max_size=3), max_leaves=6
)


@given(trees)
def test_flattening_keeps_every_value_under_its_dotted_path(tree: object) -> None:
    def leaf(path: list[str]) -> object:
        found: object = {"root": tree}
        for part in path:
            assert isinstance(found, dict)
            found = found[part]
        return found

    flat = flatten({"root": tree})
    assert {name: leaf(name.split(".")) for name in flat} == flat
    assert not any(isinstance(value, dict) for value in flat.values())


def test_a_range_of_more_steps_than_numbers_is_refused() -> None:
    with pytest.raises(MistakeError, match="too many steps"):
        parsed("learning_rate", {"low": 1.0, "high": 2.0, "step": 1e-69})


@given(
    st.floats(1e-6, 1e6),
    st.floats(1e-6, 1e6),
    st.none() | st.floats(-1, 0) | st.floats(1e-6, 1),
    st.none() | st.booleans(),
)
def test_a_range_is_accepted_exactly_when_it_makes_sense(
    low: float, high: float, step: float | None, log: bool | None
) -> None:
    raw: dict[str, object] = {"low": low, "high": high}
    raw |= {} if step is None else {"step": step}
    raw |= {} if log is None else {"log": log}
    fits = (
        step is None or low == high or Decimal(str(low)) + Decimal(str(step)) <= Decimal(str(high))
    )
    if low <= high and fits and (step is None or (step > 0 and not log)):
        domain = parsed("learning_rate", raw).domain
        assert isinstance(domain, Float)
        assert (domain.low, domain.step, domain.log) == (low, step, bool(log))
        # a step that does not divide the range ends it at its last whole step
        assert domain.high == high if step is None else high - step <= domain.high <= high
    else:
        with pytest.raises(MistakeError):
            parsed("learning_rate", raw)
