from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from made_data import prepare_digits
from made_plans import (
    CNN,
    CPU,
    MLP,
    make_plan,
    start,
    train_with_and_without_a_break,
    without_times,
)
from torch import Tensor

from hpsearch.augmentation import Augmentation
from hpsearch.data.tensors import load_device_data
from hpsearch.data.training_set import TrainingSet
from hpsearch.training.augment import ERASED_SHARE, Augmenter, resample, shift_pixels

EVERYTHING = {
    "augmentation.shift": 1,
    "augmentation.rotation": 10.0,
    "augmentation.horizontal_flip": True,
    "augmentation.random_erasing": 0.5,
    "augmentation.noise": 0.05,
}


@pytest.fixture
def digits(tmp_path: Path) -> TrainingSet:
    return prepare_digits(tmp_path)


def pictures(count: int = 6, channels: int = 3, height: int = 10, width: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(count, channels, height, width, generator=generator)


def augmenter(seed: int = 5, **settings: Any) -> Augmenter:
    return Augmenter(Augmentation(**settings), seed=seed, device=CPU)


def rolled(image: Tensor, right: int, down: int) -> Tensor:
    """The same by torch.roll, with what came round made black."""
    moved = image.roll((down, right), (1, 2))
    rows, columns = torch.arange(image.shape[1]), torch.arange(image.shape[2])
    inside = ((rows - down).clamp(0, image.shape[1] - 1) == rows - down).view(-1, 1)
    return moved * (inside & ((columns - right).clamp(0, image.shape[2] - 1) == columns - right))


SHIFTS = [(0, 0), (2, 0), (-2, 1), (1, -2), (-1, -1), (2, 2)]


def test_shifted_images_are_rolled_ones_with_black_coming_in() -> None:
    images = pictures()
    expected = torch.stack([rolled(x, *shift) for x, shift in zip(images, SHIFTS, strict=True)])
    assert torch.equal(shift_pixels(images, torch.tensor(SHIFTS), most=2), expected)


def plain(count: int) -> dict[str, Tensor]:
    ones = torch.ones(count)
    return {
        "angles": torch.zeros(count),
        "shifts": torch.zeros(count, 2),
        "across": ones,
        "down": ones,
    }


def test_resampling_by_whole_pixels_is_the_same_shift() -> None:
    images, shifts = pictures(), torch.tensor(SHIFTS).float()
    moved = resample(images, **{**plain(len(images)), "shifts": shifts})
    torch.testing.assert_close(moved, shift_pixels(images, shifts, most=2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2])
def test_resampling_by_quarter_turns_is_rot90(quarters: int) -> None:
    images = pictures(height=11, width=11)
    angles = torch.full((len(images),), quarters * torch.pi / 2)
    turned = resample(images, **{**plain(len(images)), "angles": angles})
    torch.testing.assert_close(turned, images.rot90(quarters, (2, 3)), atol=1e-5, rtol=0)


def test_what_is_turned_keeps_its_form_in_images_that_are_not_square() -> None:
    """A point to the right of the middle goes as many pixels above it."""
    images = torch.zeros(1, 1, 9, 15)
    images[0, 0, 4, 7 + 3] = 1
    turned = resample(images, **{**plain(1), "angles": torch.tensor([torch.pi / 2])})
    assert turned[0, 0, 4 - 3, 7] == pytest.approx(1, abs=1e-5)
    assert float(turned.sum()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("flip", "dimension"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_a_flip_of_probability_1_is_torch_flip_and_of_0_none(flip: str, dimension: int) -> None:
    images = pictures()
    assert torch.equal(augmenter(**{flip: 1.0})(images), images.flip(dimension))
    signs = {"across" if dimension == 3 else "down": -torch.ones(len(images))}
    resampled = resample(images, **{**plain(len(images)), **signs})
    torch.testing.assert_close(resampled, images.flip(dimension), atol=1e-5, rtol=0)
    assert torch.equal(augmenter(**{flip: 0.0})(images), images)


def test_a_flip_is_of_as_many_images_as_its_probability_says() -> None:
    images = pictures(count=4_000, height=2, width=2)
    flipped = augmenter(horizontal_flip=0.3)(images)
    share = (flipped == images.flip(3)).flatten(1).all(1).float().mean()
    assert float(share) == pytest.approx(0.3, abs=0.03)  # four deviations


def test_every_shift_up_to_the_largest_is_as_likely() -> None:
    images = torch.zeros(5_000, 1, 7, 7)
    images[:, :, 3, 3] = 1
    where = augmenter(shift=2)(images).mean((0, 1))
    assert torch.equal(where[1:6, 1:6], where[where > 0].view(5, 5)), "none is further"
    assert (where[1:6, 1:6] - 1 / 25).abs().max() < 0.011  # four deviations


def test_rotations_are_up_to_the_largest_angle_either_way() -> None:
    images = torch.zeros(2_000, 1, 41, 41)
    images[:, :, 20, 40] = 1  # to the right of the middle
    turned = augmenter(rotation=30.0)(images)
    rows = torch.arange(41).view(1, 41, 1)
    heights = 20 - (turned[:, 0] * rows).sum((1, 2)) / turned[:, 0].sum((1, 2))
    angles = torch.rad2deg((heights / 20).clamp(-1, 1).asin())
    assert 27 < float(angles.max()) < 31.5
    assert -31.5 < float(angles.min()) < -27
    assert float(angles.mean()) == pytest.approx(0, abs=1.6)  # four deviations


def test_the_noise_has_the_deviation_that_was_asked_for() -> None:
    grey = torch.full((50, 1, 28, 28), 0.5)
    noise = augmenter(noise=0.05)(grey) - grey
    assert float(noise.std()) == pytest.approx(0.05, rel=0.02)
    assert float(noise.mean()) == pytest.approx(0, abs=0.002)


def test_noisy_pixels_stay_between_0_and_1() -> None:
    noisy = augmenter(noise=1.0)(pictures())
    assert (float(noisy.min()), float(noisy.max())) == (0, 1)


def test_one_rectangle_is_erased_of_as_many_images_and_as_large_as_torchvision_does() -> None:
    white = torch.ones(3_000, 2, 28, 28)
    erased = augmenter(random_erasing=0.4)(white) == 0
    assert torch.equal(erased[:, 0], erased[:, 1]), "in all channels"
    hit = erased[erased.flatten(1).any(1)][:, 0]
    assert len(hit) / 3_000 == pytest.approx(0.4, abs=0.036)  # four deviations
    tall, broad = hit.any(2).sum(1), hit.any(1).sum(1)
    assert torch.equal(hit.sum((1, 2)), tall * broad), "a rectangle"
    share = (tall * broad) / 28**2
    slack = 0.5 * (tall + broad) / 28**2 + 1e-3  # of rounding both sides to pixels
    assert bool(((share > ERASED_SHARE[0] - slack) & (share < ERASED_SHARE[1] + slack)).all())
    assert float(share.mean()) == pytest.approx(sum(ERASED_SHARE) / 2, abs=0.02)


def test_erasing_is_torchvisions_in_the_mean() -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    torch.manual_seed(0)
    theirs = torch.stack(
        [transforms.RandomErasing(p=1.0)(torch.ones(1, 20, 20)) for _ in range(2_000)]
    )
    ours = augmenter(random_erasing=1.0)(torch.ones(2_000, 1, 20, 20))
    assert (ours.mean((0, 1)) - theirs.mean((0, 1))).abs().max() < 0.055  # four deviations
    assert float(ours.mean()) == pytest.approx(float(theirs.mean()), abs=0.01)


@pytest.mark.parametrize("settings", [{"shift": 1}, {"rotation": 5.0}, {"noise": 0.1}])
def test_the_images_that_are_given_stay_as_they_are(settings: dict[str, Any]) -> None:
    images = pictures()
    before = images.clone()
    changed = augmenter(**settings)(images)
    assert torch.equal(images, before)
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)


def test_a_seed_says_everything_and_other_random_numbers_nothing() -> None:
    images = pictures()
    settings = {"shift": 2, "rotation": 9.0, "random_erasing": 0.5, "noise": 0.1}
    one = augmenter(**settings)(images)
    torch.rand(7)
    assert torch.equal(augmenter(**settings)(images), one)
    assert not torch.equal(augmenter(seed=6, **settings)(images), one)


# --- in a training


@pytest.mark.parametrize(
    ("model", "values", "method"),
    [
        ("mlp", MLP, "fp32, contiguous, written-out"),
        ("mlp", {**MLP, "batch_norm": True}, "fp32, contiguous, autograd"),
        ("cnn", CNN, "fp32, channels-last, autograd"),
        ("cnn", {"conv.filters": 16, "dense.units": 8}, "fp32, blocked, autograd"),
    ],
)
def test_every_method_trains_on_changed_images_and_goes_on_bit_for_bit(
    model: Any, values: Any, method: str, digits: TrainingSet, tmp_path: Path
) -> None:
    plan = make_plan(digits, {**values, **EVERYTHING}, model=model)
    unbroken, _ = train_with_and_without_a_break(plan, tmp_path)
    assert str(unbroken.method) == method
    history = without_times(unbroken.history)
    unchanged = without_times(list(start(make_plan(digits, values, model=model)).epochs()))
    assert history[0].loss != unchanged[0].loss


def test_validation_images_are_never_changed(digits: TrainingSet) -> None:
    """Weights that hardly move: validation is the same, the training images are not."""
    frozen = {**MLP, "dropout": 0.0, "learning_rate": 1e-30, "optimizer": "sgd", "momentum": 0.0}
    strong = {**frozen, **EVERYTHING, "augmentation.noise": 1.0}
    (plain_epoch, *_), (changed, *_) = (
        list(start(make_plan(digits, values)).epochs()) for values in (frozen, strong)
    )
    assert changed.val_loss == plain_epoch.val_loss
    assert changed.val_accuracy == plain_epoch.val_accuracy
    assert changed.loss != pytest.approx(plain_epoch.loss, rel=0.01)


def test_labels_go_with_their_images(digits: TrainingSet) -> None:
    """Images that are all of one class's colour can be told apart however they are changed."""
    data = load_device_data(digits, device=CPU)
    colours = (data.train.labels * 28).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    sets = (replace(part, images=colours.contiguous()) for part in
            (data.train, data.validation, data.everything))  # fmt: skip
    values = {**MLP, "learning_rate": 0.01, "dropout": 0.0, "augmentation.horizontal_flip": True}
    plan = make_plan(digits, values, epochs=60, stop_after=60)
    history = list(start(plan, type(data)(*sets)).epochs())
    assert history[-1].accuracy > 0.6, "a tenth would be chance"


def test_every_epoch_changes_the_images_anew(digits: TrainingSet) -> None:
    values = {**MLP, "dropout": 0.0, "learning_rate": 1e-30, "optimizer": "sgd", "momentum": 0.0}
    plan = make_plan(digits, {**values, "augmentation.noise": 0.3})
    losses = [metrics.loss for metrics in start(plan).epochs()]
    assert len(set(losses)) == len(losses)


def test_augmentation_is_part_of_a_plan(digits: TrainingSet) -> None:
    none, some, same = (
        make_plan(digits, {**MLP, **values}).fingerprint
        for values in ({}, {"augmentation.shift": 2}, {"augmentation.noise": 0})
    )
    assert none != some
    assert none == same, "what changes nothing is nothing"
