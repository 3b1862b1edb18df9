from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_data import TINY, TINY_FILES, TRAIN_CLASSES, TRAIN_PIXELS, write_tiny

from hpsearch.catalogue import DATASETS, TRAIN_LABELS
from hpsearch.data.training_set import (
    TrainingSet,
    find_validation_set,
    prepare_training_set,
    split_indices,
)
from hpsearch.errors import DataError
from hpsearch.studytables import Training

UNEVEN = np.repeat(np.arange(4), [400, 300, 200, 100])


def prepare(data_dir: Path, training: Training | None = None) -> TrainingSet:
    protocol = training or Training(validation=0.2)
    return prepare_training_set(TINY, protocol, data_dir=data_dir, cache=data_dir / "cache")


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    validation=st.floats(0.05, 0.6),
    subset=st.none() | st.integers(100, 2000),
)
def test_both_sides_of_a_split_keep_the_class_shares_and_no_image_is_on_both(
    seed: int, validation: float, subset: int | None
) -> None:
    labels = np.random.default_rng(seed).permutation(UNEVEN)
    split = split_indices(labels, Training(seed=seed, validation=validation, subset=subset))
    total = min(subset or 1000, 1000)
    assert len(split.train) + len(split.validation) == total
    assert len(np.union1d(split.train, split.validation)) == total
    for side in (split.train, split.validation):
        shares = np.array([0.4, 0.3, 0.2, 0.1]) * len(side)
        # a subset's own rounding, below one image a class, adds to that of the split
        assert np.abs(np.bincount(labels[side], minlength=4) - shares).max() < 2


def test_a_split_of_15_percent_is_exact_where_it_can_be() -> None:
    split = split_indices(UNEVEN, Training(validation=0.15))
    assert np.bincount(UNEVEN[split.validation]).tolist() == [60, 45, 30, 15]
    assert np.bincount(UNEVEN[split.train]).tolist() == [340, 255, 170, 85]


def test_indices_are_sorted() -> None:
    split = split_indices(UNEVEN, Training(subset=300))
    for side in (split.train, split.validation):
        assert (np.diff(side) > 0).all()


def test_the_seed_decides_the_split() -> None:
    one, same, other = (split_indices(UNEVEN, Training(seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.validation, same.validation)
    assert one.validation.tolist() != other.validation.tolist()


def test_a_subset_as_large_as_the_data_is_all_of_it() -> None:
    whole, same = (split_indices(UNEVEN, Training(subset=n)) for n in (None, len(UNEVEN)))
    np.testing.assert_array_equal(whole.train, same.train)


@pytest.mark.parametrize(
    "training",
    [
        Training(subset=3),
        Training(subset=10, validation=0.1),
        Training(validation=0.001),
        Training(validation=0.999),
    ],
)
def test_too_few_images_for_every_class_are_refused(training: Training) -> None:
    with pytest.raises(
        DataError, match=r"training\.validation = 0\.\d+( and training\.subset = \d+)? leave"
    ):
        split_indices(UNEVEN, training)


def test_the_files_hold_the_images_labels_and_split(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    training_set = prepare(tmp_path)
    np.testing.assert_array_equal(np.load(training_set.images), TRAIN_PIXELS[:, np.newaxis])
    np.testing.assert_array_equal(np.load(training_set.labels), TRAIN_CLASSES)
    both = [*np.load(training_set.train), *np.load(training_set.validation)]
    assert sorted(both) == list(range(20))
    assert len(np.load(training_set.validation)) == 4
    assert training_set.image_shape == (1, 4, 4)
    assert training_set.num_classes == 2


def test_what_is_prepared_once_is_found_again(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    first = prepare(tmp_path)

    def times() -> dict[Path, int]:
        files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
        return {path: path.stat().st_mtime_ns for path in files}

    before = times()
    assert prepare(tmp_path) == first
    assert times() == before


def damage_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def exchange_the_parts(path: Path) -> None:
    for name in ("train.npy", "validation.npy"):
        (other,) = path.parent.rglob(name)
        if other != path:
            path.write_bytes(other.read_bytes())


@pytest.mark.parametrize("name", ["images", "labels", "train", "validation"])
@pytest.mark.parametrize("damage", [damage_a_byte, cut, Path.unlink, exchange_the_parts])
def test_what_is_not_as_it_was_decoded_is_decoded_again(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    write_tiny(tmp_path)
    first = prepare(tmp_path)
    arrays = [np.load(getattr(first, part)) for part in ("images", "labels", "train", "validation")]
    damage(getattr(first, name))
    again = prepare(tmp_path)
    assert again == first
    for part, array in zip(("images", "labels", "train", "validation"), arrays, strict=True):
        np.testing.assert_array_equal(np.load(getattr(again, part)), array)


def test_two_splits_share_the_images(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    one, other = (prepare(tmp_path, Training(validation=0.2, seed=seed)) for seed in (0, 1))
    assert one.images == other.images
    assert one.validation != other.validation


def test_the_fingerprint_is_the_same_wherever_the_files_lie(tmp_path: Path) -> None:
    for place in ("here", "there"):
        write_tiny(tmp_path / place)
    assert prepare(tmp_path / "here").fingerprint == prepare(tmp_path / "there").fingerprint


def test_the_fingerprint_changes_with_seed_share_subset_and_content(tmp_path: Path) -> None:
    write_tiny(tmp_path / "one")
    prints = [
        prepare(tmp_path / "one", training).fingerprint
        for training in (
            Training(validation=0.2),
            Training(validation=0.2, seed=1),
            Training(validation=0.3),
            Training(validation=0.2, subset=16),
        )
    ]
    labels = TINY_FILES[TRAIN_LABELS]
    (write_tiny(tmp_path / "two") / TRAIN_LABELS).write_bytes(labels[:-2] + b"\x01\x00")
    other = prepare_training_set(
        replace(TINY, md5={}),
        Training(validation=0.2),
        data_dir=tmp_path / "two",
        cache=tmp_path / "two",
    )
    assert len({*prints, other.fingerprint}) == 5


@pytest.mark.parametrize("name", TINY_FILES)
@pytest.mark.parametrize("keep", [0, -1], ids=["emptied", "truncated"])
def test_nothing_is_cached_of_a_damaged_data_set(tmp_path: Path, name: str, keep: int) -> None:
    (write_tiny(tmp_path) / name).write_bytes(TINY_FILES[name][:keep])
    with pytest.raises(DataError):
        prepare(tmp_path)
    assert not (tmp_path / "cache").exists()


def test_damage_is_found_although_the_data_set_was_prepared_before(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    prepare(tmp_path)
    (folder / TRAIN_LABELS).write_bytes(TINY_FILES[TRAIN_LABELS][:-1])
    with pytest.raises(DataError):
        prepare(tmp_path)


def test_a_relative_cache_still_gives_paths_that_hold_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    training_set = prepare_training_set(
        TINY, Training(validation=0.2), data_dir=Path(), cache=Path("cache")
    )
    for path in (training_set.images, training_set.labels, training_set.train):
        assert path.is_absolute()
        assert path.exists()


def test_fashion_mnist_is_split_as_d4_splits_it(data_dir: Path, tmp_path: Path) -> None:
    training_set = prepare_training_set(
        DATASETS["fashion-mnist"], Training(validation=0.15), data_dir=data_dir, cache=tmp_path
    )
    labels, images = np.load(training_set.labels), np.load(training_set.images, mmap_mode="r")
    assert np.bincount(labels[np.load(training_set.train)]).tolist() == [5100] * 10
    assert np.bincount(labels[np.load(training_set.validation)]).tolist() == [900] * 10
    assert images.shape == (60_000, 1, 28, 28)
    assert images.dtype == np.uint8


def validation_of(training_set: TrainingSet) -> tuple[list[int], list[int]]:
    """Pixel sums and labels of the validation set, by the files that workers map."""
    chosen = np.load(training_set.validation)
    images, labels = np.load(training_set.images)[chosen], np.load(training_set.labels)[chosen]
    return images.sum((1, 2, 3)).tolist(), labels.tolist()


@pytest.mark.parametrize("cached", [True, False])
def test_a_study_s_validation_set_is_found_again(tmp_path: Path, cached: bool) -> None:
    write_tiny(tmp_path / "data")
    training = Training(validation=0.2, seed=3)
    cache = tmp_path / "cache"
    prepared = prepare_training_set(TINY, training, data_dir=tmp_path / "data", cache=cache)
    images, labels = find_validation_set(
        TINY,
        training,
        data_dir=tmp_path / ("nothing" if cached else "data"),
        cache=cache if cached else tmp_path / "empty",
        fingerprint=prepared.fingerprint,
    )
    assert (images.sum((1, 2, 3)).tolist(), labels.tolist()) == validation_of(prepared)
    assert not (tmp_path / "empty").exists()


def test_other_images_than_the_study_s_are_not_taken_for_its_own(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    with pytest.raises(DataError, match="is not what the study was trained on"):
        find_validation_set(
            TINY, Training(validation=0.2), data_dir=tmp_path, cache=tmp_path, fingerprint="other"
        )


def test_images_that_are_not_there_are_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="`hpsearch data get tiny`"):
        find_validation_set(
            TINY, Training(validation=0.2), data_dir=tmp_path, cache=tmp_path, fingerprint="any"
        )
    assert not list(tmp_path.iterdir())
