"""Data of one's own: described, sealed, opened part by part, the same wherever they are."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_images import colours, described, write_folder, write_idx, write_npz
from PIL import Image

from hpsearch.catalogue import DATASETS, dataset_of, found_of
from hpsearch.data import folder as folders
from hpsearch.data.files import count_test_classes, fingerprint_train, read_test, read_train
from hpsearch.data.own import seal
from hpsearch.data.training_set import prepare_training_set
from hpsearch.errors import DataError
from hpsearch.studytables import OwnImages, Training

HALF = Training(validation=0.5)


@given(
    st.lists(st.integers(3, 60), min_size=2, max_size=6),
    st.floats(0.01, 0.99),
    st.randoms(use_true_random=False),
)
def test_a_sealed_share_is_of_every_class_and_leaves_two(counts, share, random) -> None:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    random.shuffle(labels)
    array = np.array(labels)
    sealed = seal(array, share=share)
    assert sorted([*sealed.train, *sealed.test]) == list(range(len(labels)))
    left, kept = np.bincount(array[sealed.train]), np.bincount(array[sealed.test])
    assert left.min() >= 2
    assert kept.min() >= 1
    for count, num in zip(counts, kept, strict=True):
        assert abs(num - share * count) <= 0.5 or num in (1, count - 2)
    again = seal(array, share=share)
    assert np.array_equal(again.test, sealed.test), "the sealed images never change"


def test_the_sealed_images_are_those_of_numpys_frozen_generator() -> None:
    sealed = seal(np.array([0] * 5 + [1] * 5), share=0.4)
    # np.random.RandomState(0).permutation(5) is [2, 0, 1, 3, 4]; the next one is [0, 4, 2, 1, 3]
    random = np.random.RandomState(0)
    first, second = random.permutation(5), random.permutation(5)
    assert first.tolist() == [2, 0, 1, 3, 4]
    assert sealed.test.tolist() == sorted([2, 0, *(second[:2] + 5)])


def test_a_folder_is_described_in_the_order_of_its_names(tmp_path: Path) -> None:
    write_folder(tmp_path / "pets", {"dog": 10, "Cat": 5, "eel": 15})
    info = described(f"folder:{tmp_path / 'pets'}")
    assert info.class_names == ("Cat", "dog", "eel")
    assert info.image_shape == (3, 6, 5)
    assert (info.num_train, info.num_test) == (24, 6), "a fifth of 5, 10 and 15"
    assert count_test_classes(info, data_dir=tmp_path) == [1, 2, 3]
    assert (info.title, info.own and info.own.is_sealed) == ("pets", True)


def test_train_and_test_have_every_image_once(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "pets", {"cat": 7, "dog": 9})
    info = described(f"folder:{path}")
    train, labels = read_train(info, data_dir=tmp_path)
    test, test_labels = read_test(info, data_dir=tmp_path)
    found = {image.tobytes() for image in [*train, *test]}
    expected = {
        np.moveaxis(np.asarray(Image.open(file)), -1, 0).tobytes() for file in path.rglob("*.png")
    }
    assert found == expected
    assert len(train) + len(test) == len(expected) == 16
    assert np.bincount([*labels, *test_labels]).tolist() == [7, 9]


def test_a_test_folder_is_the_test_set(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"a": 4, "b": 4})
    write_folder(tmp_path / "test", {"a": 2, "b": 3}, seed=1)
    info = described(f"folder:{tmp_path}")
    assert (info.num_train, info.num_test) == (8, 5)
    assert count_test_classes(info, data_dir=tmp_path) == [2, 3]
    images, _ = read_test(info, data_dir=tmp_path)
    assert images.flags.c_contiguous
    first = np.asarray(Image.open(tmp_path / "test" / "a" / "0000.png"))
    assert np.array_equal(images[0], np.moveaxis(first, -1, 0))


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    """Means of transport, and kinds of exam: without folders in them they are classes."""
    write_folder(tmp_path, {"car": 4, "train": 4, "test": 4})
    assert described(f"folder:{tmp_path}").class_names == ("car", "test", "train")


@pytest.mark.parametrize("with_test", [False, True])
def test_decoding_the_training_part_opens_no_test_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_test: bool
) -> None:
    path = tmp_path / "data"
    if with_test:
        write_folder(path / "train", {"a": 6, "b": 6})
        write_folder(path / "test", {"a": 2, "b": 2}, seed=1)
    else:
        write_folder(path, {"a": 8, "b": 8})
    info = described(f"folder:{path}")
    decoded: list[Path] = []
    read_pixels = folders.read_pixels

    def watched(file: Path, *, shape: tuple[int, int, int]) -> folders.Images:
        decoded.append(file)
        return read_pixels(file, shape=shape)

    monkeypatch.setattr(folders, "read_pixels", watched)
    prepare_training_set(info, HALF, data_dir=tmp_path, cache=tmp_path / "cache")
    for_training = set(decoded)
    assert len(decoded) == info.num_train
    decoded.clear()
    read_test(info, data_dir=tmp_path)
    assert len(decoded) == info.num_test
    assert not for_training & set(decoded)


def test_a_broken_test_image_does_not_keep_from_training(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_folder(data / "train", {"a": 4, "b": 4})
    write_folder(data / "test", {"a": 2, "b": 2}, seed=1)
    broken = data / "test" / "b" / "0001.png"
    broken.write_bytes(broken.read_bytes()[:-30])
    info = described(f"folder:{data}")
    prepare_training_set(info, HALF, data_dir=tmp_path, cache=tmp_path / "cache")
    with pytest.raises(DataError, match=r"test/b/0001\.png: cannot be read"):
        read_test(info, data_dir=tmp_path)


def test_the_same_images_have_the_same_fingerprint_elsewhere(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "one", {"a": 5, "b": 5})
    shutil.copytree(path, tmp_path / "two" / "other")
    one, two = (described(f"folder:{p}") for p in (path, tmp_path / "two" / "other"))
    first = fingerprint_train(one, data_dir=tmp_path)
    assert fingerprint_train(two, data_dir=tmp_path) == first
    Image.fromarray(colours(1, seed=9)[0]).save(path / "a" / "0000.png")
    Image.fromarray(colours(1, seed=8)[0]).save(path / "a" / "0001.png")
    Image.fromarray(colours(1, seed=7)[0]).save(path / "a" / "0002.png")
    assert fingerprint_train(one, data_dir=tmp_path) != first
    smaller = described(f"folder:{tmp_path / 'two' / 'other'}", size=3)
    assert fingerprint_train(smaller, data_dir=tmp_path) != first


def test_folder_archive_and_idx_files_give_the_same_grey_images(tmp_path: Path) -> None:
    pixels, labels = colours(20)[..., 0], (np.arange(20) // 10).astype(np.uint8)
    for name in "01":
        (tmp_path / "folder" / name).mkdir(parents=True)
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        Image.fromarray(image).save(tmp_path / "folder" / str(label) / f"{number:02}.png")
    np.savez_compressed(tmp_path / "a.npz", x_train=pixels, y_train=labels[:, None])
    write_idx(tmp_path / "idx", train_images=pixels, train_labels=labels)
    places = {"folder": "folder", "npz": "a.npz", "idx": "idx"}
    infos = [described(f"{kind}:{tmp_path / place}") for kind, place in places.items()]
    assert {(i.image_shape, i.class_names, i.num_train, i.num_test) for i in infos} == {
        ((1, 6, 5), ("0", "1"), 16, 4)
    }
    for read in (read_train, read_test):
        images, classes = zip(*(read(info, data_dir=tmp_path) for info in infos), strict=True)
        assert all(np.array_equal(images[0], other) for other in images[1:])
        assert all(np.array_equal(classes[0], other) for other in classes[1:])


def test_an_archive_by_keras_names_has_its_test_part_and_class_names(tmp_path: Path) -> None:
    path = write_npz(
        tmp_path / "a.npz",
        x_test=colours(6, seed=1),
        y_test=np.array([0, 1, 1, 0, 1, 1]),
        class_names=np.array(["even", "odd"]),
    )
    info = described(f"npz:{path}")
    assert (info.title, info.class_names, info.num_train, info.num_test) == (
        *("a", ("even", "odd")),
        *(20, 6),
    )
    images, labels = read_test(info, data_dir=tmp_path)
    assert np.array_equal(images, np.moveaxis(colours(6, seed=1), -1, 1))
    assert labels.tolist() == [0, 1, 1, 0, 1, 1]


def test_images_are_brought_to_the_size_and_channels_that_are_asked_for(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz")
    info = described(f"npz:{path}", size=[4, 8], channels="grey")
    assert info.image_shape == (1, 4, 8)
    images, _ = read_train(info, data_dir=tmp_path)
    assert images.shape == (16, 1, 4, 8)
    image = Image.fromarray(colours(20)[0]).convert("L").resize((8, 4), Image.Resampling.BILINEAR)
    assert any(np.array_equal(one[0], np.asarray(image)) for one in images)


def test_a_set_is_in_colour_if_any_of_its_images_is(tmp_path: Path) -> None:
    path = write_folder(tmp_path, {"a": 4, "b": 4})
    for file in path.rglob("*.png"):
        Image.open(file).convert("L").save(file)
    assert described(f"folder:{path}").image_shape == (1, 6, 5)
    Image.fromarray(colours(1)[0]).save(path / "b" / "0000.png")
    assert described(f"folder:{path}").image_shape == (3, 6, 5)
    assert described(f"folder:{path}", channels="grey").image_shape == (1, 6, 5)


def test_a_description_is_kept_in_a_document_and_read_without_the_files(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "pets", {"a": 4, "b": 4})
    info = described(f"folder:{path}", size=[4, 8])
    settings = OwnImages(size=(4, 8))
    shutil.rmtree(path)
    document = {
        "dataset": info.name,
        "data": settings.model_dump(mode="json"),
        "found": found_of(info),
    }
    assert dataset_of(document) == info


def test_data_that_changed_since_they_were_described_are_refused(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "pets", {"a": 4, "b": 4})
    info = described(f"folder:{path}")
    (path / "a" / "0003.png").unlink()
    with pytest.raises(DataError, match="is not what it was: 2 classes, 5 training"):
        read_train(info, data_dir=tmp_path)


@pytest.mark.parametrize("validation", [0.01, 0.9])
def test_a_split_that_leaves_a_class_without_images_is_refused(
    tmp_path: Path, validation: float
) -> None:
    path = write_folder(tmp_path / "pets", {"many": 80, "rare": 3})
    info = described(f"folder:{path}")
    with pytest.raises(
        DataError, match=r"'rare' has 2 training images|leave no image of some class"
    ):
        prepare_training_set(
            info, Training(validation=validation), data_dir=tmp_path, cache=tmp_path / "cache"
        )
    assert not (tmp_path / "cache").exists()


def test_data_that_the_disk_has_no_room_for_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_folder(tmp_path / "pets", {"a": 4, "b": 4})
    info = described(f"folder:{path}", size=1000)
    usage = shutil.disk_usage(tmp_path)._replace(free=10**7)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    refusal = (
        r"6 images of 3 x 1000 x 1000 pixels need 0\.02 GB, and .* has 0\.01 GB left; choose a "
        r"smaller \[data\] size"
    )
    with pytest.raises(DataError, match=refusal):
        prepare_training_set(info, HALF, data_dir=tmp_path, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_both_sides_of_a_split_of_imbalanced_data_keep_the_class_shares(tmp_path: Path) -> None:
    path = write_npz(
        tmp_path / "a.npz", x_train=colours(250), y_train=np.repeat([0, 1, 2], [200, 40, 10])
    )
    info = described(f"npz:{path}")
    assert count_test_classes(info, data_dir=tmp_path) == [40, 8, 2]
    prepared = prepare_training_set(
        info, Training(validation=0.25), data_dir=tmp_path, cache=tmp_path / "cache"
    )
    labels = np.load(prepared.labels)
    assert np.bincount(labels[np.load(prepared.validation)]).tolist() == [40, 8, 2]
    assert np.bincount(labels[np.load(prepared.train)]).tolist() == [120, 24, 6]


def test_mnists_own_files_are_read_as_by_its_name(data_dir: Path, tmp_path: Path) -> None:
    known = DATASETS["fashion-mnist"]
    info = described(f"idx:{data_dir / 'FashionMNIST' / 'raw'}")
    assert (info.image_shape, info.num_train, info.num_test) == ((1, 28, 28), 60_000, 10_000)
    assert info.own is not None
    assert not info.own.is_sealed
    for read in (read_train, read_test):
        (ours, labels), (images, classes) = (read(i, data_dir=data_dir) for i in (info, known))
        assert np.array_equal(ours, images)
        assert np.array_equal(labels, classes)
