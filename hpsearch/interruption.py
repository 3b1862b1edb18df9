"""Ctrl-C, SIGTERM and SIGHUP as a flag that a loop looks at: nothing is cut in the middle."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from hpsearch.errors import InterruptedRunError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """While in the context, the first signal raises, the second ends this process at once.

    Raises:
        KeyboardInterrupt: on the first.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    caught = [number for number in _SIGNALS if not _is_under_nohup(number)]

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in caught:
            signal.signal(each, lambda *_: os._exit(InterruptedRunError.exit_code))
        raise KeyboardInterrupt

    for number in caught:
        signal.signal(number, interrupt)
    hook, sys.unraisablehook = sys.unraisablehook, _end_if_swallowed
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number in caught:
            if signal.getsignal(number) != signal.SIG_IGN:  # `ignore_signals` is for good
                signal.signal(number, before[number])


def _is_under_nohup(number: int) -> bool:
    """Whether the user has asked that a closed terminal be ignored.

    A shell's `&` in a script has SIGINT ignored, too, which nobody asked for.
    """
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


def _end_if_swallowed(unraisable: "sys.UnraisableHookArgs") -> None:
    """End at once if Python drops an interruption, as in the callback of a weak reference."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    print("interrupted, nothing finished is lost; the same command carries on", file=sys.stderr)
    sys.stderr.flush()
    os._exit(InterruptedRunError.exit_code)


def ignore_signals() -> None:
    """Let nothing disturb the end of this process, which is near; an impatient user sends two."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Interruption:
    """A context in which the first signal sets `requested` and the second raises.

    Raises:
        KeyboardInterrupt: on the second signal, wherever the program is; a third ends the process.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "Interruption":
        for number in _SIGNALS:
            if not _is_under_nohup(number):
                self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            signal.signal(number, signal.SIG_DFL)
            raise KeyboardInterrupt
        self.requested = True
