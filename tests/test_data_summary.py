from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from made_data import TINY, TRAIN_PIXELS, write_tiny
from test_data_files import MNIST_TEST, MNIST_TRAIN

from hpsearch.catalogue import DATASETS
from hpsearch.data.files import read_train
from hpsearch.data.summary import DatasetSummary, measure_pixels, summarize_dataset
from hpsearch.data.training_set import split_indices
from hpsearch.studytables import Training


def summary_of(name: str, data_dir: Path, training: Training | None = None) -> DatasetSummary:
    images, labels = read_train(DATASETS[name], data_dir=data_dir)
    return summarize_dataset(
        DATASETS[name], training or Training(), images, labels, data_dir=data_dir
    )


def counts(summary: DatasetSummary, part: str) -> list[int]:
    return [getattr(count, part) for count in summary.classes]


def test_levels_are_measured_by_hand() -> None:
    measured = measure_pixels(np.array([[[0, 0], [51, 255]]], dtype=np.uint8), channel=2)
    # mean of 0, 0, 51, 255; variance (2 * 76.5^2 + 25.5^2 + 178.5^2) / 4
    std = 11054.25**0.5
    assert astuple(measured) == pytest.approx((2, 0, 255, 76.5, std, 0.3, std / 255, 0.5))


@pytest.mark.parametrize("num_images", [1, 4096, 4097, 9000])
def test_the_measures_are_numpys_own_however_many_images(num_images: int) -> None:
    levels = np.random.default_rng(0).integers(3, 200, (num_images, 2, 3), dtype=np.uint8)
    measured = measure_pixels(levels)
    assert (measured.min, measured.max) == (levels.min(), levels.max())
    assert measured.mean == pytest.approx(levels.mean())
    assert measured.std == pytest.approx(levels.std())
    assert measured.zero_share == 0


def test_every_channel_is_measured_by_itself(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    images = np.stack([TRAIN_PIXELS, np.full_like(TRAIN_PIXELS, 7)], axis=1)
    labels = np.arange(20) % 2
    summary = summarize_dataset(TINY, Training(), images, labels, data_dir=tmp_path)
    assert [(p.channel, p.min, p.max) for p in summary.pixels] == [(0, 0, 255), (1, 7, 7)]
    assert (summary.pixels[1].mean, summary.pixels[1].std) == (7, 0)


def test_the_parts_are_those_of_the_study_s_split(tmp_path: Path) -> None:
    training = Training(validation=0.25, seed=7, subset=400)
    summary = summary_of("digits", tmp_path, training)
    _, labels = read_train(DATASETS["digits"], data_dir=tmp_path)
    split = split_indices(labels, training)
    assert counts(summary, "train") == np.bincount(labels[split.train]).tolist()
    assert counts(summary, "validation") == np.bincount(labels[split.validation]).tolist()
    assert [sum(counts(summary, part)) for part in ("train", "validation", "test")] == [
        *(300, 100),
        360,
    ]


def test_fashion_mnist_is_as_published(data_dir: Path) -> None:
    summary = summary_of("fashion-mnist", data_dir)
    assert counts(summary, "train") == [5100] * 10
    assert counts(summary, "validation") == [900] * 10
    assert counts(summary, "test") == [1000] * 10
    (pixels,) = summary.pixels
    assert (pixels.min, pixels.max) == (0, 255)
    assert pixels.scaled_mean == pytest.approx(0.2860, abs=5e-5)
    assert pixels.scaled_std == pytest.approx(0.3530, abs=5e-5)


def test_mnist_is_as_published(data_dir: Path) -> None:
    summary = summary_of("mnist", data_dir)
    both = [c.train + c.validation for c in summary.classes]
    assert (both, counts(summary, "test")) == (MNIST_TRAIN, MNIST_TEST)
    assert sum(counts(summary, "validation")) == 9000
    (pixels,) = summary.pixels
    assert pixels.scaled_mean == pytest.approx(0.1307, abs=5e-5)
    assert pixels.scaled_std == pytest.approx(0.3081, abs=5e-5)
