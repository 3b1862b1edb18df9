"""Checkpoints that were truncated or had bits flipped while the study was paused."""

import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import torch

from faults.row import Row
from faults.scenario import Ground
from faults.study import Study
from faults.subject import Subject
from hpsearch.training.checkpoint import load_checkpoint, save_checkpoint

_FLIPS = 3  # at most
_EXIT_S = 30.0


def damage(content: bytes, random: Random) -> bytes:
    """Cut off at a random place, or some random bits flipped."""
    if random.random() < 0.5:
        return content[: random.randrange(len(content))]
    for bit in random.sample(range(8 * len(content)), random.randint(1, _FLIPS)):
        content = _flipped(content, bit)
    return content


def _flipped(content: bytes, bit: int) -> bytes:
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


@dataclass(frozen=True)
class DamagedCheckpoints:
    """Long trials paused by a signal, some of their checkpoints damaged, and carried on."""

    rounds: int = 12
    trials: int = 6
    epochs: int = 400
    sample: int = 6
    paused_by: signal.Signals = signal.SIGINT

    name: ClassVar = "checkpoints"

    def run(self, ground: Ground) -> Row:
        """Pause, damage, carry on."""
        study = Study(ground.folder, trials=self.trials, epochs=self.epochs)
        step = study.total_epochs // (self.rounds + 1)
        struck = 0
        with Subject(study) as subject:
            subject.start()
            for number in range(1, self.rounds + 1):
                if not subject.reach(number * step) or not subject.recover():
                    break
                subject.interrupt(self.paused_by, within_s=_EXIT_S)
                struck += _damage_some(study, ground.random)
                subject.struck()
                subject.start()
            subject.finish()
        return subject.row(self.name, faults=struck, sample=self.sample)


def _damage_some(study: Study, random: Random) -> int:
    """Damage a random choice of a study's checkpoint files, at least one; returns how many."""
    files = sorted(study.home.checkpoints(study.name).glob("*.pt*"))
    chosen = random.sample(files, random.randint(1, len(files))) if files else []
    for file in chosen:
        file.write_bytes(damage(file.read_bytes(), random))
    return len(chosen)


@dataclass
class _Tiny:
    """Something with a state as small as one can be, so that most of its file is the format's."""

    weights: torch.Tensor = field(default_factory=lambda: torch.zeros(4))

    def state(self) -> dict[str, Any]:
        return asdict(self)

    def load_state(self, state: dict[str, Any]) -> None:
        self.weights = state["weights"]


@dataclass(frozen=True)
class DamagedLoads:
    """A small file with each of its bits flipped, and cut off at each byte, loaded each time.

    It must be refused, or give the state that was saved.
    """

    faults: int | None = None  # so many of these at random; None: all

    name: ClassVar = "damaged-loads"

    def run(self, ground: Ground) -> Row:
        """Damage a good checkpoint anew each time, and load it."""
        path = ground.folder / "search-0-0.pt"
        saved = _Tiny(torch.arange(4.0))
        save_checkpoint(path, saved, plan=self.name)
        content = path.read_bytes()
        every = [*_flips(content), *_cuts(content)]
        chosen = every if self.faults is None else ground.random.sample(every, self.faults)
        found = Counter(self._load(path, damaged, saved) for damaged in chosen)
        del found[""]
        broken = [f"{count} x {reason}" for reason, count in found.most_common()]
        return Row(self.name, len(chosen), wrong_epochs=found.total(), broken=broken)

    def _load(self, path: Path, damaged: bytes, saved: _Tiny) -> str:
        """What was wrong, if anything."""
        path.write_bytes(damaged)
        loaded = _Tiny()
        try:
            is_loaded = load_checkpoint(path, loaded, plan=self.name, device=torch.device("cpu"))
        except Exception as error:  # whatever it is, it ends a trial
            return f"{type(error).__name__}: {error}"
        expected = saved if is_loaded else _Tiny()
        return "" if torch.equal(loaded.weights, expected.weights) else "another state was loaded"


def _flips(content: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(content)):
        yield _flipped(content, bit)


def _cuts(content: bytes) -> Iterator[bytes]:
    for length in range(len(content)):
        yield content[:length]
