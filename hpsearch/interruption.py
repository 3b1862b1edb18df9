"""Ctrl-C, SIGTERM and SIGHUP: a flag that a run looks at, and else the end of the process.

Nothing raises: Python drops what is raised in a callback, and libraries print it or make another
error of it, most of all while they are imported.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import NoReturn

from hpsearch.commandline import carry_on_command
from hpsearch.errors import InterruptedRunError
from hpsearch.text import shown

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AFTER_A_LIVE_VIEW = b"\x1b[?25h\n"  # it hides the cursor and leaves it in the middle of a line
_STDERR = 2


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """While in the context, a signal ends this process at once: a line on stderr, exit code 130."""
    before = _handle(_end)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) != signal.SIG_IGN:  # `ignore_signals` is for good
                signal.signal(number, handler)  # type: ignore[arg-type]


def last_words() -> str:
    """What an interrupted process says: how to carry on, without a password."""
    again = carry_on_command([shown(word) for word in sys.argv])
    return f"interrupted, nothing finished is lost; to carry on: {again}"


def ignore_signals() -> None:
    """Let nothing disturb the end of this process, which is near; an impatient user sends two."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Interruption:
    """A context in which the first signal sets `requested`, and the second ends the process.

    A `patient` one leaves the process alone, which is a notebook's, say. Outside the main thread
    Python handles no signals, and `requested` stays as it is.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.requested = False
        self._patient = patient
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interruption":
        self._before = _handle(self._request)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested and not self._patient:
            _end(number, frame)
        self.requested = True


def _handle(handler: Callable[[int, FrameType | None], None]) -> dict[int, object]:
    """Have the signals handled; returns what handled them before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    caught = [number for number in _SIGNALS if not _is_under_nohup(number)]
    return {number: signal.signal(number, handler) for number in caught}


def _is_under_nohup(number: int) -> bool:
    """Whether the user has asked that a closed terminal be ignored.

    A shell's `&` in a script has SIGINT ignored, too, which nobody asked for.
    """
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


def _end(number: int, frame: FrameType | None) -> NoReturn:
    ignore_signals()  # the line is said once
    with suppress(OSError):  # written past Python's buffer, which may be in use at this moment
        words = f"{last_words()}\n".encode()
        os.write(_STDERR, (_AFTER_A_LIVE_VIEW if os.isatty(_STDERR) else b"") + words)
    os._exit(InterruptedRunError.exit_code)
