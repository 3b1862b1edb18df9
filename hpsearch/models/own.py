"""The user's own networks: their code imported and called, and what it returns checked.

    module = build_own_network(network, image_shape=(1, 28, 28), num_classes=10)

The function is called as `function(image_shape, num_classes, **parameters)`. While it is imported
and called, its folder comes first on `sys.path`, as a script's does, and no `__pycache__` is left.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hpsearch.errors import HpsearchError, ModelError
from hpsearch.models.source import Source, find_source
from hpsearch.ownmodel import OwnNetwork
from hpsearch.text import one_line

_NUM_IMAGES = 2  # sent through a new network, to see what comes out


# our own imports, by module: the source, and what was imported with it from its folder
_imported: dict[str, tuple[Source, list[str]]] = {}


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
    known, with_it = _imported.get(source.module, (source, []))
    if known != source:  # another folder's, or edited since: a notebook lives long
        for name in [source.module, *with_it]:
            sys.modules.pop(name, None)
    before = set(sys.modules)
    module = importlib.import_module(source.module)
    if set(sys.modules) - before:
        _imported[source.module] = (source, _from_folder(source.folder, set(sys.modules) - before))
    return module


def _from_folder(folder: Path | None, names: set[str]) -> list[str]:
    """Those modules that lie in a folder."""
    if folder is None:
        return []
    found = []
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        if file is None or Path(file).is_relative_to(folder):
            found.append(name)
    return found


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
        return do()
    except (HpsearchError, MemoryError, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:  # a script's sys.exit() must not end the search
        what = one_line(f"{type(error).__name__}: {error}")
        where = _line_of(error)
        raise ModelError(f"model {network.function!r}: {doing} raised {what}{where}") from error


def _line_of(error: BaseException) -> str:
    """The line of the innermost file that is neither ours nor a library's."""
    traceback, line = error.__traceback__, ""
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if not {"site-packages", "hpsearch"} & set(file.parts) and file.suffix == ".py":
            line = f" ({file.name}, line {traceback.tb_lineno})"
        traceback = traceback.tb_next
    return line
