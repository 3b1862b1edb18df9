import socket
import subprocess
import sys
from pathlib import Path


def test_a_worker_knows_neither_optuna_nor_sql(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path

import hpsearch.executors.worker
from hpsearch.data.tensors import load_device_data
from hpsearch.data.training_set import prepare_training_set
from hpsearch.executors.messages import Task, TrainingFinished
from hpsearch.executors.task_run import TaskRun
from hpsearch.records import TrainingKey
from hpsearch.spec import parse_study
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
run = TaskRun(task, load_device_data(data, device=device), device=device)
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
    worker = [sys.executable, "-m", "hpsearch.executors.worker", str(theirs.fileno()), "cpu"]
    end = subprocess.run(worker, pass_fds=[theirs.fileno()], capture_output=True, text=True)
    ours.close()
    theirs.close()
    assert (end.returncode, end.stderr) == (1, "")
