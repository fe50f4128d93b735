"""Training images, changed at random. Everything is computed on their device, the random numbers on the CPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

PADDING = 4  # pixels by which a training image is shifted at most
_MAGNITUDE = 8 / 30  # of RandAugment, of each operation's range
_ERASED = 0.25  # probability that a rectangle is erased
_AREA = (0.02, 1 / 3)  # of the rectangle, as a part of the image
_RATIO = (0.3, 3.3)  # of its height to its width


def augmented(batch: torch.Tensor, order: torch.Generator, *, strong: bool = False) -> torch.Tensor:
    """Each image flipped or not and shifted by up to `PADDING` pixels, black outside.

    Args:
        batch: uint8, shape (n, channels, height, width).
        order: decides.
        strong: one operation of RandAugment (Cubuk et al., 2020; without equalize and sharpness), and with a
            probability of 1/4 a random rectangle erased (Zhong et al., 2020), too.
    """
    moved = _moved(batch, order)
    return _erased(_rand_augmented(moved, order), order) if strong else moved


def _moved(batch: torch.Tensor, order: torch.Generator) -> torch.Tensor:
    place = batch.device
    count, _, height, width = batch.shape
    padded = nn.functional.pad(batch, (PADDING,) * 4)
    top, left = torch.randint(0, 2 * PADDING + 1, (2, count, 1), generator=order).to(place)
    flipped = (torch.rand(count, 1, generator=order) < 0.5).to(place)
    across = torch.arange(width, device=place)
    columns = torch.where(flipped, across.flip(0), across) + left
    rows = torch.arange(height, device=place) + top
    number = torch.arange(count, device=place)[:, None, None]
    return padded[number, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


Operation = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _affine(make: Callable[[torch.Tensor], list[list[torch.Tensor]]]) -> Operation:
    """An operation that moves pixels: two rows of a matrix for each image, from its signed magnitude."""

    def apply(images: torch.Tensor, signed: torch.Tensor) -> torch.Tensor:
        matrix = torch.stack([torch.stack(row, 1) for row in make(signed)], 1)
        grid = nn.functional.affine_grid(matrix, list(images.shape), align_corners=False)
        return nn.functional.grid_sample(images, grid, mode="nearest", align_corners=False)

    return apply


def _blended(base: Callable[[torch.Tensor], torch.Tensor]) -> Operation:
    """An operation that goes away from, or towards, a duller image."""

    def apply(images: torch.Tensor, signed: torch.Tensor) -> torch.Tensor:
        dull = base(images)
        return (dull + (1 + 0.9 * signed.view(-1, 1, 1, 1)) * (images - dull)).clamp(0, 255)

    return apply


def _autocontrast(images: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    least, most = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    return torch.where(most > least, (images - least) * 255 / (most - least).clamp(min=1), images)


def _one(signed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.ones_like(signed), torch.zeros_like(signed)


def _rotation(signed: torch.Tensor) -> list[list[torch.Tensor]]:
    angle = torch.deg2rad(30 * signed)
    return [[angle.cos(), -angle.sin(), _one(signed)[1]], [angle.sin(), angle.cos(), _one(signed)[1]]]


def _shear(place: tuple[int, int], size: float) -> Callable[[torch.Tensor], list[list[torch.Tensor]]]:
    def make(signed: torch.Tensor) -> list[list[torch.Tensor]]:
        one, zero = _one(signed)
        rows = [[one, zero, zero], [zero, one, zero]]
        rows[place[0]][place[1]] = size * signed
        return rows

    return make


OPERATIONS: dict[str, Operation] = {
    "identity": lambda images, _: images,
    "shear x": _affine(_shear((0, 1), 0.3)),
    "shear y": _affine(_shear((1, 0), 0.3)),
    "translate x": _affine(_shear((0, 2), 0.9)),
    "translate y": _affine(_shear((1, 2), 0.9)),
    "rotate": _affine(_rotation),
    "brightness": _blended(torch.zeros_like),
    "colour": _blended(lambda images: images.mean(1, keepdim=True).expand_as(images)),
    "contrast": _blended(lambda images: images.mean((1, 2, 3), keepdim=True).expand_as(images)),
    "posterize": lambda images, _: images - images % 2 ** round(4 * _MAGNITUDE),
    "solarize": lambda images, _: torch.where(images >= 255 * (1 - _MAGNITUDE), 255 - images, images),
    "autocontrast": _autocontrast,
}


def _rand_augmented(batch: torch.Tensor, order: torch.Generator) -> torch.Tensor:
    count = len(batch)
    chosen = torch.randint(0, len(OPERATIONS), (count,), generator=order)
    signs = torch.randint(0, 2, (count,), generator=order) * 2.0 - 1
    result = batch.float()
    for number, operation in enumerate(OPERATIONS.values()):
        picked = (chosen == number).nonzero().flatten()
        if len(picked):
            own = picked.to(batch.device)
            result[own] = operation(result[own], (_MAGNITUDE * signs[picked]).to(batch.device))
    return result.round().to(torch.uint8)


def _erased(batch: torch.Tensor, order: torch.Generator) -> torch.Tensor:
    count, _, height, width = batch.shape
    area = torch.empty(count).uniform_(*_AREA, generator=order)
    ratio = torch.empty(count).uniform_(*_RATIO, generator=order)
    high = (area * ratio).sqrt().clamp(max=1) * height
    wide = (area / ratio).sqrt().clamp(max=1) * width
    top, left, decide = torch.rand(3, count, generator=order)
    top, left = top * (height - high), left * (width - wide)
    rows, columns = torch.arange(height)[None] + 0.5, torch.arange(width)[None] + 0.5
    inside = ((rows > top[:, None]) & (rows < (top + high)[:, None]))[:, :, None]
    inside = inside & ((columns > left[:, None]) & (columns < (left + wide)[:, None]))[:, None, :]
    hidden = inside & (decide < _ERASED)[:, None, None]
    return batch.masked_fill(hidden[:, None].to(batch.device), 0)
