"""Where the code of the user's own models is: found as Python would, and none of it run.

    source = find_source(network)

A module is looked for in the study file's folder, in the current one, then among the installed.
"""

import hashlib
import importlib
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from hpsearch.errors import ModelError
from hpsearch.ownmodel import OwnNetwork


@dataclass(frozen=True)
class Source:
    """Where a model's code is."""

    module: str
    function: str
    file: Path
    folder: Path | None  # in which it was found; None: installed
    sha256: str  # of the file


def find_source(network: OwnNetwork) -> Source:
    """The file that a network's function is in.

    Raises:
        ModelError: there is none.
    """
    module, _, function = network.function.partition(":")
    importlib.invalidate_caches()
    folders = [Path(network.folder)] if network.folder else []
    for folder in [*folders, Path.cwd(), None]:
        file = _find_file(module, [str(folder)] if folder else sys.path)
        if file is not None:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            return Source(module, function, file, folder, digest)
    places = f"{network.folder}, " if network.folder else ""
    raise ModelError(
        f"model {network.function!r}: no module {module!r} in {places}{Path.cwd()}, "
        "or among the installed"
    )


def _find_file(module: str, path: list[str]) -> Path | None:
    """The file of a module, as Python would find it on a path, without importing its packages."""
    spec: ModuleSpec | None = None
    places: list[str] | None = path
    for part in module.split("."):
        if places is None:
            return None
        # by its last name alone: the packages before it are not imported
        spec = PathFinder.find_spec(part, places)
        if spec is None:
            return None
        found = spec.submodule_search_locations
        places = None if found is None else list(found)
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None
