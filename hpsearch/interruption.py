"""Ctrl-C, SIGTERM and SIGHUP as a flag that a loop looks at: nothing is cut in the middle."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """While in the context, SIGTERM and SIGHUP raise as Ctrl-C does, unless they are ignored.

    Raises:
        KeyboardInterrupt: on either.
    """
    previous = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


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
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup, and a shell's `&`, ask for
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
