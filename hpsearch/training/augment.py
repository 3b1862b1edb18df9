"""Training images changed at random, a batch at a time, on the device that they are on.

    augment = Augmenter(settings, seed=seed, device=device)    # anew for each epoch
    images = augment(images)                                   # (B, C, H, W) float, 0 to 1

Shift, flips and rotation are one resampling, bilinear and with black beyond the border; without a
rotation they only move pixels, at a tenth of the cost. Then a rectangle is erased, then noise is
added. The generator is this object's own: what else draws random
numbers changes nothing here. Labels, validation and test images are none of its business.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from hpsearch.augmentation import Augmentation

# of `random_erasing`, from Zhong et al. 2020 as torchvision has them; what is erased becomes black
ERASED_SHARE = (0.02, 0.33)
_ASPECT_RATIO = (0.3, 3.3)
_ATTEMPTS = 10  # to find a rectangle that fits; after these the image stays whole


class Augmenter:
    """Changes one epoch's batches, which must come in their order."""

    def __init__(self, settings: Augmentation, *, seed: int, device: torch.device) -> None:
        self._settings = settings
        self._device = device
        self._generator = torch.Generator(device).manual_seed(seed)

    def __call__(self, images: Tensor) -> Tensor:
        """The changed images, in the shape and type of those given, which are left as they are."""
        settings = self._settings
        if settings.rotation:
            images = self._resampled(images)
        else:
            images = self._flipped(images)
            if settings.shift:
                images = shift_pixels(images, self._shifts(len(images)), most=settings.shift)
        if settings.random_erasing:
            images = images * self._kept(images)
        if settings.noise:
            noise = torch.empty_like(images).normal_(generator=self._generator)
            images = noise.mul_(settings.noise).add_(images).clamp_(0, 1)
        return images

    def _uniform(self, *shape: int) -> Tensor:
        """From 0 to below 1."""
        return torch.rand(shape, generator=self._generator, device=self._device)

    def _signs(self, count: int, probability: float) -> Tensor:
        """(B,) of -1 where an image is flipped, and 1."""
        return torch.where(self._uniform(count) < probability, -1.0, 1.0)

    def _flipped(self, images: Tensor) -> Tensor:
        settings, count = self._settings, len(images)
        for dimension, share in ((3, settings.horizontal_flip), (2, settings.vertical_flip)):
            if share:
                flips = (self._uniform(count) < share).view(-1, 1, 1, 1)
                images = torch.where(flips, images.flip(dimension), images)
        return images

    def _shifts(self, count: int) -> Tensor:
        """(B, 2) of whole pixels to the right and down, each from -shift to shift as likely."""
        shift = self._settings.shift
        return (self._uniform(count, 2) * (2 * shift + 1)).floor() - shift

    def _resampled(self, images: Tensor) -> Tensor:
        settings, count = self._settings, len(images)
        return resample(
            images,
            angles=(self._uniform(count) * 2 - 1) * math.radians(settings.rotation),
            shifts=self._shifts(count),
            across=self._signs(count, settings.horizontal_flip),
            down=self._signs(count, settings.vertical_flip),
        )

    def _kept(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) of 0 in the rectangle that is erased, and 1."""
        count, _, height, width = images.shape
        erased = self._uniform(count) < self._settings.random_erasing
        least, most = ERASED_SHARE
        areas = (least + (most - least) * self._uniform(count, _ATTEMPTS)) * (height * width)
        narrow, wide = map(math.log, _ASPECT_RATIO)
        ratios = (narrow + (wide - narrow) * self._uniform(count, _ATTEMPTS)).exp()
        heights, widths = (areas * ratios).sqrt().round(), (areas / ratios).sqrt().round()
        fits = (heights < height) & (widths < width)
        first = fits.to(torch.uint8).argmax(1, keepdim=True)  # of equal ones the first
        erased &= fits.any(1)
        tall, broad = heights.gather(1, first), widths.gather(1, first)  # (B, 1)
        places = self._uniform(count, 2)
        top = (places[:, :1] * (height - tall + 1)).floor()
        left = (places[:, 1:] * (width - broad + 1)).floor()
        rows = torch.arange(height, device=self._device)
        columns = torch.arange(width, device=self._device)
        in_rows = (rows >= top) & (rows < top + tall) & erased.view(-1, 1)  # (B, H)
        in_columns = (columns >= left) & (columns < left + broad)  # (B, W)
        inside = in_rows.unsqueeze(2) & in_columns.unsqueeze(1)
        return (~inside).unsqueeze(1).to(images.dtype)


def shift_pixels(images: Tensor, shifts: Tensor, *, most: int) -> Tensor:
    """The images moved, with black where nothing comes in.

    Args:
        images: (B, C, H, W).
        shifts: (B, 2) of whole pixels to the right and down.
        most: the largest that a shift can be.
    """
    count, channels, height, width = images.shape
    padded = pad(images, [most] * 4).contiguous()
    tall, broad = height + 2 * most, width + 2 * most
    # every stretch of `width` pixels in memory, as rows that overlap: nothing is copied
    rows = padded.as_strided((padded.numel() - width + 1, width), (1, 1))
    right, down = (most - shifts.long()).unbind(1)  # where an image is read from
    corners = (down * broad + right).view(-1, 1, 1)
    planes = torch.arange(count * channels, device=images.device) * (tall * broad)
    lines = torch.arange(height, device=images.device) * broad
    starts = corners + planes.view(count, channels, 1) + lines  # (B, C, H)
    return rows.index_select(0, starts.flatten()).view(images.shape)


def resample(
    images: Tensor, *, angles: Tensor, shifts: Tensor, across: Tensor, down: Tensor
) -> Tensor:
    """The images flipped, turned about their middle, then moved; black comes in.

    Args:
        images: (B, C, H, W).
        angles: (B,) in radians, against the clock.
        shifts: (B, 2) of pixels to the right and down.
        across: (B,) of -1 where an image is flipped from left to right, else 1.
        down: (B,) the same from top to bottom.
    """
    height, width = images.shape[2:]
    cos, sin = angles.cos(), angles.sin()
    # from output to input, in coordinates from -1 to 1 over the image
    of_x = torch.stack([across * cos, -across * sin * (height / width)], 1)
    of_y = torch.stack([down * sin * (width / height), down * cos], 1)
    matrix = torch.stack([of_x, of_y], 1)  # (B, 2, 2)
    moved = shifts * torch.tensor([2 / width, 2 / height], device=images.device)
    offset = -(matrix @ moved.unsqueeze(2))  # (B, 2, 1)
    grid = affine_grid(torch.cat([matrix, offset], 2), list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="zeros", align_corners=False)
