import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest


def test_a_worker_knows_neither_optuna_nor_sql(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path

import hpsearch.executors.task_loop
import hpsearch.executors.worker
from hpsearch.data.tensors import DataCache
from hpsearch.data.training_set import prepare_training_set
from hpsearch.executors.messages import Task, TrainingFinished
from hpsearch.executors.task_run import TaskRun
from hpsearch.records import TrainingKey
from hpsearch.studyparser import parse_study
from hpsearch.training.device import prepare_device
from hpsearch.training.plan import Plan

folder = Path({str(tmp_path)!r})
document = {{"dataset": "digits", "model": "mlp", "space": {{"dense.units": 8}}}}
spec = parse_study(document, name="small")
data = prepare_training_set(spec.dataset, spec.training, data_dir=folder, cache=folder)
configuration = spec.configuration({{"dense.units": 8}})
plan = Plan(configuration, data, 0, 1, 1, "val_accuracy", None, "fp32", "train")
task = Task(TrainingKey("search", 0), plan, folder / "checkpoint.pt", folder / "weights")
device = prepare_device("cpu")
run = TaskRun(task, DataCache(device), device=device)
*_, last = run.events()
run.save_checkpoint()
assert isinstance(last, TrainingFinished), last
known = {{name.partition(".")[0] for name in sys.modules}}
sys.exit(str(sorted(known & {{"optuna", "sqlalchemy", "sqlite3", "optuna_dashboard"}}) or ""))
"""
    end = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert end.stderr.strip() == ""


def test_a_worker_whose_search_is_gone_ends_without_a_word() -> None:
    ours, theirs = socket.socketpair()
    ours.shutdown(socket.SHUT_RD)  # sending fails; were it closed, receiving would fail first
    words = [str(theirs.fileno()), "cpu", str(os.getpid())]
    worker = [sys.executable, "-m", "hpsearch.executors.worker", *words]
    end = subprocess.run(worker, pass_fds=[theirs.fileno()], capture_output=True, text=True)
    ours.close()
    theirs.close()
    assert (end.returncode, end.stderr) == (1, "")


def test_a_worker_ends_with_its_search_before_it_has_imported_anything() -> None:
    """The search that is named is not this process, as if it had been gone at once."""
    ours, theirs = socket.socketpair()
    words = [str(theirs.fileno()), "cpu", str(os.getpid() + 1)]
    code = "import sys; from hpsearch.executors.worker import main\n"
    code += "try: main()\nfinally: print('torch' in sys.modules)"
    worker = [sys.executable, "-c", code, *words]
    end = subprocess.run(worker, pass_fds=[theirs.fileno()], capture_output=True, text=True)
    ours.close()
    theirs.close()
    assert (end.returncode, end.stdout, end.stderr) == (1, "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")
def test_a_worker_that_still_imports_ends_with_its_search() -> None:
    code = """
import os, psutil, signal
from hpsearch.executors.local import LocalExecutor
executor = LocalExecutor(["cpu", "cpu"])
print(*(child.pid for child in psutil.Process().children()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    end = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert end.returncode == -signal.SIGKILL
    pids = [int(word) for word in end.stdout.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 5.0  # an interpreter's start, not that of PyTorch
    while any(map(_is_alive, pids)):
        assert time.monotonic() < deadline, f"{pids} outlive their search"
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
