import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HPSEARCH = [sys.executable, "-m", "hpsearch"]


def handles_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to see when signals are handled")
@pytest.mark.parametrize("delay_s", [0.0, 0.3, 1.0, 2.5])
def test_two_signals_while_a_run_starts_end_it_with_130_and_one_line(
    tmp_path: Path, delay_s: float
) -> None:
    """In the imports, most of all: libraries have their own answers to an exception there."""
    command = [*HPSEARCH, "run", "--study", "mlp-digits", "--home", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        while not handles_sigterm(run.pid):
            time.sleep(0.001)
        time.sleep(delay_s)
        for _ in range(2):
            run.send_signal(signal.SIGINT)
            time.sleep(0.02)
        _, stderr = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Traceback" not in stderr
    assert stderr.count("interrupted, nothing finished is lost; ") == 1


def test_a_full_disk_behind_stdout_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        end = subprocess.run(
            [*HPSEARCH, "data", "list"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert end.returncode == 1
    assert end.stderr == "error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_command_may_be_started_without_stdout_or_stderr(closed: str) -> None:
    command = f"exec {shlex.join(HPSEARCH)} data list {closed}>&-"
    end = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (end.returncode, end.stderr) == (0, "")
