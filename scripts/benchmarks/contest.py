"""Contestants run in turn, several times, each in a process of its own.

Machines drift: a contestant's repeats are spread over the whole contest, so that all of them meet
the same machine, and only ratios within one contest are compared.
"""

import json
import os
import re
import signal
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

OURS = "hpsearch"
_NO_PACKAGE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


class ContestantError(Exception):
    """A contestant that could not be run, in words."""


@dataclass(frozen=True)
class Score:
    """One contestant's results."""

    contestant: str
    samples: list[float]  # one a repeat; more is better
    failure: str = ""  # why there are none

    @property
    def median(self) -> float:
        """The middle sample."""
        return statistics.median(self.samples)


@dataclass(frozen=True)
class Contest:
    """One measure over all contestants."""

    measure: str  # "T1"
    title: str
    unit: str
    goal: float  # times the best peer
    scores: list[Score] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)  # that our workers computed by

    @property
    def ours(self) -> Score:
        """Our own results."""
        return next(score for score in self.scores if score.contestant == OURS)

    @property
    def left_out(self) -> list[str]:
        """The peers that could not be run."""
        return [s.contestant for s in self.scores if s.contestant != OURS and not s.samples]

    @property
    def ratio(self) -> float | None:
        """Our median over the best peer's; None if there is nothing to compare."""
        peers = [s.median for s in self.scores if s.contestant != OURS and s.samples]
        return self.ours.median / max(peers) if self.ours.samples and peers else None


def hold(
    contest: Contest, contestants: Mapping[str, Callable[[], float]], *, repeats: int
) -> Contest:
    """Run every contestant `repeats` times, in turn; one that fails is left out from then on."""
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    failures: dict[str, str] = {}
    for repeat in range(repeats):
        for name, run in contestants.items():
            if name in failures:
                continue
            try:
                samples[name].append(run())
                said = f"{samples[name][-1]:,.0f} {contest.unit}"
            except ContestantError as error:
                failures[name] = str(error)
                said = f"left out: {error}"
            print(f"{contest.measure} {repeat + 1}/{repeats} {name}: {said}", flush=True)
    contest.scores.extend(
        Score(name, values, failures.get(name, "")) for name, values in samples.items()
    )
    return contest


def run_json(command: Sequence[str], *, timeout_s: float) -> dict[str, object]:
    """Run a command and parse the last line of its output.

    Raises:
        ContestantError: it failed, took too long, or said something else.
    """
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)  # its own processes would run on
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise ContestantError(f"took longer than {timeout_s:.0f} s") from None
        raise
    if process.returncode or not output.strip():
        raise ContestantError(_reason(errors, exit_code=process.returncode))
    last = output.strip().splitlines()[-1]
    try:
        answer = json.loads(last)
    except json.JSONDecodeError:
        raise ContestantError(f"its last line is no result: {last}") from None
    assert isinstance(answer, dict)
    return answer


def _reason(errors: str, *, exit_code: int) -> str:
    """Why a program gave no result, by the last line that it wrote on stderr."""
    last = (errors.strip().splitlines() or ["nothing"])[-1]
    missing = _NO_PACKAGE.match(last)
    return f"no {missing[1]}" if missing else f"exit code {exit_code}: {last}"


@dataclass(frozen=True)
class Peer:
    """A peer's program and how many processes of how many threads it runs with."""

    name: str
    script: str  # in peers/
    processes: int
    threads: int


def peers(cores: int, *, quick: bool) -> list[Peer]:
    """What people would use on so many cores; the likely best of each for a quick look."""
    every = [
        Peer(f"Optuna + DataLoader, 1 process of {cores} threads", "torch_loop.py", 1, cores),
        Peer(f"Optuna + DataLoader, {cores} processes of 1 thread", "torch_loop.py", cores, 1),
        Peer(f"Keras fit, 1 process of {cores} threads", "keras_fit.py", 1, cores),
        Peer(f"Keras fit, {cores} processes of 1 thread", "keras_fit.py", cores, 1),
        Peer(f"Ray Tune, {cores} trials at once", "ray_tune.py", cores, 1),
    ]
    return [peer for peer in every if peer.threads == 1] if quick else every


@dataclass(frozen=True)
class Setting:
    """Where and how a benchmark runs."""

    peers_python: Path
    data_dir: Path
    scratch: Path
    device: Literal["cpu", "cuda"]
    workers: int  # ours
    cores: int  # that peers may use
    repeats: int
    quick: bool
    trial_images: int  # that each trial of T3 trains on

    @property
    def worker_device(self) -> str:
        """What our workers train on; on a GPU, all on the first, as the peers do."""
        return "cuda:0" if self.device == "cuda" else self.device

    def peer_command(self, peer: Peer, *arguments: str) -> list[str]:
        """A peer's command line."""
        script = Path(__file__).parent / "peers" / peer.script
        return [
            str(self.peers_python),
            str(script),
            *arguments,
            *("--processes", str(peer.processes), "--threads", str(peer.threads)),
            *("--data-dir", str(self.data_dir), "--device", self.device),
        ]
