"""Where study files are: given by path, or by name in `./studies` or among those shipped."""

import contextlib
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from hpsearch.errors import UnknownStudyError


def study_folders() -> list[Path]:
    """Where study files are looked for by name: `./studies`, then those of the package."""
    shipped = Path(str(files("hpsearch"))) / "studies"
    checkout = Path(str(files("hpsearch"))).parent / "studies"  # not installed: the top level's
    return [Path("studies"), shipped if shipped.is_dir() else checkout]


def study_files() -> dict[str, Path]:
    """Every study file that can be run by name."""
    found: dict[str, Path] = {}
    for folder in study_folders():
        for path in sorted(folder.glob("*.toml")):
            if path.is_file():  # a pipe would never end
                found.setdefault(path.stem, path)
    return found


def find_study_file(study: str) -> Path:
    """The file of a study given by path or by name.

    Raises:
        UnknownStudyError: there is none.
    """
    path = Path(study)
    if path.suffix == ".toml" or len(path.parts) > 1:
        with contextlib.suppress(OSError):  # a name longer than a name can be
            if path.is_file():
                return path
        raise UnknownStudyError(f"no study file {study!r}")
    known = study_files()
    if study in known:
        return known[study]
    near = get_close_matches(study, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "`hpsearch studies` lists them"
    raise UnknownStudyError(f"no study {study!r} in ./studies or among those shipped; {hint}")
