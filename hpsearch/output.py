"""Where a command's words go: results to stdout, everything else to stderr, tables to files."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hpsearch.errors import UserError
from hpsearch.home import atomic_path
from hpsearch.text import one_line

if TYPE_CHECKING:
    from rich.console import Console


def check_folder(path: Path) -> None:
    """Refuse a path at which no file can be written, before any work is done for it."""
    if not os.path.isdir(path.parent):  # unlike Path.is_dir never an error, however long the name
        raise UserError(f"{path}: there is no folder {path.parent}")
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder, not a file")


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; a pipe or a device is written to, a link's target kept.

    Raises:
        UserError: it cannot be written.
    """
    check_folder(path)
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        with atomic_path(path.resolve()) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def print_json(document: object) -> None:
    """The one JSON document of a command."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def print_csv(text: str, *, to: str) -> None:
    """A command's table, into a file or, for '-', on stdout."""
    if to == "-":
        sys.stdout.write(text)
    else:
        write_text(Path(to), text)


def tell(text: str) -> None:
    """One line of a result on stdout, say where a file is, without control characters."""
    typer.echo(one_line(text))


def say(line: str) -> None:
    """One line on stderr."""
    with suppress(OSError):
        typer.echo(line, err=True)


class LastingStderr:
    """stderr for a long run, which must not end because its terminal has."""

    def write(self, text: str) -> int:
        """Write while anybody reads."""
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush while anybody reads."""
        with suppress(OSError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def stdout() -> "Console":
    """A console for tables, which are not squeezed where nobody sets a width."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=10_000)
