"""How a process of the command line begins and ends: signals, errors as one line, exit codes.

The commands are in `commands`, imported once the signals are handled: a Ctrl-C during the imports
shall end as one later does.
"""

import os
import sys

from hpsearch.errors import HpsearchError, InterruptedRunError
from hpsearch.interruption import ended_by_signals, ignore_signals


def main() -> None:
    """Run the command line; every error that is ours or the user's is one line on stderr."""
    with ended_by_signals():
        status = _status()
    sys.exit(status)


def _status() -> int:
    from typer import Exit
    from typer.exceptions import TyperException

    from hpsearch.commands.app import app
    from hpsearch.output import say
    from hpsearch.text import one_line

    try:
        status: int = app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0
        if sys.stdout is not None:  # closed by whoever started this
            sys.stdout.flush()
        return status
    except InterruptedRunError as error:
        ignore_signals()
        say(str(error))
        return error.exit_code
    except (HpsearchError, TyperException) as error:
        text = error.format_message() if isinstance(error, TyperException) else str(error)
        say(f"error: {one_line(text)}")
        return error.exit_code
    except Exit as exit_:
        return exit_.exit_code
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:
        say(f"error: {error.filename or 'the output'} cannot be written: {error.strerror or error}")
        os._exit(1)  # Python would try to write the rest once more
