import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_data import (
    TEST_CLASSES,
    TEST_PIXELS,
    TINY,
    TINY_FILES,
    TRAIN_CLASSES,
    TRAIN_PIXELS,
    idx_bytes,
    write_tiny,
)
from sklearn.datasets import load_digits
from torchvision import datasets

from hpsearch.catalogue import DATASETS, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from hpsearch.data.files import (
    check_file,
    count_test_classes,
    ensure_files,
    fingerprint_train,
    raw_folder,
    read_test,
    read_train,
)
from hpsearch.errors import DataError

# Published: http://yann.lecun.com/exdb/mnist; Fashion-MNIST has 6,000 and 1,000 of each class.
MNIST_TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_good_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    ensure_files(TINY, data_dir=tmp_path)
    images, labels = read_train(TINY, data_dir=tmp_path)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(images, TRAIN_PIXELS[:, np.newaxis])
    np.testing.assert_array_equal(labels, TRAIN_CLASSES)


def test_the_test_set_is_read_from_its_own_files(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    images, labels = read_test(TINY, data_dir=tmp_path)
    np.testing.assert_array_equal(images, TEST_PIXELS[:, np.newaxis])
    np.testing.assert_array_equal(labels, TEST_CLASSES)


def test_the_test_images_are_counted_by_class_without_their_file(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    (folder / TEST_IMAGES).unlink()
    (folder / TEST_LABELS).write_bytes(idx_bytes(np.array([1] * 7 + [0] * 3, dtype=np.uint8)))
    assert count_test_classes(TINY, data_dir=tmp_path) == [3, 7]


def test_the_counted_test_digits_are_those_that_are_sealed(tmp_path: Path) -> None:
    _, labels = read_test(DATASETS["digits"], data_dir=tmp_path)
    counts = count_test_classes(DATASETS["digits"], data_dir=tmp_path)
    assert counts == np.bincount(labels).tolist()
    assert sum(counts) == 360


DAMAGE = {
    "empty": lambda content: b"",
    "header only": lambda content: content[:8],
    "truncated by a byte": lambda content: content[:-1],
    "a byte too long": lambda content: content + b"\0",
    "another type": lambda content: content[:2] + b"\x0d" + content[3:],
    "another number of images": lambda content: content[:7] + b"\x13" + content[8:],
    "one bit flipped": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", TINY_FILES)
def test_a_damaged_file_is_refused_by_its_name(tmp_path: Path, name: str, damage: str) -> None:
    path = write_tiny(tmp_path) / name
    path.write_bytes(DAMAGE[damage](TINY_FILES[name]))
    with pytest.raises(DataError, match="hpsearch data get tiny") as caught:
        ensure_files(TINY, data_dir=tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("damage", [name for name in DAMAGE if name != "one bit flipped"])
def test_the_header_and_size_are_checked_where_no_md5_is_known(tmp_path: Path, damage: str) -> None:
    path = write_tiny(tmp_path) / TRAIN_IMAGES
    path.write_bytes(DAMAGE[damage](TINY_FILES[TRAIN_IMAGES]))
    with pytest.raises(DataError):
        check_file(replace(TINY, md5={}), path)


def test_labels_in_the_place_of_images_are_refused(tmp_path: Path) -> None:
    path = write_tiny(tmp_path) / TRAIN_IMAGES
    path.write_bytes(TINY_FILES[TRAIN_LABELS])
    with pytest.raises(DataError, match="bytes"):
        check_file(replace(TINY, md5={}), path)


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    path = write_tiny(tmp_path) / TRAIN_IMAGES
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        ensure_files(TINY, data_dir=tmp_path)


def test_only_checked_files_are_read_whatever_else_lies_beside_them(tmp_path: Path) -> None:
    """torchvision prefers the `processed` folder of its versions before 0.9 where there is one."""
    processed = write_tiny(tmp_path).parent / "processed"
    processed.mkdir()
    wrong = (torch.zeros(20, 4, 4, dtype=torch.uint8), torch.zeros(20, dtype=torch.int64))
    for name in ("training.pt", "test.pt"):
        torch.save(wrong, processed / name)
    ensure_files(TINY, data_dir=tmp_path)
    images, labels = read_train(TINY, data_dir=tmp_path)
    np.testing.assert_array_equal(images[:, 0], TRAIN_PIXELS)
    np.testing.assert_array_equal(labels, TRAIN_CLASSES)


def use_mirror(monkeypatch: pytest.MonkeyPatch, *, port: int) -> None:
    monkeypatch.setenv("no_proxy", "*")
    for kind in (datasets.MNIST, datasets.FashionMNIST, datasets.KMNIST):
        monkeypatch.setattr(kind, "mirrors", [f"http://127.0.0.1:{port}/"])


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads find nobody listening."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    use_mirror(monkeypatch, port=port)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist"])
def test_without_network_and_data_it_says_what_to_put_where(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    info = DATASETS[name]
    with pytest.raises(DataError) as caught:
        ensure_files(info, data_dir=tmp_path)
    message = str(caught.value)
    assert str(raw_folder(info, data_dir=tmp_path)) in message
    for file in TINY_FILES:
        assert file in message
    assert "--study cnn-digits" in message
    assert "\n" not in message
    assert capsys.readouterr().out == "", "standard output belongs to the command's result"


@pytest.mark.usefixtures("no_network")
def test_a_failed_download_leaves_the_data_folder_as_it_was(tmp_path: Path) -> None:
    there, not_there = tmp_path / "there", tmp_path / "not_there"
    there.mkdir()
    for data_dir in (there, not_there):
        with pytest.raises(DataError):
            ensure_files(DATASETS["mnist"], data_dir=data_dir)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


@pytest.mark.usefixtures("no_network")
def test_one_missing_file_is_not_passed_over(tmp_path: Path) -> None:
    (write_tiny(tmp_path) / TEST_LABELS).unlink()
    with pytest.raises(DataError, match="cannot be downloaded"):
        ensure_files(TINY, data_dir=tmp_path)


@pytest.mark.usefixtures("no_network")
def test_a_file_in_the_place_of_the_data_folder_is_refused(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.write_text("not a folder")
    with pytest.raises(DataError):
        ensure_files(TINY, data_dir=data_dir)


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """A server on this machine that answers every request with `reply`; its port."""

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(reply)

    server = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(timeout=5)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 404 Not Found\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nplease log in to this network",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\nshort",
        b"this is no HTTP\r\n\r\n",
        b"",
    ],
    ids=["not found", "another page", "cut short", "no HTTP", "no answer"],
)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # urllib's, of an answer not HTTP
def test_a_download_that_goes_wrong_is_a_data_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: bytes
) -> None:
    with answering(reply) as port:
        use_mirror(monkeypatch, port=port)
        with pytest.raises(DataError, match="cannot be downloaded"):
            ensure_files(DATASETS["mnist"], data_dir=tmp_path)
    gc.collect()  # now, not under the next test's rules


def test_the_fingerprint_follows_the_training_files(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    before = fingerprint_train(TINY, data_dir=tmp_path)
    (folder / TEST_LABELS).write_bytes(b"the test set has no part in it")
    assert fingerprint_train(TINY, data_dir=tmp_path) == before
    content = TINY_FILES[TRAIN_LABELS]
    (folder / TRAIN_LABELS).write_bytes(content[:-1] + b"\x09")
    assert fingerprint_train(TINY, data_dir=tmp_path) != before


@pytest.mark.parametrize(
    ("name", "train_counts", "test_counts", "mean", "deviation"),
    [
        # means and deviations as published with PyTorch's examples
        ("mnist", MNIST_TRAIN, MNIST_TEST, 0.1307, 0.3081),
        ("fashion-mnist", [6000] * 10, [1000] * 10, 0.2860, 0.3530),
    ],
)
def test_the_real_data_has_the_published_counts_and_pixels(
    data_dir: Path,
    name: str,
    train_counts: list[int],
    test_counts: list[int],
    mean: float,
    deviation: float,
) -> None:
    info = DATASETS[name]
    ensure_files(info, data_dir=data_dir)
    images, labels = read_train(info, data_dir=data_dir)
    _, test_labels = read_test(info, data_dir=data_dir)
    assert images.shape == (60_000, 1, 28, 28)
    assert np.bincount(labels).tolist() == train_counts
    assert np.bincount(test_labels).tolist() == test_counts
    levels = np.bincount(images.ravel(), minlength=256) / images.size
    values = np.arange(256) / 255
    assert levels @ values == pytest.approx(mean, abs=5e-5)
    assert np.sqrt(levels @ values**2 - (levels @ values) ** 2) == pytest.approx(
        deviation, abs=5e-5
    )


def test_a_single_wrong_label_in_the_real_data_is_found(data_dir: Path, tmp_path: Path) -> None:
    info = DATASETS["mnist"]
    source, folder = raw_folder(info, data_dir=data_dir), raw_folder(info, data_dir=tmp_path)
    folder.mkdir(parents=True)
    for path in source.iterdir():
        (folder / path.name).symlink_to(path)
    content = bytearray((source / TRAIN_LABELS).read_bytes())
    content[8 + 1234] ^= 1
    (folder / TRAIN_LABELS).unlink()
    (folder / TRAIN_LABELS).write_bytes(content)
    with pytest.raises(DataError, match="MD5"):
        ensure_files(info, data_dir=tmp_path)


def test_the_digits_are_split_into_1437_and_360_disjoint_and_stratified(tmp_path: Path) -> None:
    info = DATASETS["digits"]
    ensure_files(info, data_dir=tmp_path)
    train_images, train_labels = read_train(info, data_dir=tmp_path)
    test_images, test_labels = read_test(info, data_dir=tmp_path)
    assert train_images.shape == (1437, 1, 8, 8)
    assert test_images.shape == (360, 1, 8, 8)
    digits = load_digits()
    whole = sorted(
        (image.round().astype(np.uint8).tobytes(), label)
        for image, label in zip(digits.images, digits.target.tolist(), strict=True)
    )
    both = np.concatenate([train_images, test_images])
    levels = np.rint(both[:, 0] / 255 * 16).astype(np.uint8)
    labels = np.concatenate([train_labels, test_labels]).tolist()
    parts = sorted((image.tobytes(), label) for image, label in zip(levels, labels, strict=True))
    assert parts == whole, "every image is in exactly one of the two"
    shares = np.bincount(digits.target) * 360 / 1797
    assert np.abs(np.bincount(test_labels) - shares).max() < 1


def test_the_brightest_digit_pixel_is_255(tmp_path: Path) -> None:
    images, _ = read_train(DATASETS["digits"], data_dir=tmp_path)
    assert images.min() == 0
    assert images.max() == 255
    assert len(np.unique(images)) == 17


def test_nothing_is_written_to_read_the_digits(tmp_path: Path) -> None:
    ensure_files(DATASETS["digits"], data_dir=tmp_path)
    read_train(DATASETS["digits"], data_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
