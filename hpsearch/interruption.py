"""Ctrl-C, SIGTERM and SIGHUP as a flag that a loop looks at: nothing is cut in the middle."""

import signal
from types import FrameType, TracebackType


class Interruption:
    """A context in which the first signal sets `requested` and the second raises.

    Raises:
        KeyboardInterrupt: on the second signal, wherever the program is; a third ends the process.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "Interruption":
        for number in self._SIGNALS:
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
