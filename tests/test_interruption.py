import os
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
def test_the_second_signal_interrupts_and_a_third_would_kill(number: signal.Signals) -> None:
    with Interruption():
        os.kill(os.getpid(), number)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) is signal.SIG_DFL


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_before_a_run_has_begun_a_signal_is_as_ctrl_c(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_the_end_of_a_process_is_not_disturbed() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        with ended_by_signals():
            ignore_signals()
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


SWALLOWED = """
import os, signal, weakref
from hpsearch.interruption import ended_by_signals

class Thing: ...

with ended_by_signals():
    thing = Thing()
    reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    del thing
    print("went on")
"""


def test_a_signal_is_not_lost_in_a_callback_whose_errors_python_drops() -> None:
    end = subprocess.run(
        [sys.executable, "-c", SWALLOWED], capture_output=True, text=True, check=False
    )
    assert end.returncode == 130
    assert end.stdout == ""
    assert end.stderr == "interrupted, nothing finished is lost; the same command carries on\n"
