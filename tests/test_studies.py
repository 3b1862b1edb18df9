"""The shipped study files against what the write-ups and the issue say is in them."""

import math
from pathlib import Path

import optuna
import pytest

from hpsearch.configuration import Configuration
from hpsearch.models.network import build_network, num_parameters
from hpsearch.space import Fixed, Float, Int, Scalar, Space
from hpsearch.spec import StudySpec
from hpsearch.studyparser import load_study_file, parse_study

STUDIES = Path(__file__).parents[1] / "studies"
FIXED = {  # with the number of their configurations
    "d0-fashion": 4,
    "d0-mnist": 4,
    "d1-fashion": 8,
    "d1-mnist": 8,
    "d2-cnn": 1,
    "d2-mlp": 1,
    "d3-fashion": 2,
    "d4-cnn-variants": 10,
    "d4-mlp-adam": 12,
    "d4-mlp-dropout": 12,
    "d4-mlp-sgd": 12,
    "variants-digits": 4,
}
NAMES = [  # of searches
    "cnn-digits",
    "cnn-fashion",
    "cnn-fashion-wide",
    "cnn-mnist",
    "mlp-digits",
    "mlp-fashion",
    "mlp-fashion-wide",
    "mlp-mnist",
]

CNN_D4 = {
    "batch_size": {32, 64},
    "learning_rate": {0.01, 0.001},
    "dropout": {0.2},
    "conv.1.filters": {32, 64, 128},
    "conv.1.kernel": {3, 5},
    "conv.1.stride": {1, 2},
    "conv.2.filters": {32, 64, 128},
    "conv.2.kernel": {3, 5},
    "conv.2.stride": {2},
    "dense_layers": {0},
    "dense.units": {32, 64, 128},
}
MLP_D4 = {
    "batch_size": {16, 32, 64},
    "learning_rate": {0.01, 0.001},
    "dropout": {0.1, 0.2},
    "dense_layers": {1, 2, 3},
    "dense.units": {64, 128, 256},
}


def shipped(name: str) -> StudySpec:
    return load_study_file(STUDIES / f"{name}.toml")


def searched(space: Space) -> dict[str, set[Scalar]]:
    """Every parameter that is not fixed, with its values."""
    return {
        p.name: set(p.domain.values or ())
        for p in space.parameters
        if not isinstance(p.domain, Fixed)
    }


def contains(space: Space, values: dict[str, Scalar]) -> bool:
    """Whether the space has this combination; `values` names at least its active parameters."""
    active = space.replay(values)
    for parameter in space.parameters:
        domain = parameter.domain
        if parameter.name not in active or isinstance(domain, Fixed):
            continue
        value = active[parameter.name]
        if domain.values is not None:
            near = any(v == value or _close(v, value) for v in domain.values)
        else:
            assert isinstance(domain, Int | Float)
            near = domain.low <= float(value) <= domain.high
        if not near:
            return False
    return True


def _close(one: Scalar, other: Scalar) -> bool:
    numbers = isinstance(one, float) and isinstance(other, float)
    return numbers and math.isclose(one, other, abs_tol=1e-9)


def test_the_shipped_files_are_those_of_the_issue() -> None:
    assert sorted(path.stem for path in STUDIES.glob("*.toml")) == sorted([*NAMES, *FIXED])


@pytest.mark.parametrize("name", sorted(FIXED))
def test_a_shipped_fixed_set_loads_with_all_of_its_configurations(name: str) -> None:
    spec = shipped(name)
    assert spec.fixed is not None
    assert len(spec.configurations) == FIXED[name]
    assert len({one.configuration for one in spec.configurations}) == FIXED[name]
    assert parse_study(spec.document, name=name) == spec


PUBLISHED_PARAMETERS = {
    ("d1-fashion", "CNN relu"): 454_410,
    ("d1-mnist", "CNN relu"): 454_410,
    ("d1-fashion", "CNN sigmoid + batch norm"): 454_878,
    ("d1-mnist", "CNN sigmoid + batch norm"): 454_878,
    ("d4-cnn-variants", "64-128-256"): 410_634,
}


@pytest.mark.parametrize(("study", "name"), sorted(PUBLISHED_PARAMETERS))
def test_a_fixed_sets_network_has_the_published_number_of_parameters(study: str, name: str) -> None:
    (named,) = (one for one in shipped(study).configurations if one.name == name)
    network = build_network(named.configuration.network, image_shape=(1, 28, 28), num_classes=10)
    expected = PUBLISHED_PARAMETERS[study, name]
    assert num_parameters(network) == named.published.parameters == expected


# test loss and accuracy in D4's table; all of a row are far apart, so a few show the order
PUBLISHED_RESULTS = {
    ("d4-mlp-sgd", "Glorot 1x64"): (0.4512, 0.8744),
    ("d4-mlp-sgd", "He 3x128"): (0.6651, 0.8841),
    ("d4-mlp-adam", "Glorot 2x128"): (1.1269, 0.8845),
    ("d4-mlp-dropout", "Glorot 1x128"): (0.3222, 0.8830),
    ("d4-cnn-variants", "32-64-128 + dense 128"): (0.449519, 0.9177),
    ("d4-cnn-variants", "32"): (0.291403, 0.9068),
    ("d2-cnn", "CNN"): (None, 0.8966),
    ("d0-mnist", "MLP tuned"): (None, 0.97),
}


@pytest.mark.parametrize(("study", "name"), sorted(PUBLISHED_RESULTS))
def test_a_fixed_sets_published_results_are_those_of_the_documents(study: str, name: str) -> None:
    (named,) = (one for one in shipped(study).configurations if one.name == name)
    published = named.published.test_loss, named.published.test_accuracy
    assert published == PUBLISHED_RESULTS[study, name]


def test_d4s_mlps_differ_by_layers_units_and_initializer_only() -> None:
    for name, optimizer in (("d4-mlp-sgd", "sgd"), ("d4-mlp-adam", "adam")):
        spec = shipped(name)
        for one in spec.configurations:
            configuration = one.configuration
            initializer, size = one.name.split()
            layers, units = map(int, size.split("x"))
            assert [layer.units for layer in configuration.network.dense] == [units] * layers
            assert configuration.network.initializer == f"{initializer.lower()}_uniform"
            assert (configuration.optimizer.name, configuration.batch_size) == (optimizer, 32)
        assert (spec.training.epochs, spec.training.validation) == (100, 0.1)


def test_the_published_winners_of_d4s_searches() -> None:
    for name, best, test in (("mlp-fashion", 0.898778, 0.8858), ("cnn-fashion", 0.928889, 0.9207)):
        published = shipped(name).published
        assert published is not None
        assert published.test_accuracy == test
        ranked = [trial.val_accuracy for trial in published.top]
        assert ranked[0] == best
        assert ranked == sorted(ranked, reverse=True)
        assert len(ranked) == 5


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_file_loads_under_its_own_name(name: str) -> None:
    spec = shipped(name)
    assert spec.name == name
    assert spec.model == name.split("-")[0]
    assert spec.objective == "val_accuracy"
    assert spec.description
    assert parse_study(spec.document, name=name) == spec


@pytest.mark.parametrize("name", NAMES)
def test_every_network_that_a_shipped_file_suggests_can_be_built_but_for_valid_padding(
    name: str,
) -> None:
    spec = shipped(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        trial = study.ask()
        values = spec.space.suggest(trial)
        assert spec.space.replay(trial.params) == values
        if values.get("conv.padding", "same") == "same":
            assert spec.configuration(values).batch_size == values["batch_size"]


@pytest.mark.parametrize("name", ["cnn-fashion", "cnn-mnist"])
def test_the_cnn_space_is_exactly_d4s(name: str) -> None:
    space = shipped(name).space
    assert searched(space) == CNN_D4
    combinations = list(space.grid())
    assert len(combinations) == space.count_at_most(10_000) == 864
    assert all(values["conv_layers"] == 2 for values in combinations)


@pytest.mark.parametrize("name", ["mlp-fashion", "mlp-mnist"])
def test_the_mlp_space_is_exactly_d4s(name: str) -> None:
    space = shipped(name).space
    assert searched(space) == MLP_D4
    combinations = list(space.grid())
    assert len(combinations) == space.count_at_most(10_000) == 108
    assert all(values["activation"] == "relu" for values in combinations)


@pytest.mark.parametrize(("name", "different"), [("cnn-fashion", 864 // 3), ("mlp-fashion", 108)])
def test_d4s_units_without_a_dense_layer_make_no_other_network(name: str, different: int) -> None:
    spec = shipped(name)
    configurations = {spec.configuration(values) for values in spec.space.grid()}
    assert len(configurations) == different


@pytest.mark.parametrize("name", ["cnn-fashion", "cnn-mnist", "mlp-fashion", "mlp-mnist"])
def test_the_protocol_is_d4s(name: str) -> None:
    spec = shipped(name)
    assert spec.dataset.name == {"fashion": "fashion-mnist", "mnist": "mnist"}[name.split("-")[1]]
    assert spec.training.epochs == 100
    assert spec.training.validation == 0.15
    assert spec.training.early_stopping is not None
    assert spec.training.early_stopping.monitor == "val_loss"
    configuration = spec.configuration(next(spec.space.grid()))
    assert configuration.optimizer.name == "adam"
    assert configuration.schedule.name == "constant"
    assert configuration.network.activation == "relu"


def test_d4s_cnn_pools_every_layer_2_by_2_and_has_dropout_before_the_output() -> None:
    spec = shipped("cnn-fashion")
    for values in spec.space.grid():
        network = spec.configuration(values).network
        pools = [(layer.pool, layer.pool_size, layer.pool_padding) for layer in network.conv]
        assert pools == [("max", 2, "same")] * 2
        assert network.dense == ()
        assert network.output.dropout == 0.2


@pytest.mark.parametrize("model", ["cnn", "mlp"])
def test_mnist_and_fashion_mnist_are_searched_alike(model: str) -> None:
    fashion, mnist = shipped(f"{model}-fashion"), shipped(f"{model}-mnist")
    assert mnist.space == fashion.space
    assert mnist.training == fashion.training
    assert mnist.search == fashion.search
    assert mnist.final == fashion.final
    assert mnist.fingerprint != fashion.fingerprint


@pytest.mark.parametrize("name", ["cnn-digits", "mlp-digits"])
def test_the_digits_studies_need_no_download(name: str) -> None:
    spec = shipped(name)
    assert spec.dataset.name == "digits"
    assert spec.dataset.folder is None


@pytest.mark.parametrize("name", ["cnn-fashion-wide", "mlp-fashion-wide"])
def test_a_wide_space_has_the_union_of_the_write_ups_training_choices(name: str) -> None:
    spec = shipped(name)
    values, by_name = searched(spec.space), {p.name: p for p in spec.space.parameters}
    assert values["activation"] == {"relu", "sigmoid", "tanh"}
    assert values["batch_norm"] == {True, False}
    assert values["initializer"] == {"glorot_uniform", "he_uniform"}
    assert values["optimizer"] == {"adam", "sgd"}
    assert values["nesterov"] == {True, False}
    assert {"constant", "inverse_time"} <= values["schedule"]
    assert by_name["learning_rate"].domain == Float(1e-4, 1e-1, log=True)
    assert (min(values["dropout"]), max(values["dropout"])) == (0.0, 0.5)
    assert (min(values["batch_size"]), max(values["batch_size"])) == (32, 1024)
    assert spec.dataset.name == "fashion-mnist"


def test_the_wide_cnn_space_has_its_own_values_for_each_of_1_to_3_layers() -> None:
    values = searched(shipped("cnn-fashion-wide").space)
    assert values["conv_layers"] == {1, 2, 3}
    assert values["dense_layers"] == {0, 1, 2}
    for number in (1, 2, 3):
        assert values[f"conv.{number}.filters"] == {32, 64, 128, 256}
        assert values[f"conv.{number}.kernel"] == {3, 5}
        assert values[f"conv.{number}.stride"] == {1, 2}
        assert values[f"conv.{number}.pool"] == {"max", "average", "none"}
    for number in (1, 2):
        assert {32, 64, 128, 256} <= values[f"dense.{number}.units"]


COMMON: dict[str, Scalar] = {
    "optimizer": "adam",
    "schedule": "constant",
    "activation": "relu",
    "batch_norm": False,
    "initializer": "glorot_uniform",
    "dropout": 0.0,
    "learning_rate": 0.001,
    "conv.padding": "same",
}


def cnn_row(
    filters: list[int], kernels: list[int], units: list[int], **others: Scalar
) -> dict[str, Scalar]:
    row = {**COMMON, "conv_layers": len(filters), "dense_layers": len(units), "batch_size": 64}
    for number, (count, kernel) in enumerate(zip(filters, kernels, strict=True), start=1):
        row |= {f"conv.{number}.filters": count, f"conv.{number}.kernel": kernel}
        row |= {f"conv.{number}.stride": others.pop(f"stride_{number}", 1)}
        row |= {f"conv.{number}.pool": others.get("pool", "max")}
    row |= {f"dense.{number}.units": count for number, count in enumerate(units, start=1)}
    return row | others


@pytest.mark.parametrize(
    "row",
    [
        cnn_row([32, 32], [3, 3], [128]),  # D0 baseline
        cnn_row([64, 64], [5, 5], [128], dropout=0.5, learning_rate=0.0001),  # D0 tuned
        cnn_row([32, 64], [3, 5], [128]),  # D1 relu
        cnn_row([32, 64], [3, 5], [128], activation="sigmoid", batch_norm=True),  # D1 sigmoid
        cnn_row(
            [32, 64], [5, 5], [128, 64], pool="average", stride_1=2, stride_2=2, batch_size=1024
        ),
        cnn_row([32, 64], [3, 3], []),  # D3
        cnn_row([32], [3], [], batch_size=32),  # D4's ten, from the smallest ...
        cnn_row([64, 128, 256], [3, 3, 3], [256], batch_size=32),  # ... to the largest
        cnn_row([128, 64], [3, 5], [], stride_2=2, learning_rate=0.01, dropout=0.2),  # D4's best
    ],
)
def test_every_cnn_of_the_write_ups_is_in_the_wide_space(row: dict[str, Scalar]) -> None:
    spec = shipped("cnn-fashion-wide")
    assert contains(spec.space, row)
    assert isinstance(spec.configuration(spec.space.replay(row)), Configuration)


@pytest.mark.parametrize("units", [[64], [128], [128, 64], [256, 128], [64] * 3, [128] * 3, [256]])
@pytest.mark.parametrize(
    "training",
    [
        {"optimizer": "sgd", "momentum": 0.8, "nesterov": True, "learning_rate": 0.01},
        {"initializer": "he_uniform", "optimizer": "sgd", "momentum": 0.8, "nesterov": True},
        {"schedule": "inverse_time"},
        {"dropout": 0.2, "learning_rate": 0.01},
        {"batch_size": 100},
    ],
)
def test_every_mlp_of_the_write_ups_is_in_the_wide_space(
    units: list[int], training: dict[str, Scalar]
) -> None:
    row = {**COMMON, "dense_layers": len(units), "batch_size": 32, **training}
    row |= {f"dense.{number}.units": count for number, count in enumerate(units, start=1)}
    assert contains(shipped("mlp-fashion-wide").space, row)


@pytest.mark.parametrize(
    "change", [{"batch_size": 31}, {"dropout": 0.55}, {"learning_rate": 0.2}, {"conv_layers": 4}]
)
def test_a_row_outside_the_wide_space_is_not_in_it(change: dict[str, Scalar]) -> None:
    row = cnn_row([32, 64], [3, 5], [128]) | change
    assert not contains(
        shipped("cnn-fashion-wide").space,
        row
        | {"conv.3.filters": 32}
        | {"conv.3.kernel": 3, "conv.3.stride": 1, "conv.3.pool": "max"},
    )
