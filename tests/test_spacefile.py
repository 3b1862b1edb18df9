import pytest

from hpsearch.configuration import DEFAULTS
from hpsearch.mistakes import MistakeError
from hpsearch.space import Choice, Condition, Fixed, Int, Parameter, Space
from hpsearch.spacefile import parse_space

SGD_OR_ADAM = ["adam", "sgd"]


def space_of(
    table: dict[str, object],
    *,
    training: dict[str, object] | None = None,
    model: str = "cnn",
    image_shape: tuple[int, int, int] = (1, 28, 28),
) -> Space:
    return parse_space(table, training=training or {}, model=model, image_shape=image_shape)


def mistake_of(table: dict[str, object], **others: object) -> str:
    with pytest.raises(MistakeError) as caught:
        space_of(table, **others)  # type: ignore[arg-type]
    return str(caught.value)


def names(space: Space) -> list[str]:
    return [p.name for p in space.parameters]


def test_each_makes_one_parameter_a_layer_there_only_with_its_layer() -> None:
    space = space_of(
        {
            "conv_layers": [1, 3],
            "conv.filters": {"each": "conv_layers", "choices": [16, 32]},
        }
    )
    both = Choice((16, 32))
    third = (Condition("conv_layers", (3,)),)
    assert set(space.parameters) == {
        Parameter("conv_layers", Choice((1, 3))),
        Parameter("conv.1.filters", both),
        Parameter("conv.2.filters", both, third),
        Parameter("conv.3.filters", both, third),
    }


def test_the_number_of_layers_is_the_default_where_the_file_is_silent() -> None:
    assert DEFAULTS["conv_layers"] == 2
    space = space_of({"conv.filters": {"each": "conv_layers", "choices": [16, 32]}})
    assert names(space) == ["conv.1.filters", "conv.2.filters"]


def test_a_number_of_layers_fixed_in_training_or_space_is_no_condition() -> None:
    space = space_of({"dense_layers": 2, "dense.2.units": [8, 16]})
    assert Parameter("dense.2.units", Choice((8, 16))) in space.parameters


def test_a_numbered_parameter_is_there_only_with_its_layer() -> None:
    space = space_of({"dense_layers": {"low": 0, "high": 3}, "dense.2.units": [8, 16]})
    conditions = (Condition("dense_layers", (2, 3)),)
    assert Parameter("dense.2.units", Choice((8, 16)), conditions) in space.parameters


def test_no_layer_at_all_makes_no_parameter() -> None:
    table = {"dense_layers": 0, "dense.units": {"each": "dense_layers", "choices": [8, 16]}}
    assert names(space_of(table)) == ["dense_layers"]


def test_own_conditions_and_those_of_the_layer_hold_together() -> None:
    space = space_of(
        {
            "optimizer": SGD_OR_ADAM,
            "dense_layers": [1, 2],
            "dense.units": {
                "each": "dense_layers",
                "choices": [8, 16],
                "when": {"optimizer": "sgd"},
            },
        }
    )
    active = [c for c in space.grid() if "dense.2.units" in c]
    assert len(list(space.grid())) == 2 + 2 + 4  # adam; sgd with one layer; sgd with two
    assert all(c["optimizer"] == "sgd" and c["dense_layers"] == 2 for c in active)
    assert len(active) == 4


def test_a_condition_may_name_several_values() -> None:
    space = space_of(
        {
            "schedule": ["constant", "cosine", "inverse_time"],
            "decay_rate": {"choices": [0.5, 1.0], "when": {"schedule": ["cosine", "inverse_time"]}},
        }
    )
    assert len(list(space.grid())) == 1 + 2 + 2


def test_a_condition_may_depend_on_what_training_fixes() -> None:
    table: dict[str, object] = {"momentum": {"choices": [0.5, 0.9], "when": {"optimizer": "sgd"}}}
    assert len(list(space_of(table, training={"optimizer": "sgd"}).grid())) == 2


def test_a_condition_on_all_layers_at_once_is_refused() -> None:
    message = mistake_of(
        {
            "conv.pool": {"each": "conv_layers", "choices": ["max", "none"]},
            "dropout": {"choices": [0.1, 0.2], "when": {"conv.pool": "max"}},
        }
    )
    assert message.startswith("space.dropout.when.conv.pool: ")


def test_a_condition_names_a_value_of_a_stepped_range_as_a_person_writes_it() -> None:
    space = space_of(
        {
            "dropout": {"low": 0.0, "high": 0.5, "step": 0.1},
            "activation": {"choices": ["relu", "tanh"], "when": {"dropout": 0.3}},
        }
    )
    assert len(list(space.grid())) == 6 + 1


def test_parents_come_before_children_whatever_the_files_order() -> None:
    space = space_of(
        {
            "conv.3.filters": [8, 16],
            "momentum": {"choices": [0.5, 0.9], "when": {"optimizer": "sgd"}},
            "conv_layers": {"low": 1, "high": 3, "step": 1},
            "optimizer": {"choices": SGD_OR_ADAM, "when": {"conv_layers": [1, 2]}},
        }
    )
    order = names(space)
    for parameter in space.parameters:
        for condition in parameter.when:
            assert order.index(condition.parent) < order.index(parameter.name)
    assert sorted(order) == ["conv.3.filters", "conv_layers", "momentum", "optimizer"]


def test_what_does_not_depend_keeps_the_files_order() -> None:
    table: dict[str, object] = {"dropout": [0.1, 0.2], "batch_size": 32, "activation": "tanh"}
    assert names(space_of(table)) == ["dropout", "batch_size", "activation"]


def test_training_fixes_a_value_that_the_space_holds() -> None:
    space = space_of({"batch_size": [32, 64]}, training={"optimizer": "sgd", "momentum": 0.8})
    assert Parameter("optimizer", Fixed("sgd")) in space.parameters
    assert Parameter("momentum", Fixed(0.8)) in space.parameters


@pytest.mark.parametrize(
    ("table", "parts"),
    [
        (
            {"momentum": {"value": 0.9, "when": {"optimiser": "sgd"}}, "optimizer": SGD_OR_ADAM},
            ["space.momentum.when.optimiser: ", "'optimiser'", "optimizer"],
        ),
        (
            {"momentum": {"value": 0.9, "when": {"optimizer": "sgd"}}},
            ["space.momentum.when.optimizer: ", "'optimizer'", "none"],
        ),
        (
            {"momentum": {"choices": [0.5, 0.9], "when": {"momentum": 0.5}}},
            ["space.momentum.when.momentum: "],
        ),
        (
            {"momentum": {"value": 0.9, "when": {"optimizer": "sdg"}}, "optimizer": SGD_OR_ADAM},
            ["space.momentum.when.optimizer: ", "'sdg'", "'adam', 'sgd'"],
        ),
        (
            {
                "dropout": {"low": 0.0, "high": 0.5},
                "momentum": {"value": 0.9, "when": {"dropout": 0.1}},
            },
            ["space.momentum.when.dropout: ", "continuous", "listed values"],
        ),
        (
            {
                "optimizer": {"choices": SGD_OR_ADAM, "when": {"schedule": "cosine"}},
                "schedule": {"choices": ["cosine", "constant"], "when": {"optimizer": "sgd"}},
            },
            ["space: ", "circle", "optimizer", "schedule"],
        ),
        (
            {
                "conv_layers": {"choices": [1, 2], "when": {"conv.2.filters": 8}},
                "conv.2.filters": 8,
            },
            ["space: ", "circle", "conv_layers", "conv.2.filters"],
        ),
        (
            {"conv.1.filters": 8, "conv.filters": {"each": "conv_layers", "choices": [8]}},
            ["space.conv.1.filters: ", "twice"],
        ),
        ({"conv.3.filters": 8}, ["space.conv.3.filters: ", "no layer 3", "at most 2"]),
        (
            {"dense_layers": [0, 1], "dense.2.units": 8},
            ["space.dense.2.units: ", "dense_layers is at most 1"],
        ),
        (
            {"conv_layers": ["2"], "conv.filters": {"each": "conv_layers", "value": 8}},
            ["space.conv_layers: ", "'2'"],
        ),
        ({"conv_layers": [1, 65]}, ["space.conv_layers: ", "65", "0 to 64"]),
        ({"conv_layers": -1}, ["space.conv_layers: ", "-1", "0 to 64"]),
        ({"optimizer": ["adam", "adamw"]}, ["space.optimizer: ", "'adamw'", "'adam', 'sgd'"]),
        ({"dropout": {"low": 0.0, "high": 1.0}}, ["space.dropout: ", "1.0", "less than 1"]),
        ({"momentum": 1.0}, ["space.momentum: ", "1.0", "less than 1"]),
        ({"decay_rate": -1}, ["space.decay_rate: ", "-1", "greater than or equal to 0"]),
        ({"conv.1.pool": ["max", "min"]}, ["space.conv.1.pool: ", "'min'", "'average', 'none'"]),
        ({"dense.units": {"low": 0, "high": 9}}, ["space.dense.units: ", "0", "equal to 1"]),
        ({"batch_size": "32"}, ["space.batch_size: ", "'32'", "integer"]),
    ],
)
def test_a_wrong_table_is_answered_with_key_value_and_what_is_allowed(
    table: dict[str, object], parts: list[str]
) -> None:
    message = mistake_of(table)
    assert message.startswith(parts[0])
    for part in parts:
        assert part in message


def test_a_value_is_chosen_in_training_or_in_space_not_in_both() -> None:
    message = mistake_of({"batch_size": [32, 64]}, training={"batch_size": 32})
    assert message.startswith("space.batch_size: ")
    assert "[training]" in message


def test_training_takes_no_choices() -> None:
    message = mistake_of({}, training={"batch_size": [32, 64]})
    assert message.startswith("training.batch_size: ")
    assert "[space]" in message


@pytest.mark.parametrize(("name", "value"), [("optimizer", "adamm"), ("learning_rate", -1.0)])
def test_a_wrong_value_in_training_is_called_by_its_place_there(name: str, value: object) -> None:
    message = mistake_of({}, training={name: value})
    assert message.startswith(f"training.{name}: {value!r} is not allowed")


@pytest.mark.parametrize(
    "table",
    [
        {"conv.padding": "valid", "conv.kernel": [9, 11]},
        {"conv.padding": "valid", "conv.kernel": {"low": 5, "high": 7}, "conv_layers": [2, 3]},
        {"conv_layers": 1, "conv.1.padding": "valid", "conv.1.kernel": 9},
        {"conv_layers": 1, "conv.pool_size": [9, 10], "conv.pool_padding": "valid"},
        {
            "conv.padding": {"each": "conv_layers", "choices": ["valid"]},
            "conv.kernel": {"each": "conv_layers", "choices": [5, 7]},
            "conv.pool": ["max", "average"],
        },
    ],
)
def test_a_space_whose_every_cnn_shrinks_to_nothing_is_refused(table: dict[str, object]) -> None:
    message = mistake_of(table, image_shape=(1, 8, 8))
    assert message.startswith("space: no network of this space can be built")
    assert "leaves no pixel" in message


@pytest.mark.parametrize(
    "table",
    [
        {"conv.padding": ["valid", "same"], "conv.kernel": [9, 11]},
        {"conv.padding": "valid", "conv.kernel": [9, 3], "conv.pool": "none"},
        {"conv.padding": "valid", "conv.kernel": 7, "conv_layers": [1, 5], "conv.pool": "none"},
        {"conv_layers": [0, 1], "conv.padding": "valid", "conv.kernel": 9},
        {"conv.pool_size": 9, "conv.pool_padding": "valid", "conv.pool": ["max", "none"]},
        {
            "optimizer": SGD_OR_ADAM,
            "conv_layers": 1,
            "conv.padding": "valid",
            "conv.kernel": {"choices": [9], "when": {"optimizer": "sgd"}},  # adam: 3, the default
        },
    ],
)
def test_a_space_with_one_possible_cnn_is_accepted(table: dict[str, object]) -> None:
    assert space_of(table, image_shape=(1, 8, 8)).parameters


def test_a_long_range_is_not_listed() -> None:
    high = 10**15  # a list of so many would not fit into any machine
    space = space_of({"batch_size": {"low": 1, "high": high}})
    assert space.parameters == (Parameter("batch_size", Int(1, high)),)
