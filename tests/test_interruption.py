import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hpsearch.interruption import Interruption, ended_by_signals, ignore_signals

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def terminal() -> Iterator[None]:
    """Nothing is ignored, as in a terminal; the tests themselves may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_only_raises_the_flag(number: signal.Signals) -> None:
    with Interruption() as interruption:
        assert not interruption.requested
        os.kill(os.getpid(), number)
        assert interruption.requested


@pytest.mark.parametrize("number", SIGNALS)
def test_the_handlers_of_before_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruption():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_what_the_user_has_ignored_stays_ignored() -> None:
    """As under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interruption() as interruption, ended_by_signals():
        os.kill(os.getpid(), signal.SIGHUP)
        assert not interruption.requested
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_the_end_of_a_process_is_not_disturbed() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        with ended_by_signals():
            ignore_signals()
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


BEGINNING = """
import os, signal, weakref
from hpsearch.interruption import Interruption, ended_by_signals

class Thing: ...

def send(*_):
    os.kill(os.getpid(), signal.{name})

"""
ENDS = {
    "outside of a run": """
with ended_by_signals():
    send()
    print("went on")
""",
    "in a callback whose errors Python drops": """
with ended_by_signals():
    thing = Thing()
    reference = weakref.ref(thing, send)
    del thing
    print("went on")
""",
    "under a library that catches everything": """
with ended_by_signals():
    try:
        send()
    except BaseException:
        pass
    print("went on")
""",
    "the second of a run": """
with Interruption():
    send()
    print("still here", flush=True)
    send()
    print("went on")
""",
    "after a run": """
with ended_by_signals():
    with Interruption():
        send()
    print("still here", flush=True)
    send()
    print("went on")
""",
}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("when", ENDS)
def test_a_signal_ends_the_process_with_one_line(when: str, number: signal.Signals) -> None:
    program = BEGINNING.format(name=number.name) + ENDS[when]
    end = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert end.returncode == 130
    assert "went on" not in end.stdout
    assert end.stderr == "interrupted, nothing finished is lost; to carry on: hpsearch\n"


def test_the_cursor_that_a_live_view_hides_comes_back() -> None:
    ours, theirs = pty.openpty()
    program = BEGINNING.format(name="SIGINT") + ENDS["outside of a run"]
    subprocess.run([sys.executable, "-c", program], stderr=theirs)
    assert os.read(ours, 1000).startswith(b"\x1b[?25h\r\ninterrupted, ")
    os.close(ours)
    os.close(theirs)
