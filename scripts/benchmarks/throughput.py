"""T1 and T2: images a second of the reference networks on Fashion-MNIST, over all workers."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.contest import OURS, Contest, ContestantError, Peer, Setting, hold, peers, run_json
from benchmarks.reference import Model, reference_plan
from hpsearch.errors import RunFailedError
from hpsearch.executors.local import LocalExecutor
from hpsearch.executors.messages import EpochFinished, Task, TrainingStarted
from hpsearch.records import TrainingKey
from hpsearch.studytables import Training
from hpsearch.training.plan import Plan

_ALL = 60_000  # what the peers train on, too
# an epoch of a few seconds, as the MLP's on all images: ours is measured by whole epochs
_CNN_IMAGES_ON_CPU = 6_400


def measure_throughput(setting: Setting, *, model: Model) -> Contest:
    """T1 for "cnn", T2 for "mlp"."""
    measure, goal = {"cnn": ("T1", 3.0), "mlp": ("T2", 8.0)}[model]
    contest = Contest(measure, f"reference {model.upper()}, batch 64", "images/s", goal)
    seconds = 3.0 if setting.quick else 20.0
    contestants: dict[str, Callable[[], float]] = {
        OURS: partial(_our_images_per_s, setting, model, seconds, contest.methods)
    }
    for peer in peers(setting.cores, quick=setting.quick):
        contestants[peer.name] = partial(_peers_images_per_s, setting, peer, model, seconds)
    return hold(contest, contestants, repeats=setting.repeats)


def throughput_plan(setting: Setting, model: Model, *, seed: int) -> Plan:
    """Endless training of a reference network, without validation, as the peers' is."""
    return reference_plan(
        model,
        Training(epochs=100_000, subset=_num_images(setting, model), precision="auto"),
        data_dir=setting.data_dir,
        cache=setting.scratch / "cache",
        seed=seed,
        train_on="train+validation",
    )


def _num_images(setting: Setting, model: Model) -> int:
    return _CNN_IMAGES_ON_CPU if (model, setting.device) == ("cnn", "cpu") else _ALL


def _peers_images_per_s(setting: Setting, peer: Peer, model: Model, seconds: float) -> float:
    arguments = ("throughput", "--model", model, "--seconds", str(seconds))
    answer = run_json(setting.peer_command(peer, *arguments), timeout_s=60 * seconds)
    return float(str(answer["images_per_s"]))


def _our_images_per_s(setting: Setting, model: Model, seconds: float, methods: list[str]) -> float:
    """As the search trains: worker processes that report every epoch; notes their methods."""
    plans = [throughput_plan(setting, model, seed=seed) for seed in range(setting.workers)]
    ends: dict[TrainingKey, list[float]] = defaultdict(list)  # when each epoch was over
    executor = LocalExecutor([setting.worker_device] * setting.workers)
    # a checkpoint of the repeat before would send its epochs again, in no time
    checkpoints = Path(mkdtemp(dir=setting.scratch))
    try:
        for seed, plan in enumerate(plans):
            executor.submit(Task(TrainingKey("search", seed), plan, checkpoints / f"{seed}.pt"))
        warm_s = float("inf")  # when every worker has trained an epoch
        while time.monotonic() < warm_s + seconds or not all(
            len(_since(warm_s, times)) > 1 for times in ends.values()
        ):
            for event in executor.poll(1.0):
                match event:
                    case TrainingStarted(_, method) if str(method) not in methods:
                        methods.append(str(method))
                    case TrainingStarted():
                        pass
                    case EpochFinished(key):
                        ends[key].append(time.monotonic())
                        if warm_s == float("inf") and len(ends) == len(plans):
                            warm_s = ends[key][-1]
                    case _:
                        raise ContestantError(f"a training ended: {event}")
    except RunFailedError as error:
        raise ContestantError(str(error)) from None
    finally:
        executor.close()
    num_images = _num_images(setting, model)
    return sum(num_images * epochs_per_s(times, since_s=warm_s) for times in ends.values())


def epochs_per_s(ends: Sequence[float], *, since_s: float) -> float:
    """A worker's pace over its whole epochs since all are warm: until then it has more machine."""
    measured = _since(since_s, ends)
    return (len(measured) - 1) / (measured[-1] - measured[0])


def _since(start_s: float, ends: Sequence[float]) -> list[float]:
    return [end for end in ends if end >= start_s]
