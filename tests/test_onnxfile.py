import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import CommandLine
from safetensors.numpy import load_file
from small_studies import run_small, small_study, stored
from torch import Tensor

from hpsearch import onnxfile
from hpsearch.configuration import resolve
from hpsearch.errors import RunFailedError
from hpsearch.evaluate import compare_outputs
from hpsearch.home import Home
from hpsearch.models.network import build_network
from hpsearch.space import Scalar
from hpsearch.trained import Classifier, load_classifier

SPEC = small_study(final={"finalists": 1, "seeds": 2})
needs_onnx = pytest.mark.skipif(
    any(onnxfile.find_spec(name) is None for name in onnxfile._PACKAGES),
    reason="needs the extra onnx",
)


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("onnx"))
    run_small(SPEC, home, test=True)
    return home


@pytest.fixture
def classifier(tested: Home) -> Classifier:
    with stored(tested) as record:
        return load_classifier(record, SPEC, home=tested)


def words(home: Home, *more: object) -> list[str]:
    return ["export-model", "--study", "small", "--home", str(home.root), *map(str, more)]


@needs_onnx
def test_onnxruntime_computes_from_the_file_what_the_weights_say(
    hpsearch: CommandLine, tested: Home, classifier: Classifier, tmp_path: Path
) -> None:
    import onnxruntime

    path = tmp_path / "model.onnx"
    answer = hpsearch(*words(tested, "-o", path, "--probabilities"))
    assert (answer.status, answer.err) == (0, "")
    assert "on 360 test images" in answer.out
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()] == ["probabilities"]
    assert [(one.name, one.shape) for one in session.get_inputs()] == [
        ("images", ["batch", 1, 8, 8])
    ]
    for size in (1, 7):
        images = np.random.default_rng(size).random((size, 1, 8, 8), np.float32)
        shares = []
        for seed in range(2):  # by hand: 8 hidden units and a softmax
            file = tested.artifacts("small") / f"winner-{classifier.trial}-{seed}.safetensors"
            w = load_file(file)
            hidden = images.reshape(size, 64) @ w["dense1.weight"].T + w["dense1.bias"]
            powers = np.exp(np.maximum(hidden, 0) @ w["output.weight"].T + w["output.bias"])
            shares.append(powers / powers.sum(1, keepdims=True))
        (outputs,) = session.run(None, {"images": images})
        assert np.allclose(outputs, np.mean(shares, axis=0), atol=1e-5)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["class_names"]) == list("0123456789")
    assert json.loads(metadata["seeds"]) == [0, 1]
    assert "scaled to 8 x 8 pixels, levels divided by 255" in metadata["preparation"]


LAYERS: dict[str, dict[str, Scalar]] = {
    "average pooling that pads": {"conv.pool": "average", "conv_layers": 3},
    "batch norm, 7 pooled to 4": {"batch_norm": True, "output.batch_norm": True, "conv_layers": 3},
    "uneven padding, dropout": {"conv.kernel": 4, "conv.stride": 2, "dropout": 0.3},
}


@needs_onnx
@pytest.mark.parametrize("name", LAYERS)
def test_every_kind_of_layer_is_the_same_in_onnx(name: str) -> None:
    values: dict[str, Scalar] = {"conv.filters": 4, "dense.units": 16, **LAYERS[name]}
    network = resolve(values, model="cnn").network
    module = build_network(network, image_shape=(1, 28, 28), num_classes=10)
    module(torch.rand(32, 1, 28, 28))  # batch norm has something to remember
    module.eval()
    model = onnxfile._to_onnx(module, image_shape=(1, 28, 28), output="logits")
    images = torch.rand(9, 1, 28, 28)
    with torch.inference_mode():
        expected = module(images)
    found = onnxfile._OnnxRuntime(model.SerializeToString())(images)
    assert torch.allclose(found, expected, atol=1e-5)
    assert expected.std() > 1e-3  # or nothing would differ


@needs_onnx
def test_a_file_that_computes_something_else_is_not_written(
    classifier: Classifier, tested: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("the old one")
    honest = onnxfile._OnnxRuntime.__call__

    def off(self: onnxfile._OnnxRuntime, images: Tensor) -> Tensor:
        return honest(self, images) + 0.1

    monkeypatch.setattr(onnxfile._OnnxRuntime, "__call__", off)
    with pytest.raises(
        RunFailedError, match=r"not written: .* differ from PyTorch's by up to 0\.1"
    ):
        onnxfile.export_onnx(path, classifier, spec=SPEC, data_dir=tested.root)
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_two_programs_are_compared_by_their_largest_difference(tested: Home) -> None:
    seen: list[int] = []

    def one(images: Tensor) -> Tensor:
        seen.append(len(images))
        assert 0 <= images.min() <= images.max() <= 1
        return images.flatten(1)[:, :10]

    def other(images: Tensor) -> Tensor:
        outputs = one(images).clone()
        outputs[-1, 3] -= 0.25
        return outputs

    agreement = compare_outputs(SPEC, one, other, data_dir=tested.root, num_images=100)
    assert (agreement.num_images, agreement.difference) == (100, 0.25)
    assert seen == [100, 100]
    assert agreement.largest <= 1
    nan = compare_outputs(SPEC, one, lambda images: one(images) * torch.nan, data_dir=tested.root)
    assert not nan.difference <= 1e9
    assert nan.num_images == 360
    with stored(tested) as record:
        assert record.num_readings() == 1  # that of the test itself


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (["-o", "nowhere/model.onnx"], "there is no folder nowhere"),
        (["-o", "model.onnx", "--seed", "9"], "no network of seed 9"),
    ],
)
@needs_onnx
def test_a_mistake_is_one_line(
    hpsearch: CommandLine, tested: Home, more: list[str], problem: str
) -> None:
    answer = hpsearch(*words(tested, *more))
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert problem in answer.err


def test_without_the_extra_the_remedy_is_told(
    hpsearch: CommandLine, tested: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxfile, "find_spec", lambda name: None)
    answer = hpsearch(*words(tested, "-o", "model.onnx"))
    assert answer.status == 2
    assert "pip install 'hpsearch[onnx]'" in answer.err
