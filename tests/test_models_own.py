import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from made_models import GOOD, WRITTEN_OUT, write_model
from torch import nn

from hpsearch.errors import InfeasibleConfigurationError, ModelError
from hpsearch.models.layer_table import layer_table
from hpsearch.models.network import build_network, num_parameters
from hpsearch.models.own import build_own_network
from hpsearch.models.source import find_source
from hpsearch.ownmodel import OwnNetwork, own_network
from hpsearch.space import Scalar

SHAPE = (1, 8, 8)


@pytest.fixture(autouse=True)
def only_these_imports() -> Iterator[None]:
    before, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("own_", "helper")):
            del sys.modules[name]
    assert sys.path == path


def network(folder: Path, name: str = "own_models:build", **values: Scalar) -> OwnNetwork:
    return own_network(values, function=name, folder=str(folder))


def build(folder: Path, name: str = "own_models:build", **values: Scalar) -> nn.Module:
    return build_own_network(network(folder, name, **values), image_shape=SHAPE, num_classes=10)


def test_the_function_gets_shape_classes_and_parameters(tmp_path: Path) -> None:
    write_model(tmp_path)
    module = build(tmp_path, width=3, **{"units.1": 6, "units.2": 5})
    by_hand = (9 * 3 + 3) + (3 * 16 * 6 + 6) + (6 * 5 + 5) + (5 * 10 + 10)
    assert num_parameters(module) == by_hand
    assert module.training


def test_weights_are_those_of_the_seed_also_at_the_first_import(tmp_path: Path) -> None:
    write_model(tmp_path, "import torch\ntorch.rand(9)\n" + dedent(GOOD))
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        found.append(build(tmp_path).state_dict()["0.weight"])
    assert torch.equal(*found)


def test_the_study_files_folder_comes_before_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, current = tmp_path / "study", tmp_path / "current"
    here = write_model(current)
    monkeypatch.chdir(current)
    assert find_source(network(study)).file == here
    there = write_model(study)
    assert find_source(network(study)).file == there


def test_a_module_in_a_package_and_an_installed_one_are_found(tmp_path: Path) -> None:
    file = write_model(tmp_path / "own_package" / "deep", name="nets")  # without __init__.py
    assert find_source(network(tmp_path, "own_package.deep.nets:build")).file == file
    assert num_parameters(build(tmp_path, "own_package.deep.nets:build", width=1)) > 0
    installed = find_source(network(tmp_path, "torchvision.models:resnet18"))
    assert installed.folder is None
    assert installed.file.parts[-3:] == ("torchvision", "models", "__init__.py")


def test_to_find_code_runs_none_of_it(tmp_path: Path) -> None:
    write_model(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')")
    find_source(network(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_helpers_beside_the_module_are_imported_and_nothing_is_left_behind(tmp_path: Path) -> None:
    write_model(tmp_path, "WIDTH = 5", name="helper_widths")
    write_model(tmp_path, dedent(GOOD).replace("width=8", "width=helper_widths.WIDTH")
                .replace("import torch", "import torch\nimport helper_widths", 1))  # fmt: skip
    assert build(tmp_path).state_dict()["0.weight"].shape == (5, 1, 3, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["helper_widths.py", "own_models.py"]


def test_an_edited_file_and_another_folders_are_imported_anew(tmp_path: Path) -> None:
    for folder, width in (("a", 5), ("a", 6), ("b", 7)):
        write_model(tmp_path / folder, GOOD.replace("width=8", f"width={width}"))
        assert build(tmp_path / folder).state_dict()["0.weight"].shape[0] == width


def test_two_functions_of_a_file_share_one_import(tmp_path: Path) -> None:
    write_model(tmp_path, dedent(GOOD) + "other = build\n")
    build(tmp_path)
    first = sys.modules["own_models"]
    build(tmp_path, "own_models:other")
    assert sys.modules["own_models"] is first


def test_an_edited_models_helpers_are_imported_anew_with_it(tmp_path: Path) -> None:
    for width in (5, 6):
        write_model(tmp_path, f"WIDTH = {width}", name="helper_widths")
        code = dedent(GOOD).replace("width=8", "width=helper_widths.WIDTH")
        write_model(tmp_path, f"import helper_widths  # {width}\n{code}")
        assert build(tmp_path).state_dict()["0.weight"].shape[0] == width


def test_what_a_model_prints_is_kept_from_the_commands_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = dedent(GOOD).replace("    channels,", "    print('building')\n    channels,", 1)
    write_model(tmp_path, f"print('importing')\n{code}")
    build(tmp_path)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "importing\nbuilding\n")


def test_a_model_may_refuse_a_configuration(tmp_path: Path) -> None:
    code = """
        from hpsearch.errors import InfeasibleConfigurationError
        def build(image_shape, num_classes, **parameters):
            raise InfeasibleConfigurationError("too deep for 8 pixels")
    """
    write_model(tmp_path, code)
    with pytest.raises(InfeasibleConfigurationError, match="too deep"):
        build(tmp_path)


def returning(what: str) -> str:
    return f"from torch import nn\nimport torch\ndef build(s, n):\n    return {what}\n"


BAD = {
    "syntax": ("def build(:", r"importing \S+own_models\.py raised SyntaxError"),
    "import": ("import nowhere_at_all", r"ModuleNotFoundError.* \(own_models\.py, line 1\)"),
    "exit": ("import sys\nsys.exit(3)", r"raised SystemExit: 3 \(own_models\.py, line 2\)"),
    "no function": ("x = 1", r"own_models\.py has no 'build'"),
    "not callable": ("build = 3", r"'build' is no function: a int"),
    "arguments": ("def build(): pass", r"build\(\(1, 8, 8\), 10\) raised TypeError"),
    "raises": ("def build(s, n):\n    1 / 0", r"ZeroDivisionError.*\(own_models\.py, line 2\)"),
    "no module": (returning("'net'"), r"returned no torch\.nn\.Module: a str"),
    "a class": (returning("nn.Linear"), r"returned no torch\.nn\.Module: a type"),
    "does not fit": (returning("nn.Linear(3, n)"), r"images of \(2, 1, 8, 8\) raised RuntimeError"),
    "wrong shape": (
        returning("nn.Sequential(nn.Flatten(), nn.Linear(64, n + 1))"),
        r"makes \(2, 11\) of images of \(2, 1, 8, 8\); it should be one number a class: \(2, 10\)",
    ),
    "not images": (returning("nn.LSTM(8, n)"), r"raised ValueError: LSTM"),
    "a tuple": (
        "from torch import nn\nclass N(nn.Linear):\n  def forward(self, x):\n"
        "    return super().forward(x.flatten(1)), x\ndef build(s, n):\n  return N(64, n)",
        r"makes no tensor of numbers: a tuple",
    ),
    "whole numbers": (
        "from torch import nn\nclass N(nn.Module):\n  def forward(self, x):\n"
        "    return x.flatten(1)[:, :10].long()\ndef build(s, n):\n  return N()",
        r"no tensor of numbers: torch\.int64",
    ),
    "nothing to train": (
        "from torch import nn\nclass N(nn.Module):\n  def forward(self, x):\n"
        "    return x.flatten(1)[:, :10]\ndef build(s, n):\n  return N()",
        r"has no parameter that can be trained",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_model_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    code, message = BAD[name]
    write_model(tmp_path, code)
    with pytest.raises(ModelError, match=message) as caught:
        build(tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith("model 'own_models:build'")


def test_a_module_that_is_nowhere_is_told_with_the_places(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"no module 'own_models' in {tmp_path}, .*installed"):
        build(tmp_path)


def test_a_name_that_python_uses_itself_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, name="random")
    with pytest.raises(ModelError, match=r"has the name 'random' already; rename the file"):
        build(tmp_path, "random:build")
    assert sys.modules["random"].__file__ != str(tmp_path / "random.py")


def test_an_own_networks_layers_are_counted_once_each(tmp_path: Path) -> None:
    write_model(tmp_path, WRITTEN_OUT)
    module = build_network(network(tmp_path, width=4), image_shape=SHAPE, num_classes=10)
    rows = {row.name: row for row in layer_table(module, image_shape=SHAPE)}
    assert [*rows] == ["conv", "norm", "one", "two", "three", "drop", "out", "Net", "unused"]
    assert rows["conv"].output_shape == (4, 8, 8)
    assert (rows["norm"].parameters, rows["norm"].trainable) == (16, 8)
    assert (rows["two"].parameters, rows["three"].parameters) == (16 * 16 + 16, 16)
    assert (rows["Net"].parameters, rows["Net"].trainable) == (1, 0), "the frozen scale"
    assert rows["unused"].output_shape == ()
    assert sum(row.trainable for row in rows.values()) == num_parameters(module)
    assert module.training
