"""A trained network as an ONNX file, which programs without PyTorch can load.

    agreement = export_onnx(path, classifier, spec=spec, data_dir=data_dir)

The file's input `images` is (batch, C, H, W) float in [0, 1], its output `logits` or
`probabilities` (batch, classes). Class names and preparation are in its metadata. It takes its
place only if onnxruntime computes from it what PyTorch computes. Needs `hpsearch[onnx]`.
"""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

import hpsearch
from hpsearch.errors import RunFailedError, UserError
from hpsearch.evaluate import Agreement, compare_outputs
from hpsearch.output import write_bytes
from hpsearch.pictures import Preparation
from hpsearch.spec import StudySpec
from hpsearch.text import one_line
from hpsearch.trained import Classifier

if TYPE_CHECKING:
    from onnx import ModelProto

TOLERANCE = 1e-4  # of the largest output, or of 1
INPUT = "images"

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


class _Probabilities(nn.Module):
    """A classifier with a softmax after it."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(images)
        return logits.softmax(1)


def export_onnx(
    path: Path,
    classifier: Classifier,
    *,
    spec: StudySpec,
    data_dir: Path,
    as_probabilities: bool = False,
) -> Agreement:
    """Write a classifier to a file, whole or not at all, once its outputs are PyTorch's.

    Args:
        path: the file.
        classifier: one network, or several as one.
        spec: its study, for the test images that the outputs are compared on.
        data_dir: where those are.
        as_probabilities: give the classes' probabilities instead of logits.

    Raises:
        UserError: the extra `onnx` is not installed, or the file cannot be written.
        DataError: the test images are missing or damaged.
        RunFailedError: the network cannot be exported, or onnxruntime computes something else.
    """
    check_packages()
    module = _Probabilities(classifier) if as_probabilities else classifier
    output = "probabilities" if as_probabilities else "logits"
    model = _to_onnx(module, image_shape=classifier.image_shape, output=output)
    _describe(model, _metadata(classifier))
    content = model.SerializeToString()
    agreement = compare_outputs(spec, module, _OnnxRuntime(content), data_dir=data_dir)
    if not agreement.difference <= TOLERANCE * max(1.0, agreement.largest):
        raise RunFailedError(
            f"{path} was not written: onnxruntime's {output} differ from PyTorch's by up to "
            f"{agreement.difference:.2g}, more than {TOLERANCE:g} of the largest"
        )
    write_bytes(path, content)
    return agreement


def check_packages() -> None:
    """See that the optional packages are there.

    Raises:
        UserError: one is not.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(f"{', '.join(missing)} not installed; pip install 'hpsearch[onnx]'")


def _to_onnx(module: nn.Module, *, image_shape: tuple[int, int, int], output: str) -> "ModelProto":
    images = torch.zeros(2, *image_shape)  # of more than one, or the batch would be fixed at one
    said = io.StringIO()  # the exporter prints, and stdout belongs to the command's result
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            _silent_loggers(),
            torch.inference_mode(False),
        ):
            warnings.simplefilter("ignore")  # of the exporter's own deprecated calls
            program = torch.onnx.export(
                module,
                (images,),
                dynamo=True,
                input_names=[INPUT],
                output_names=[output],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise RunFailedError(f"the network cannot be exported to ONNX: {_cause(error)}") from None
    assert program is not None
    return program.model_proto


@contextlib.contextmanager
def _silent_loggers() -> Iterator[None]:
    """PyTorch logs whole graphs of what it cannot export; the exception says what is wrong."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _cause(error: BaseException) -> str:
    """The first words of the innermost error."""
    while error.__cause__ is not None:
        error = error.__cause__
    words = str(error).strip().splitlines() or [""]
    return one_line(f"{type(error).__name__}: {words[0]}")


def _metadata(classifier: Classifier) -> dict[str, str]:
    return {
        "class_names": json.dumps(classifier.class_names, ensure_ascii=False),
        "preparation": f"{Preparation(classifier.image_shape).describe()}, levels divided by 255",
        "dataset": classifier.dataset,
        "study": classifier.study,
        "trial": str(classifier.trial),
        "seeds": json.dumps(classifier.seeds),
        "configuration": classifier.configuration.model_dump_json(),
    }


def _describe(model: "ModelProto", metadata: Mapping[str, str]) -> None:
    from onnx import helper

    helper.set_model_props(model, dict(metadata))
    model.producer_name, model.producer_version = "hpsearch", hpsearch.__version__


class _OnnxRuntime:
    """A file's content, computed by onnxruntime on the CPU."""

    def __init__(self, content: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # errors
        self._session: Any = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, images: Tensor) -> Tensor:
        (outputs,) = self._session.run(None, {INPUT: images.numpy()})
        return torch.from_numpy(outputs)


def describe_agreement(agreement: Agreement) -> str:
    """How near the two are, in a line."""
    return (
        f"onnxruntime {version('onnxruntime')} and PyTorch {torch.__version__} differ by at most "
        f"{agreement.difference:.2g} on {agreement.num_images:,} test images, "
        f"in outputs of up to {agreement.largest:.3g}"
    )
