"""The structure of the package: layers, the wall before the test set, light imports."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import hpsearch

PACKAGE = Path(hpsearch.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# from the bottom up; a folder stands for all in it
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "commandline",
        "durations",
        "errors",
        "frozen",
        "space",
        "records",
        "mistakes",
        "text",
        "times",
    ),
    (
        "algorithms",
        "architecture",
        "augmentation",
        "catalogue",
        "commandline",
        "configuration",
        "entries",
        "fixedset",
        "home",
        "ownmodel",
        "spacefile",
        "spec",
        "studytables",
    ),
    ("data", "devices", "environment", "models", "predictions"),
    ("studyparser",),
    ("studyfiles",),
    ("collection",),
    ("training", "storage"),
    ("executors", "interruption"),
    ("dispatcher", "modelcode", "proposals", "pruners", "samplers", "session", "search", "study"),
    ("measures", "evaluate", "pictures", "replay", "trained"),
    ("progress", "output", "report"),
    ("onnxfile", "predict", "resultfile"),
    ("predicted",),
    ("figures", "inspection"),
    ("pages",),
    ("dashboard",),
    ("run",),
    ("run_view",),
    ("notebook",),
    ("__init__",),  # imports when asked for a name
    ("commands",),
    ("cli",),
    ("__main__",),
)
# who may import a package that one layer owns
OWNERS: dict[str, tuple[str, ...]] = {
    "optuna": (
        "storage",
        "dashboard",
        "figures",
        "proposals",
        "pruners",
        "report",
        "samplers",
        "search",
        "study",
    ),
    "scipy": ("figures", "report"),
    "sqlalchemy": ("storage",),
    "torch": (
        "data",
        "devices",
        "models",
        "training",
        "executors",
        "evaluate",
        "inspection",
        "measures",
        "onnxfile",
        "predict",
        "resultfile",
        "trained",
    ),
    "torchvision": ("data",),
    "typer": ("cli", "commands", "output"),
    "jinja2": ("pages",),
    "plotly": ("dashboard", "figures", "notebook", "pages"),
}


def module_of(path: Path) -> str:
    """hpsearch/data/files.py -> data.files; a package -> its folder's name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_of(path): ast.parse(path.read_text()) for path in FILES}


def top(module: str) -> str:
    return module.partition(".")[0]


def layer(module: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if top(module) in names)


def imported(tree: ast.Module) -> set[str]:
    """Every module that is imported anywhere in a file, by its full name."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imported_here(module: str) -> set[str]:
    """The files of the package that a file imports."""
    names = {name.removeprefix("hpsearch.") for name in imported(MODULES[module])}
    return {name for name in names if name in MODULES} - {module}


def references(tree: ast.Module) -> set[str]:
    """Every name, attribute, imported name and text in a file."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def test_every_file_has_a_layer() -> None:
    listed = {name for names in LAYERS for name in names}
    assert {top(module) for module in MODULES} == listed


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_file_imports_only_from_its_own_layer_or_those_above_it(module: str) -> None:
    too_low = {name for name in imported_here(module) if layer(name) > layer(module)}
    assert not too_low


def test_no_file_imports_itself_through_others() -> None:
    graph = {module: imported_here(module) for module in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


@pytest.mark.parametrize("package", sorted(OWNERS))
def test_a_package_is_imported_only_by_the_layers_that_own_it(package: str) -> None:
    importers = {
        top(module)
        for module, tree in MODULES.items()
        if any(top(name) == package for name in imported(tree))
    }
    assert importers <= set(OWNERS[package])


def test_nothing_but_evaluate_reaches_the_test_set() -> None:
    loaders = {"read_test", "_read", "_read_digits", "_read_idx", "open_test"}
    reaching = {module for module, tree in MODULES.items() if references(tree) & loaders}
    assert reaching == {"data.files", "evaluate"}
    assert references(MODULES["evaluate"]) & loaders == {"read_test"}


def test_ones_own_test_images_are_opened_by_read_test_alone() -> None:
    functions = {
        node.name: ast.unparse(node)
        for node in MODULES["data.files"].body
        if isinstance(node, ast.FunctionDef)
    }
    assert [name for name, code in functions.items() if "open_test(" in code] == ["read_test"]
    selecting = {
        node.name
        for node in MODULES["data.own"].body
        if isinstance(node, ast.FunctionDef) and "Selection(" in ast.unparse(node)
    }
    assert selecting == {"open_test", "_train"}, "only of a selection are pixels decoded"


def test_of_the_test_set_the_rest_sees_class_counts_only() -> None:
    reaching = {m for m, tree in MODULES.items() if "count_test_classes" in references(tree)}
    assert reaching == {"data.summary"}
    (function,) = (
        node
        for node in MODULES["data.files"].body
        if isinstance(node, ast.FunctionDef) and node.name == "count_test_classes"
    )
    assert function.returns is not None
    assert ast.unparse(function.returns) == "list[int]"
    used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    assert used & {"TEST_IMAGES", "TEST_LABELS", "_FILES"} == {"TEST_LABELS"}
    assert not used & {"read_test", "_read", "_read_digits"}


def test_the_training_images_are_read_without_the_test_images() -> None:
    functions = {
        node.name: ast.unparse(node)
        for node in MODULES["data.files"].body
        if isinstance(node, ast.FunctionDef)
    }
    callers = {name for name, code in functions.items() if "_read(info" in code.split(":", 1)[1]}
    assert callers == {"read_train", "read_test"}
    assert "_read(info, data_dir, train=True)" in functions["read_train"]
    assert not any("read_test(" in code for name, code in functions.items() if name != "read_test")


def test_two_programs_are_compared_on_test_images_without_labels_and_answers() -> None:
    reaching = {m for m, tree in MODULES.items() if "compare_outputs" in references(tree)}
    assert reaching == {"onnxfile"}
    parts = {getattr(node, "name", ""): node for node in MODULES["evaluate"].body}
    function, agreement = parts["compare_outputs"], parts["Agreement"]
    assert isinstance(function, ast.FunctionDef)
    assert function.returns is not None
    assert ast.unparse(function.returns) == "Agreement"
    assert "images, _ = read_test(" in ast.unparse(function)
    assert isinstance(agreement, ast.ClassDef)
    fields = {ast.unparse(n) for n in agreement.body if isinstance(n, ast.AnnAssign)}
    assert fields == {"num_images: int", "difference: float", "largest: float"}


def test_only_run_asks_for_the_reading_of_the_test_set() -> None:
    reaching = {module for module, tree in MODULES.items() if "read_test_set" in references(tree)}
    assert reaching == {"run"}


@pytest.mark.parametrize(
    "code",
    [
        "import hpsearch.cli",
        "import sys; sys.argv = ['hpsearch', '--help']\n"
        "from hpsearch.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code",
    ],
    ids=["import", "--help"],
)
def test_the_command_line_answers_without_torch_and_optuna(code: str) -> None:
    heavy = "{'torch', 'torchvision', 'optuna', 'sqlalchemy', 'sklearn', 'plotly', 'jinja2'}"
    check = f"{code}\nimport sys; sys.exit(str(sorted({heavy} & sys.modules.keys()) or ''))"
    end = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert end.stderr.strip() == ""


def test_what_only_reads_the_database_does_not_import_torch() -> None:
    readers = ["report.status", "report.top", "report.terminal", "report.tested", "report.listing"]
    readers += ["report.compared", "report.comparison", "report.contenders"]
    readers += ["figures.study_figures", "figures.files"]
    check = "\n".join(
        [
            "import sys",
            *(f"import hpsearch.{name}" for name in readers),
            "assert 'torch' not in sys.modules",
        ]
    )
    end = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert end.returncode == 0, end.stderr


def test_a_run_begins_without_what_its_plots_need() -> None:
    late = "{'plotly', 'optuna_dashboard', 'torch', 'sklearn', 'jinja2', 'PIL'}"
    code = f"import sys, hpsearch.run; sys.exit(str(sorted({late} & sys.modules.keys()) or ''))"
    end = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert end.stderr.strip() == ""


def test_what_a_search_writes_for_the_dashboard_is_made_without_scikit_learn() -> None:
    used = ["artifacts", "attributes", "board", "drawings", "note", "plots"]
    code = "\n".join(
        [
            "import sys",
            *(f"import hpsearch.dashboard.{name}" for name in used),
            "heavy = {'torch', 'sklearn', 'optuna_dashboard'} & sys.modules.keys()",
            "sys.exit(str(sorted(heavy) or ''))",
        ]
    )
    end = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert end.stderr.strip() == ""
