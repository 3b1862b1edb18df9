import torch

from hpsearch.configuration import resolve
from hpsearch.models.layer_table import LayerRow, layer_table
from hpsearch.models.network import build_network

IMAGE = (1, 28, 28)
D1 = {
    "conv.1.filters": 32,
    "conv.1.kernel": 3,
    "conv.2.filters": 64,
    "conv.2.kernel": 5,
    "dense.units": 128,
}
NORMALISED = {**D1, "activation": "sigmoid", "batch_norm": True, "output.batch_norm": True}


def rows_of(values: dict[str, int | str | bool]) -> dict[str, LayerRow]:
    network = resolve(values, model="cnn").network
    module = build_network(network, image_shape=IMAGE, num_classes=10)
    return {row.name: row for row in layer_table(module, image_shape=IMAGE)}


def test_d1s_table_has_the_published_shapes_and_parameters() -> None:
    rows = rows_of(D1)
    table = {name: (row.output_shape, row.parameters) for name, row in rows.items()}
    published = {
        "conv1": ((32, 28, 28), 320),
        "pool1": ((32, 14, 14), 0),
        "conv2": ((64, 14, 14), 51_264),
        "pool2": ((64, 7, 7), 0),
        "flatten": ((3136,), 0),
        "dense1": ((128,), 401_536),
        "output": ((10,), 1_290),
    }
    assert {name: table[name] for name in published} == published
    assert all(row.trainable == row.parameters for row in rows.values())


def test_batch_norms_running_statistics_are_counted_as_keras_counts_them() -> None:
    rows = rows_of(NORMALISED)
    norms = [(r.parameters, r.trainable) for r in rows.values() if r.kind.startswith("BatchNorm")]
    assert norms == [(128, 64), (256, 128), (512, 256), (40, 20)]


def test_the_rows_stand_in_the_order_of_computation() -> None:
    names = "conv1 pool1 relu1 conv2 pool2 relu2 flatten dense1 relu3 output"
    assert list(rows_of(D1)) == names.split()


def test_the_table_leaves_the_network_as_it_is() -> None:
    network = resolve(NORMALISED, model="cnn").network
    module = build_network(network, image_shape=IMAGE, num_classes=10)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    for mode in (True, False):
        module.train(mode)
        layer_table(module, image_shape=IMAGE)
        assert module.training is mode
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
