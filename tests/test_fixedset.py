import copy
import json
from typing import Any

import pytest
from small_sets import SET, small_set

from hpsearch.configuration import Adam, Sgd
from hpsearch.mistakes import MistakeError
from hpsearch.spec import StudySpec
from hpsearch.studyparser import parse_study


def changed(**paths: Any) -> dict[str, Any]:
    """The set with values put at `table__key__...`."""
    content = copy.deepcopy(SET)
    for path, value in paths.items():
        *parents, last = path.split("__")
        table = content
        for parent in parents:
            table = table.setdefault(parent, {})
        table[last] = value
    return content


def configuration(spec: StudySpec, name: str) -> Any:
    return spec.configuration({"configuration": name, "seed": 0})


def test_a_configuration_has_what_is_shared_and_its_own_before_that() -> None:
    spec = small_set()
    assert [layer.units for layer in configuration(spec, "small").network.dense] == [8]
    assert [layer.units for layer in configuration(spec, "wide / 16").network.dense] == [16]
    assert [layer.filters for layer in configuration(spec, "CNN").network.conv] == [4]
    rates = [configuration(spec, name).learning_rate for name in ("small", "CNN")]
    assert rates == [0.01, 0.02]
    assert spec.model == "mlp and cnn"


def test_its_trials_are_every_configuration_with_one_seed_after_the_other() -> None:
    trials = [(v["seed"], v["configuration"]) for v in small_set().space.grid()]
    names = ["small", "wide / 16", "CNN"]
    assert trials == [(seed, name) for seed in (0, 1) for name in names]
    assert small_set().search.trials == 6
    assert small_set(fixed={"seeds": 5}).search.trials == 15


def test_two_seeds_of_a_configuration_do_not_repeat_each_other() -> None:
    spec = small_set()
    assert len({spec.identity(values) for values in spec.space.grid()}) == 6


def test_hyperparameters_of_training_hold_for_all_configurations() -> None:
    spec = parse_study(changed(training__optimizer="sgd", training__momentum=0.8), name="set")
    assert configuration(spec, "small").optimizer == Sgd(momentum=0.8)
    assert configuration(small_set(), "small").optimizer == Adam()


def test_it_is_the_same_when_read_again_from_the_database() -> None:
    spec = small_set()
    assert parse_study(json.loads(json.dumps(spec.document)), name="set") == spec


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("description", "other words"),
        ("notes", "other words"),
        ("fixed__seeds", 7),
        ("fixed__trial_timeout", "1h"),
        ("configurations__small__published", {"test_accuracy": 0.1}),
    ],
)
def test_words_budgets_and_published_figures_may_change(path: str, value: Any) -> None:
    other = parse_study(changed(**{path: value}), name="set")
    assert other.fingerprint == small_set().fingerprint
    assert other.differences(small_set().document) == []


@pytest.mark.parametrize(
    ("path", "value", "difference"),
    [
        ("fixed__weights", "best", 'fixed.weights: "last" -> "best"'),
        ("training__epochs", 3, "training.epochs: 2 -> 3"),
        (
            "configurations__CNN__conv_layers",
            2,
            "configurations.CNN.conv_layers: 1 -> 2",
        ),
    ],
)
def test_what_decides_its_numbers_may_not(path: str, value: Any, difference: str) -> None:
    other = parse_study(changed(**{path: value}), name="set")
    assert other.fingerprint != small_set().fingerprint
    assert other.differences(small_set().document) == [difference]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("configurations", {}, "configurations: a fixed set needs at least one table"),
        ("configurations", 3, "configurations: a fixed set needs at least one table"),
        ("configurations__small", 3, "configurations.small: 3 is not a table"),
        ("configurations__ ", {"model": "mlp"}, "a name has 1 to 60 printable characters"),
        ("configurations__a ", {"model": "mlp"}, "no blank at its ends"),
        ("configurations__a\nb", {"model": "mlp"}, "a name has 1 to 60 printable characters"),
        (f"configurations__{'x' * 61}", {"model": "mlp"}, "a name has 1 to 60 printable"),
        ("configurations__new", {}, "configurations.new.model: is missing"),
        ("configurations__new", {"model": "rnn"}, "configurations.new.model: 'rnn' is not allowed"),
        (
            "configurations__small__dense.units",
            [8, 16],
            "configurations.small.dense.units: a fixed set searches nothing; give one value",
        ),
        (
            "configurations__small__dense.unit",
            8,
            r"configurations.small: dense.unit: unknown key \(did you mean dense.units\?\)",
        ),
        ("configurations__again", {"model": "mlp"}, "configurations.again: is the same as 'small'"),
        ("shared__dense.unit", 8, "unknown key"),
        ("configurations__small__dropout", 2.0, "configurations.small: dropout: 2.0 is not"),
        ("configurations__CNN__conv.padding", "valid", None),
        (
            "configurations__CNN",
            {"model": "cnn", "conv.padding": "valid", "conv.kernel": 9},
            "configurations.CNN: .*leaves no pixel",
        ),
        (
            "configurations__small__published__accuracy",
            0.9,
            "configurations.small.published.accuracy: unknown key",
        ),
        (
            "configurations__small__published__test_accuracy",
            91,
            "configurations.small.published.test_accuracy: 91 is not allowed",
        ),
        ("configurations__small__published", 91, "configurations.small.published: 91 is not"),
        ("fixed__seeds", 0, "fixed.seeds: 0 is not allowed"),
        (
            "fixed__weights",
            "first",
            "fixed.weights: 'first' is not allowed; allowed: 'best'",
        ),
        ("fixed__seed", 1, r"fixed.seed: unknown key \(did you mean fixed.seeds\?\)"),
        ("fixed", 1, "fixed: 1 is not allowed"),
        ("shared", 1, "shared: 1 is not a table"),
        ("search", {"trials": 3}, "search: unknown key"),
        ("space", {"dropout": 0.1}, "space: unknown key"),
        ("final", {"seeds": 3}, "final: unknown key"),
        ("model", "rnn", "model: 'rnn' is not allowed"),
    ],
)
def test_a_mistake_is_named(path: str, value: Any, message: str | None) -> None:
    content = changed(**{path: value})
    if message is None:
        parse_study(content, name="set")
        return
    with pytest.raises(MistakeError, match=message):
        parse_study(content, name="set")


def test_a_search_has_no_tables_of_a_fixed_set() -> None:
    search = {"dataset": "digits", "model": "mlp", "space": {"dense.units": 8}}
    for table in ({"fixed": {}}, {"shared": {"dropout": 0.1}}):
        with pytest.raises(MistakeError, match="space: unknown key"):
            parse_study({**search, **table}, name="search")
