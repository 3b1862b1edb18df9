"""The command line as tests call it."""

import sys
from dataclasses import dataclass

import pytest

from hpsearch import cli


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
