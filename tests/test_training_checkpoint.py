import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_plans import CPU

from hpsearch.home import checkpoint_files
from hpsearch.training.checkpoint import load_checkpoint, save_checkpoint

PLAN = "0123456789abcdef"


class Counter:
    """Something with a state, in the place of a training."""

    def __init__(self, count: int = 0) -> None:
        self.weights = torch.full((512,), float(count))

    def state(self) -> dict[str, Any]:
        return {"weights": self.weights}

    def load_state(self, state: dict[str, Any]) -> None:
        self.weights = state["weights"]


class Unsavable(Counter):
    """Fails in the middle of being saved."""

    def state(self) -> dict[str, Any]:
        return {"weights": self.weights, "hook": lambda: None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good checkpoint of 5."""
    path = tmp_path / "study" / "search-0-0.pt"
    save_checkpoint(path, Counter(5), plan=PLAN)
    return path


def load(path: Path, *, plan: str = PLAN) -> Counter | None:
    """What was loaded; None if nothing was, and then nothing may have changed."""
    counter = Counter()
    if load_checkpoint(path, counter, plan=plan, device=CPU):
        return counter
    assert not counter.weights.any()
    return None


def test_a_checkpoint_gives_back_the_state(path: Path) -> None:
    loaded = load(path)
    assert loaded is not None
    assert torch.equal(loaded.weights, torch.full((512,), 5.0))


def test_there_may_be_no_checkpoint(tmp_path: Path) -> None:
    assert load(tmp_path / "none.pt") is None


def test_another_plans_checkpoint_is_not_used(path: Path) -> None:
    assert load(path, plan="fedcba9876543210") is None


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_checkpoint_is_not_used(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert load(path) is None


@pytest.mark.parametrize("share", [0.2, 0.35, 0.5, 0.65, 0.8])
def test_a_checkpoint_with_a_flipped_bit_never_gives_another_state(
    path: Path, share: float
) -> None:
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 0x10
    path.write_bytes(content)
    loaded = load(path)
    assert loaded is None or torch.equal(loaded.weights, torch.full((512,), 5.0))


@pytest.mark.parametrize("thing", [[1, 2], 3, torch.zeros(2), {"plan": [PLAN]}], ids=repr)
def test_a_file_of_something_else_is_not_used(path: Path, thing: object) -> None:
    torch.save(thing, path)
    assert load(path) is None


@settings(max_examples=50)
@given(content=st.binary(max_size=64))
@example(content=b"0")  # pops from an empty stack
@example(content=b"\x80\x02hA.")  # looks up what was never stored
@example(content=b"\x80\x7f.")  # a protocol of the future
@example(content=b"\x80\x02G?")  # half a number
def test_a_file_of_any_bytes_is_not_used(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert load(path) is None


class Creates:
    """Unpickled without care, it runs code: it creates a file."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.witness,)


def pickled(thing: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(thing))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("write", [torch.save, pickled])
def test_code_in_a_checkpoint_is_not_run(
    path: Path, write: Callable[[object, Path], None], tmp_path: Path
) -> None:
    witness = tmp_path / "witness"
    write({"plan": PLAN, "weights": Creates(witness)}, path)
    assert load(path) is None
    assert not witness.exists()
    torch.load(path, weights_only=False) if write is torch.save else pickle.loads(path.read_bytes())
    assert witness.exists(), "careless loading does run it"


def test_a_failed_save_leaves_the_last_checkpoint_and_nothing_beside_it(path: Path) -> None:
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save_checkpoint(path, Unsavable(6), plan=PLAN)
    loaded = load(path)
    assert loaded is not None
    assert loaded.weights[0] == 5
    assert list(path.parent.iterdir()) == [path]


def test_a_save_replaces_the_last_checkpoint_and_keeps_one_before_it(path: Path) -> None:
    for count in (6, 7):
        save_checkpoint(path, Counter(count), plan=PLAN)
    loaded = load(path)
    assert loaded is not None
    assert loaded.weights[0] == 7
    assert set(path.parent.iterdir()) == set(checkpoint_files(path))


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"x" * 999)])
def test_the_one_before_serves_where_the_newest_is_gone_or_damaged(
    path: Path, damage: Callable[[Path], object]
) -> None:
    save_checkpoint(path, Counter(6), plan=PLAN)
    damage(path)
    loaded = load(path)
    assert loaded is not None
    assert loaded.weights[0] == 5
    save_checkpoint(path, Counter(7), plan=PLAN)
    loaded = load(path)
    assert loaded is not None
    assert loaded.weights[0] == 7


def test_a_reader_has_the_old_checkpoint_whole_while_a_new_one_is_written(path: Path) -> None:
    with path.open("rb") as reader:
        old = reader.read(100)
        save_checkpoint(path, Counter(6), plan=PLAN)
        old += reader.read()
    path.write_bytes(old)
    loaded = load(path)
    assert loaded is not None
    assert loaded.weights[0] == 5
