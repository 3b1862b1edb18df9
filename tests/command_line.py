"""The command line as tests call it."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from hpsearch import cli

SMALL = """
description = "a small study"
dataset = "digits"
model = "mlp"
[training]
epochs = 3
subset = 300
[search]
sampler = "random"
pruner = "none"
trials = 4
[space]
batch_size = [16, 32]
learning_rate = { low = 1e-3, high = 1e-1, log = true }
[final]
finalists = 1
seeds = 2
"""


@dataclass(frozen=True)
class Answer:
    """What a command printed and returned."""

    status: int
    out: str
    err: str


class CommandLine:
    """The command line, called in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str) -> Answer:
        self._monkeypatch.setattr(sys, "argv", ["hpsearch", *words])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        printed = self._capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return Answer(exit_.value.code, printed.out, printed.err)


def tree(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder and what is in it."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
