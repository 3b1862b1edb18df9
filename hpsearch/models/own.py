"""The user's own networks: their code imported and called, and what it returns checked.

    module = build_own_network(network, image_shape=(1, 28, 28), num_classes=10)

The function is called as `function(image_shape, num_classes, **parameters)`. While it is imported
and called, its folder comes first on `sys.path`, as a script's does, and no `__pycache__` is left.
"""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import hpsearch
from hpsearch.errors import HpsearchError, ModelError
from hpsearch.models.memory import is_out_of_memory
from hpsearch.models.source import Source, find_source
from hpsearch.ownmodel import OwnNetwork
from hpsearch.text import error_text

_NUM_IMAGES = 2  # sent through a new network, to see what comes out
_PACKAGE = Path(hpsearch.__file__).parent
_LIBRARIES = frozenset({"site-packages", "dist-packages"})
_STANDARD_LIBRARY = Path(os.__file__).parent


class _Import(NamedTuple):
    """A module that was imported here, to be imported anew when its file is another."""

    file: Path
    sha256: str
    names: list[str]  # of what came with it from its folder, itself included


_imported: dict[str, _Import] = {}


def load_function(network: OwnNetwork, source: Source) -> Callable[..., Any]:
    """Import a network's function.

    Raises:
        ModelError: its module does not import, or has no such function.
    """
    # a first import must leave the random numbers to the network that a second one does
    with _first_on_path(source.folder), torch.random.fork_rng(devices=[]):
        module = _told(network, f"importing {source.file}", lambda: _import(source))
    actual = getattr(module, "__file__", None)
    if actual is None or Path(actual).resolve() != source.file.resolve():
        raise ModelError(
            f"model {network.function!r}: {source.file} cannot be imported, for "
            f"{actual or 'Python'} has the name {source.module!r} already; rename the file"
        )
    function = getattr(module, source.function, None)
    if function is None:
        raise ModelError(f"model {network.function!r}: {source.file} has no {source.function!r}")
    if not callable(function):
        problem = f"{source.function!r} is no function: {_kind(function)}"
        raise ModelError(f"model {network.function!r}: {problem}")
    return function  # type: ignore[no-any-return]


def _import(source: Source) -> Any:
    known = _imported.get(source.module)
    if known is not None and known[:2] != (source.file, source.sha256):
        for name in known.names:  # another folder's, or edited since: a notebook lives long
            sys.modules.pop(name, None)
    before = set(sys.modules)
    module = importlib.import_module(source.module)
    new = set(sys.modules) - before
    if source.module in new:
        names = [name for name in new if _is_in(source.folder, sys.modules[name])]
        _imported[source.module] = _Import(source.file, source.sha256, names)
    return module


def _is_in(folder: Path | None, module: ModuleType) -> bool:
    """Whether a module, or a package without a file, is of a folder, and of no library in it."""
    places = [module.__file__] if getattr(module, "__file__", None) else []
    places += list(getattr(module, "__path__", []))[:1]
    return folder is not None and any(
        Path(place).is_relative_to(folder) and not _LIBRARIES & set(Path(place).parts)
        for place in places
        if place
    )


@contextmanager
def _first_on_path(folder: Path | None) -> Iterator[None]:
    before, entry = sys.dont_write_bytecode, str(folder)
    sys.dont_write_bytecode = True
    if folder is not None:
        sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
        if folder is not None and entry in sys.path:
            sys.path.remove(entry)


def build_own_network(
    network: OwnNetwork, *, image_shape: tuple[int, int, int], num_classes: int
) -> nn.Module:
    """Call the network's function, and see that its module makes logits of images.

    Raises:
        InfeasibleConfigurationError: the function says that there is no such network.
        ModelError: it cannot be called, raises, or returns what is no network for such images.
    """
    source = find_source(network)
    function = load_function(network, source)
    parameters = dict(network.parameters)
    with _first_on_path(source.folder):
        doing = f"{source.function}({_arguments(image_shape, num_classes, parameters)})"
        module = _told(network, doing, lambda: function(image_shape, num_classes, **parameters))
    if inspect.iscoroutine(module):
        module.close()  # or Python would warn that nobody waited for it
    if not isinstance(module, nn.Module):
        raise ModelError(f"model {network.function!r} returned no torch.nn.Module: {_kind(module)}")
    _check_output(network, module, image_shape, num_classes)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ModelError(f"model {network.function!r} has no parameter that can be trained")
    return module


def _arguments(*values: object) -> str:
    *plain, parameters = values
    assert isinstance(parameters, dict)
    return ", ".join([*map(str, plain), *(f"{name}={v!r}" for name, v in parameters.items())])


def _check_output(
    network: OwnNetwork, module: nn.Module, image_shape: tuple[int, int, int], num_classes: int
) -> None:
    module.eval()
    shape = (_NUM_IMAGES, *image_shape)
    with torch.no_grad():
        logits = _told(network, f"images of {shape}", lambda: module(torch.zeros(shape)))
    module.train()
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        raise ModelError(f"model {network.function!r} makes no tensor of numbers: {_kind(logits)}")
    if logits.shape != (_NUM_IMAGES, num_classes):
        raise ModelError(
            f"model {network.function!r} makes {tuple(logits.shape)} of images of {shape}; "
            f"it should be one number a class: {(_NUM_IMAGES, num_classes)}"
        )
    for name, value in module.state_dict().items():
        if not isinstance(value, Tensor):
            problem = f"keeps {name!r} in its state_dict, which is no tensor: {_kind(value)}"
            raise ModelError(f"model {network.function!r} {problem}")


def _kind(value: object) -> str:
    return str(value.dtype) if isinstance(value, Tensor) else f"a {type(value).__name__}"


def _told(network: OwnNetwork, doing: str, do: Callable[[], Any]) -> Any:
    """What the user's code returns; what it raises is told as its own mistake."""
    try:
        with _fenced():
            return do()
    except HpsearchError:
        raise
    except (Exception, SystemExit) as error:  # a script's sys.exit() must not end the search
        if is_out_of_memory(error):
            raise
        problem = f"{doing} raised {error_text(error)}{_line_of(error)}"
        raise ModelError(f"model {network.function!r}: {problem}") from error


@contextmanager
def _fenced() -> Iterator[None]:
    """The user's code writes to stderr, stdout being the command's, and leaves us where we are."""
    place = os.getcwd()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)  # what a library of C writes, or a process that it starts
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.chdir(place)


def _line_of(error: BaseException) -> str:
    """The line of the innermost file that is neither ours nor a library's."""
    traceback, line = error.__traceback__, ""
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        is_ours = file.is_relative_to(_PACKAGE) or file.is_relative_to(_STANDARD_LIBRARY)
        is_theirs = not is_ours and not _LIBRARIES & set(file.parts)
        if is_theirs and file.suffix == ".py":
            line = f" ({file.name}, line {traceback.tb_lineno})"
        traceback = traceback.tb_next
    return line
