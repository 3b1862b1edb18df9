from pathlib import Path
from typing import Any

import pytest
from made_models import own_study

from hpsearch.configuration import Configuration, resolve
from hpsearch.errors import InfeasibleConfigurationError
from hpsearch.mistakes import MistakeError
from hpsearch.ownmodel import OwnNetwork, is_own, is_own_parameter, own_network
from hpsearch.space import Choice, Condition, Float, Int
from hpsearch.studyparser import parse_study

MODEL = "own_models:build"


@pytest.mark.parametrize("model", [MODEL, "package.module:function", "a._b.c1:D"])
def test_a_function_in_a_module_is_an_own_model(model: str) -> None:
    assert is_own(model)


@pytest.mark.parametrize(
    "model",
    ["mlp", "module", "module:", ":f", "a:b:c", "a/b:c", "a..b:c", "a.b:c.d", "1a:b", 3, None],
)
def test_anything_else_is_none(model: object) -> None:
    assert not is_own(model)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        *[("width", True), ("units.3", True), ("conv_layers", True), ("_x", True)],
        *[("units.0", False), ("units.x", False), ("a.1.b", False), ("a-b", False), ("", False)],
        *[("lambda", False), ("image_shape", False), ("num_classes.1", False), ("größe", False)],
    ],
)
def test_a_parameter_has_a_plain_name_perhaps_with_a_number(name: str, allowed: bool) -> None:
    assert is_own_parameter(name) is allowed


def test_numbered_parameters_are_handed_over_as_one_tuple() -> None:
    values = {"units.2": 8, "units.1": 16, "width": 3}
    network = own_network(values, function=MODEL, folder="")
    assert dict(network.parameters) == {"units": (16, 8), "width": 3}


def test_a_number_that_is_left_out_makes_no_network() -> None:
    with pytest.raises(InfeasibleConfigurationError, match=r"units\.3 is given without units\.2"):
        own_network({"units.1": 1, "units.3": 1}, function=MODEL, folder="")


def test_hyperparameters_of_training_are_not_the_models() -> None:
    values = {"learning_rate": 0.1, "batch_size": 8, "augmentation.shift": 1, "width": 3}
    configuration = resolve(values, model=MODEL)
    assert configuration.network == OwnNetwork(function=MODEL, parameters=(("width", 3),))
    assert (configuration.learning_rate, configuration.batch_size) == (0.1, 8)


def test_a_configuration_is_the_same_again_after_json() -> None:
    values = {"width": 3, "rate": 1.0, "deep": True, "kind": "a", "units.1": 4, "units.2": 0.5}
    configuration = resolve(values, model=MODEL, folder="/somewhere")
    again = Configuration.model_validate_json(configuration.model_dump_json())
    assert again == configuration
    assert hash(again) == hash(configuration)
    assert again.fingerprint == configuration.fingerprint


def test_the_fingerprint_tells_values_and_functions_apart_but_not_places() -> None:
    def fingerprint(values: Any, model: str = MODEL, folder: str = "") -> str:
        return resolve(values, model=model, folder=folder).fingerprint

    one = fingerprint({"width": 3, "kind": "a"})
    assert one == fingerprint({"kind": "a", "width": 3}, folder="/moved")
    others = [{"width": 4, "kind": "a"}, {"width": 3}, {"width": 3, "kind": "a", "lr": 1}]
    different = {one, *map(fingerprint, others), fingerprint({"width": 3, "kind": "a"}, "m:other")}
    assert len(different) == 5


def test_fingerprints_of_older_configurations_stay_what_they_are_in_databases() -> None:
    """Taken from version c7d4240, before own models and augmentation."""
    assert resolve({}, model="mlp").fingerprint == "a1329d5fafeca380"
    assert resolve({}, model="cnn").fingerprint == "303376e742a5d191"


# --- in a study file


def space_of(space: dict[str, Any], folder: Path = Path("/")) -> dict[str, Any]:
    return {p.name: p for p in own_study(folder, space=space).space.parameters}


def test_a_range_is_of_whole_numbers_where_both_of_its_ends_are() -> None:
    space = space_of(
        {
            "width": {"low": 1, "high": 8},
            "dropout": {"low": 0, "high": 0.5},
            "slope": {"low": 1.0, "high": 4},
            "kinds": ["a", 2],
        }
    )
    assert space["width"].domain == Int(1, 8)
    assert space["dropout"].domain == Float(0.0, 0.5)
    assert space["slope"].domain == Float(1.0, 4.0)
    assert space["kinds"].domain == Choice(("a", 2))


def test_each_makes_a_numbered_parameter_for_as_many_as_another_counts() -> None:
    space = space_of(
        {
            "blocks": {"low": 0, "high": 2},
            "units": {"each": "blocks", "choices": [16, 32]},
            "kind": ["a", "b"],
            "slope": {"low": 0.1, "high": 1.0, "when": {"kind": "a"}},
        }
    )
    assert [*space] == ["blocks", "units.1", "units.2", "kind", "slope"]
    assert space["units.1"].when == (Condition("blocks", (1, 2)),)
    assert space["units.2"].when == (Condition("blocks", (2,)),)
    assert space["slope"].when == (Condition("kind", ("a",)),)


def test_a_suggested_configuration_has_as_many_units_as_it_counts(tmp_path: Path) -> None:
    units = {"each": "blocks", "choices": [16, 32]}
    spec = own_study(tmp_path, space={"blocks": {"low": 0, "high": 2}, "units": units})
    for values in spec.space.grid():
        parameters = dict(spec.configuration(values).network.parameters)  # type: ignore[union-attr]
        assert len(parameters.get("units", ())) == parameters["blocks"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"space": {"a-b": 1}}, r"space\.a-b: unknown key.*learning_rate.*a parameter of own_models"),
    ({"space": {"num_classes": 10}}, r"space\.num_classes: unknown key"),
    ({"space": {"units": [1, 2], "units.1": 3}}, r"space\.units\.1: is given twice: as units"),
    ({"space": {"units.2": 3}}, r"space\.units\.2: there is no units\.1"),
    ({"space": {"units": {"value": 1, "each": "n"}}}, r"units\.each: no parameter 'n' to count"),
    ({"space": {"n": 1, "u": {"value": 1, "each": "u"}}}, r"space\.u\.each: 'u' is not allowed"),
    ({"space": {"n": "a", "u": {"value": 1, "each": "n"}}}, r"space\.n: 'a' is not allowed"),
    ({"space": {"batch_size": 0}}, r"space\.batch_size: 0 is not allowed"),
    ({"space": {"width": {"low": 3}}}, r"space\.width: has low; allowed are low and high"),
    ({"space": {"w": [1]}, "training": {"w": 1}}, r"training\.w: unknown key"),
    ({"model": "module.function"}, r"model: .*allowed: 'mlp', 'cnn', 'package\.module:function'"),
    ({"model_folder": "/elsewhere"}, r"model_folder: unknown key"),
]


@pytest.mark.parametrize(("tables", "message"), BAD, ids=[message for _, message in BAD])
def test_a_mistake_is_named(tables: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(MistakeError, match=message):
        own_study(tmp_path, **tables)


def test_a_stored_document_remembers_the_folder_which_is_no_part_of_the_study() -> None:
    here, there = (own_study(Path(folder)) for folder in ("/here", "/there"))
    assert here.fingerprint == there.fingerprint
    assert here.differences(there.document) == []
    again = parse_study(here.document, name="small")
    assert again == here
    assert again.configuration({"width": 4}).network.folder == "/here"  # type: ignore[union-attr]


def test_a_fixed_set_may_mix_own_models_with_ours() -> None:
    spec = own_study(
        Path("/here"),
        configurations={
            "own": {"width": 3, "units.1": 8, "units.2": 4},
            "mlp": {"model": "mlp", "dense.units": 8},
            "cnn": {"model": "cnn", "learning_rate": 0.1},
        },
        shared={"conv": {"filters": 4}, "dropout": 0.5, "width": 7},
        augmentation={"shift": 1},
    )
    own, mlp, cnn = (named.configuration for named in spec.configurations)
    assert own.network == OwnNetwork(
        function=MODEL,
        parameters=(("dropout", 0.5), ("units", (8, 4)), ("width", 3)),
        folder="/here",
    )
    assert cnn == resolve(
        {"conv.filters": 4, "dropout": 0.5, "learning_rate": 0.1, "augmentation.shift": 1},
        model="cnn",
    )
    assert mlp.network == resolve({"dense.units": 8, "dropout": 0.5}, model="mlp").network
    assert parse_study(spec.document, name="small") == spec
