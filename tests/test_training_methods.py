import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
import torch
from made_data import prepare_digits
from made_plans import CNN, CPU, MLP, make_plan, start, without_times
from torch import nn

from hpsearch.configuration import resolve
from hpsearch.data.tensors import load_device_data
from hpsearch.models.network import build_network
from hpsearch.records import Method
from hpsearch.space import Scalar
from hpsearch.training.checkpoint import load_checkpoint, save_checkpoint
from hpsearch.training.epochs import Training
from hpsearch.training.methods import candidate_methods, choose_method, fastest

Values = Mapping[str, Scalar]
BLOCKABLE = {"conv.filters": 16, "dense.units": 8}
CUDA = torch.device("cuda")


def build(values: Values, *, model: str) -> nn.Sequential:
    network = resolve(values, model=model).network  # type: ignore[arg-type]
    return build_network(network, image_shape=(1, 8, 8), num_classes=10)


def with_bf16(monkeypatch: pytest.MonkeyPatch, *, supported: bool) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: supported, raising=False)


@pytest.mark.parametrize(
    ("model", "values", "precision", "method"),
    [
        ("mlp", {}, "fp32", "fp32, contiguous, written-out"),
        ("mlp", {"dropout": 0.5, "activation": "tanh"}, "fp32", "fp32, contiguous, written-out"),
        ("mlp", {"batch_norm": True}, "fp32", "fp32, contiguous, autograd"),
        ("mlp", {"output.batch_norm": True}, "fp32", "fp32, contiguous, autograd"),
        ("mlp", {}, "bf16", "bf16, contiguous, autograd"),
        ("cnn", BLOCKABLE, "fp32", "fp32, blocked, autograd"),
        ("cnn", {"conv.filters": 8}, "fp32", "fp32, channels-last, autograd"),
        ("cnn", BLOCKABLE, "bf16", "bf16, channels-last, autograd"),
    ],
)
def test_on_a_cpu_the_network_decides(
    model: str, values: Values, precision: str, method: str
) -> None:
    module = build(values, model=model)
    candidates = candidate_methods(module, precision=precision, device=CPU)  # type: ignore[arg-type]
    assert [str(candidate) for candidate in candidates] == [method]


def test_auto_tries_bf16_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    module = build(BLOCKABLE, model="cnn")
    with_bf16(monkeypatch, supported=True)
    assert candidate_methods(module, precision="auto", device=CPU) == [
        Method("fp32", "blocked", "autograd"),
        Method("bf16", "channels-last", "autograd"),
    ]
    with_bf16(monkeypatch, supported=False)
    assert candidate_methods(module, precision="auto", device=CPU) == [
        Method("fp32", "blocked", "autograd")
    ]


@pytest.mark.parametrize(("precision", "kept"), [("fp32", "fp32"), ("auto", "fp32")])
@pytest.mark.parametrize("device", [CPU, CUDA])
def test_plain_is_what_pytorch_does_unasked(
    precision: str, kept: str, device: torch.device
) -> None:
    module = build(BLOCKABLE, model="cnn")
    methods = candidate_methods(module, precision=precision, device=device, plain=True)  # type: ignore[arg-type]
    assert [str(method) for method in methods] == [f"{kept}, contiguous, autograd"]


def test_on_a_gpu_layouts_and_captured_steps_are_tried_in_each_allowed_precision() -> None:
    cnn, mlp = build(BLOCKABLE, model="cnn"), build({}, model="mlp")
    fp32 = candidate_methods(cnn, precision="fp32", device=CUDA)
    assert [str(method) for method in fp32] == [
        "fp32, contiguous, autograd",
        "fp32, contiguous, captured",
        "fp32, channels-last, autograd",
        "fp32, channels-last, captured",
    ]
    assert len(candidate_methods(cnn, precision="auto", device=CUDA)) == 8
    assert [str(m) for m in candidate_methods(mlp, precision="bf16", device=CUDA)] == [
        "bf16, contiguous, autograd",
        "bf16, contiguous, captured",
    ]


A, B, C = (
    Method("fp32", "contiguous", "autograd"),
    Method("fp32", "contiguous", "captured"),
    Method("bf16", "contiguous", "captured"),
)


@pytest.mark.parametrize(
    ("times", "choice"),
    [
        ({A: 1.0, B: 0.5, C: 0.6}, B),
        ({A: 1.0, B: 0.8, C: 0.6}, C),
        ({A: 1.0, B: 0.95, C: 0.91}, A),  # not worth the other rounding
        ({A: 1.0, B: 2.0, C: 3.0}, A),
    ],
)
def test_another_method_must_save_a_tenth(times: Mapping[Method, float], choice: Method) -> None:
    assert fastest([A, B, C], times.__getitem__) == choice


def test_a_single_candidate_is_not_timed() -> None:
    assert fastest([A], {}.__getitem__) == A


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        (B, "operation not permitted when stream is capturing"),
        (Method("bf16", "contiguous", "autograd"), "not implemented for 'BFloat16'"),
    ],
)
def test_a_method_that_does_not_work_here_is_left_out_with_a_warning(
    failing: Method, message: str
) -> None:
    def seconds(method: Method) -> float:
        if method == failing:
            raise RuntimeError(message)
        return {A: 1.0, C: 0.5}[method]

    with pytest.warns(UserWarning, match=f"left out.*{failing}: {message}"):
        assert fastest([A, failing, C], seconds) == C


def out_of_memory_while_recording() -> RuntimeError:
    error = RuntimeError("operation failed due to a previous error during capture")
    error.__context__ = torch.OutOfMemoryError("CUDA out of memory")
    return error


@pytest.mark.parametrize(
    ("failing", "error"),
    [
        (A, RuntimeError("no kernel")),  # the usual method
        (C, torch.OutOfMemoryError("CUDA out of memory")),
        (B, out_of_memory_while_recording()),
    ],
)
def test_other_failures_are_the_trainings_own(failing: Method, error: RuntimeError) -> None:
    def seconds(method: Method) -> float:
        if method == failing:
            raise error
        return 1.0

    with pytest.raises(type(error)), warnings.catch_warnings():
        fastest([A, failing], seconds)


def test_trying_methods_leaves_the_network_as_it_is() -> None:
    values = {**CNN, "batch_norm": True}
    module = build(values, model="cnn").eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    candidates = [
        Method("fp32", "contiguous", "autograd"),
        Method("fp32", "channels-last", "autograd"),
    ]
    batch = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 0, 1])
    chosen = choose_method(module, resolve(values, model="cnn"), candidates, batch)
    assert chosen in candidates
    assert not module.training
    assert all(p.grad is None for p in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(("model", "values"), [("mlp", MLP), ("cnn", BLOCKABLE)])
def test_a_training_goes_on_by_the_method_it_began_with(
    tmp_path: Path, model: str, values: Values
) -> None:
    training_set = prepare_digits(tmp_path)
    plan = make_plan(training_set, values, model=model)  # type: ignore[arg-type]
    unbroken = start(plan)
    expected = without_times(list(unbroken.epochs()))
    broken = start(plan)
    next(broken.epochs())
    save_checkpoint(tmp_path / "x.pt", broken, plan=plan.fingerprint)
    data = load_device_data(training_set, device=CPU)
    resumed = Training(plan, data, device=CPU, plain=True)
    assert resumed.method != unbroken.method
    assert load_checkpoint(tmp_path / "x.pt", resumed, plan=plan.fingerprint, device=CPU)
    assert resumed.method == unbroken.method
    assert without_times([*broken.history, *resumed.epochs()]) == expected


@pytest.mark.parametrize(("model", "values"), [("mlp", MLP), ("cnn", BLOCKABLE)])
def test_a_plain_training_differs_in_its_last_digits_only(
    tmp_path: Path, model: str, values: Values
) -> None:
    training_set = prepare_digits(tmp_path)
    plan = make_plan(training_set, values, model=model)  # type: ignore[arg-type]
    data = load_device_data(training_set, device=CPU)
    plain = Training(plan, data, device=CPU, plain=True)
    assert str(plain.method) == "fp32, contiguous, autograd"
    for one, two in zip(plain.epochs(), start(plan).epochs(), strict=True):
        assert one.loss == pytest.approx(two.loss, rel=1e-3)
        assert one.val_loss == pytest.approx(two.val_loss, rel=1e-3)


@pytest.mark.parametrize(("model", "values"), [("mlp", MLP), ("cnn", BLOCKABLE)])
def test_a_training_of_another_kind_of_device_goes_on_by_a_method_of_this_one(
    tmp_path: Path, model: Literal["mlp", "cnn"], values: Values
) -> None:
    plan = make_plan(prepare_digits(tmp_path), values, model=model)
    data = load_device_data(plan.training_set, device=CPU)
    elsewhere, here = Training(plan, data, device=CPU, plain=True), start(plan)
    next(elsewhere.epochs())
    state = elsewhere.state() | {"device": "cuda", "method": {"step": "captured"}}
    method = here.method
    here.load_state(state)
    assert here.method == method != elsewhere.method
    one, two = list(elsewhere.epochs()), list(here.epochs())
    assert [m.epoch for m in two] == [2, 3]
    assert [m.loss for m in two] == pytest.approx([m.loss for m in one], rel=1e-3)
