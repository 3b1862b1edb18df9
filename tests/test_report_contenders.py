import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_contenders import LABELS, add_fixed_set, add_reading, add_search
from safetensors.numpy import save_file
from sklearn.metrics import confusion_matrix
from small_studies import new_database

from hpsearch.errors import NothingToShowError, UnknownStudyError, UserError
from hpsearch.home import Home
from hpsearch.report.comparison import compare
from hpsearch.report.contenders import Answers, Contender, Network, Spread, load_contenders
from hpsearch.storage.database import Database

RIGHT = LABELS.tolist()
ONE_WRONG = [1, *RIGHT[1:]]  # a 0 taken for a 1
TWO_WRONG = [1, 2, *RIGHT[2:]]
ALL_WRONG = [9] * 10


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    with new_database(home) as database:
        yield database


def load(database: Database, home: Home, *names: str) -> list[Contender]:
    return load_contenders(database, names, home=home).contenders


def predicted(network: Network) -> list[int]:
    """The classes that it took the images for."""
    assert isinstance(network.answers, Answers)
    return network.answers.predicted.tolist()


def test_a_search_is_its_newest_reading(database: Database, home: Home) -> None:
    record = add_search(database, home, "one", [ALL_WRONG])
    add_reading(record, home, 5, {0: RIGHT, 1: ONE_WRONG, 2: TWO_WRONG}, role="winner")
    record.start_reading(6)  # came to nothing
    add_search(database, home, "two", [RIGHT])
    one, two = load(database, home, "one", "two")
    assert (one.label, one.study, one.configuration, one.dataset) == ("one", "one", None, "digits")
    assert [network.seed for network in one.networks] == [0, 1, 2]
    assert [predicted(network) for network in one.networks] == [RIGHT, ONE_WRONG, TWO_WRONG]
    assert one.accuracy.mean == pytest.approx(0.9)
    assert one.accuracy.std == pytest.approx(0.1)  # of 1.0, 0.9, 0.8 with n - 1
    assert one.train_seconds == 6.0  # of 5, 6, 7
    assert one.num_parameters == 610
    assert one.images_per_s == pytest.approx(200 / 5)  # all images over all the time
    assert two.accuracy == Spread(1.0, None)


def test_a_fixed_set_stands_for_its_configurations_in_their_order(
    database: Database, home: Home
) -> None:
    answers = {"b: x": [RIGHT, ONE_WRONG], "a": [TWO_WRONG]}
    add_fixed_set(database, home, "set", answers)
    first, second = load(database, home, "set")
    assert [first.label, second.label] == ["set:b: x", "set:a"]
    assert (first.study, first.configuration) == ("set", "b: x")
    assert [(n.seed, predicted(n)) for n in first.networks] == [(0, RIGHT), (1, ONE_WRONG)]
    assert first.images_per_s == pytest.approx(200 / 5)
    assert second.networks[0].evaluation.accuracy == 0.8
    assert [c.label for c in load(database, home, "set:a", "set:b: x")] == ["set:a", "set:b: x"]


def test_a_network_of_a_set_counts_with_its_newest_reading(database: Database, home: Home) -> None:
    record = add_fixed_set(database, home, "set", {"a": [RIGHT], "b": [RIGHT]})
    add_reading(record, home, 1, {0: ONE_WRONG}, role="search", trained=True)
    networks = [contender.networks for contender in load(database, home, "set")]
    assert [[predicted(n) for n in each] for each in networks] == [[RIGHT], [ONE_WRONG]]


def test_configurations_without_a_tested_network_are_told(database: Database, home: Home) -> None:
    add_fixed_set(database, home, "set", {"a": [RIGHT], "b": [], "c": [ONE_WRONG]})
    found = load_contenders(database, ["set"], home=home)
    assert [contender.label for contender in found.contenders] == ["set:a", "set:c"]
    assert found.untested == ["set:b"]


@pytest.mark.parametrize(
    ("answers", "seed"),
    [
        ([RIGHT, ALL_WRONG, ONE_WRONG], 2),
        ([RIGHT, ALL_WRONG, ONE_WRONG, TWO_WRONG], 3),  # 0, 0.8, 0.9, 1: the lower of the middle
        ([ONE_WRONG, RIGHT], 0),
        ([RIGHT, RIGHT, RIGHT], 1),
    ],
)
def test_the_representative_is_the_network_of_median_accuracy(
    database: Database, home: Home, answers: list[list[int]], seed: int
) -> None:
    add_search(database, home, "one", answers)
    add_search(database, home, "two", [RIGHT])
    assert load(database, home, "one", "two")[0].representative.seed == seed


def test_confusion_shares_are_the_mean_of_scikit_learns(database: Database, home: Home) -> None:
    random = np.random.default_rng(0)
    answers = random.integers(0, 10, (3, 10))
    add_search(database, home, "one", list(answers))
    add_search(database, home, "two", [RIGHT])
    shares = load(database, home, "one", "two")[0].shares
    expected = [
        confusion_matrix(LABELS, answer, labels=range(10), normalize="true") for answer in answers
    ]
    assert shares == pytest.approx(np.mean(expected, axis=0))
    assert shares[3:].sum() == 0, "classes without test images"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Home]]:
    """Studies of every kind and state; only to be read."""
    home = Home(tmp_path_factory.mktemp("made"))
    with new_database(home) as database:
        add_search(database, home, "one", [RIGHT])
        add_search(database, home, "two", [RIGHT])
        add_fixed_set(database, home, "set", {"2x64": [RIGHT], "2x128": [RIGHT], "new": []})
        add_fixed_set(database, home, "empty", {"a": [], "b": []})
        add_search(database, home, "fresh", [])
        yield database, home


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["one", "tow"], UnknownStudyError, "no study 'tow' .*did you mean two"),
        (["one", "set:2x46"], UnknownStudyError, "'set' has no configuration '2x46'; did you mean"),
        (["one", "set:?"], UnknownStudyError, r"no configuration '\?'; there are 2x64, 2x128, new"),
        (["one", "two:x"], UnknownStudyError, "'two' is a search, it has no configurations"),
        (["one", "fresh"], NothingToShowError, "'fresh' .*`hpsearch test --study fresh` does it"),
        (["one", "set:new"], NothingToShowError, "'set:new' .*`hpsearch run --study set` does it"),
        (["one", "empty"], NothingToShowError, "study 'empty' .*`hpsearch run --study empty`"),
        (["one"], UserError, "one is one contender only; name at least two"),
        (["one", "two", "one"], UserError, "'one' is named twice"),
        (["set", "set:2x64"], UserError, "'set:2x64' is named twice"),
        (["one", ""], UnknownStudyError, "no study ''"),
    ],
)
def test_what_cannot_be_compared_is_told_with_the_next_step(
    made: tuple[Database, Home], names: list[str], error: type[UserError], message: str
) -> None:
    database, home = made
    with pytest.raises(error, match=message) as raised:
        load(database, home, *names)
    assert "\n" not in str(raised.value)


@pytest.fixture
def damaged(made: tuple[Database, Home], tmp_path: Path) -> Path:
    """The outputs of study `two`, in a home of their own."""
    shutil.copytree(made[1].root / "artifacts", tmp_path / "artifacts")
    return Home(tmp_path).predictions("two", 2)


def check_untestable(database: Database, home: Home, path: Path) -> None:
    """What is in the database is compared; the paired test says which file it misses."""
    comparison = compare(load_contenders(database, ["one", "two"], home=home))
    one, two = comparison.contenders
    assert isinstance(one.networks[0].answers, Answers)
    assert two.accuracy.mean == two.networks[0].evaluation.accuracy
    tests, (untestable,) = comparison.paired
    assert not tests
    assert str(path) in untestable.reason
    assert "`hpsearch test --study two --again`" in untestable.reason


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 what is this"])
def test_outputs_that_are_gone_or_damaged_are_named(
    made: tuple[Database, Home], tmp_path: Path, damaged: Path, content: bytes | None
) -> None:
    damaged.unlink()
    if content is not None:
        damaged.write_bytes(content)
    check_untestable(made[0], Home(tmp_path), damaged)


@pytest.mark.parametrize(
    "tensors",
    [
        {"logits-0": np.zeros((10, 10), np.float32)},
        {"labels": LABELS},
        {"labels": LABELS, "logits-1": np.zeros((10, 10), np.float32)},
        {"labels": LABELS, "logits-0": np.zeros((9, 10), np.float32)},
        {"labels": LABELS[1:], "logits-0": np.zeros((10, 10), np.float32)},
    ],
    ids=["no labels", "no outputs", "another seed", "too few outputs", "too few labels"],
)
def test_outputs_that_are_not_the_readings_are_named(
    made: tuple[Database, Home], tmp_path: Path, damaged: Path, tensors: dict[str, np.ndarray]
) -> None:
    save_file(tensors, damaged)
    check_untestable(made[0], Home(tmp_path), damaged)
