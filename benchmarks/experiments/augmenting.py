"""Training images, changed at random."""

from __future__ import annotations

import torch
from torch import nn

PADDING = 4  # pixels by which a training image is shifted at most


def augmented(batch: torch.Tensor, order: torch.Generator, *, strong: bool = False) -> torch.Tensor:
    """Each image flipped or not and shifted by up to `PADDING` pixels, black outside.

    Args:
        batch: uint8, shape (n, channels, height, width).
        order: decides.
        strong: RandAugment and erasing, too.
    """
    moved = _moved(batch, order)
    assert not strong
    return moved


def _moved(batch: torch.Tensor, order: torch.Generator) -> torch.Tensor:
    count, _, height, width = batch.shape
    padded = nn.functional.pad(batch, (PADDING,) * 4)
    top, left = torch.randint(0, 2 * PADDING + 1, (2, count, 1), generator=order)
    flipped = torch.rand(count, 1, generator=order) < 0.5
    columns = torch.where(flipped, torch.arange(width).flip(0), torch.arange(width)) + left
    rows = torch.arange(height) + top
    number = torch.arange(count)[:, None, None]
    return padded[number, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
