"""A worker process: `python -m hpsearch.executors.worker FD DEVICE SEARCH`, started by `local`.

FD is its end of the connection, SEARCH the process that has the other. The worker ends with its
search however that died, from its first moment on: before PyTorch is imported, which takes seconds,
and should it hang where Python cannot notice, the kernel ends it (on Linux).
"""

import ctypes
import os
import signal
import sys
from multiprocessing.connection import Connection

from hpsearch.executors.messages import Unready
from hpsearch.text import error_text

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
_ORPHANED = 1


def main() -> None:
    """Take the connection from the inherited file descriptor and work."""
    fd, device, search = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    _end_with(search)
    connection = Connection(fd)
    try:
        from hpsearch.executors.task_loop import TaskLoop  # with PyTorch

        loop = TaskLoop(connection, device=device)
    except Exception as error:  # a library that does not load, a device that is not there
        connection.send(Unready(error_text(error)))
        sys.exit(1)
    loop.run()


def _end_with(search: int) -> None:
    """Have the kernel end this process when the one that started it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != search:  # it was gone before
        os._exit(_ORPHANED)


if __name__ == "__main__":
    main()
