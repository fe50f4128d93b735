"""Layers of several added masks over constants whose signs a seed makes (`SeededWeight.coats`).

A kept layer stores the sign of every kept weight. A tiled layer takes the weights that one mask alone keeps from the
seed, signs and all, and every other from a second prototype, which is zero where nothing is kept (spec section 7).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..checkpoints.draft import SeededWeight
from ..common.dtypes import FLOAT32
from ..network.mask import Mask
from ..network.model import KeptFill, Layer, MaskedNetwork, StoredPrototype, TileFill

# Bytes that a second prototype takes beyond its values: rows of the manifest, another mask, the digest of the seed.
_ROWS = 40


def layer(network: MaskedNetwork, entry: SeededWeight, generated: Callable[[], int]) -> Layer:
    """Add the masks and prototypes of a layer to a network, in the form that takes fewer bytes by its entropy.

    Args:
        generated: adds the prototype of the seed, and returns its number.
    """
    level = entry.level(0, entry.mask.length)
    values = np.resize(entry.prototype.generator.values(), len(level)) * level
    words = np.where(level > 0, values, np.float32(0)).view(np.uint32)  # and not −0.0
    counts = np.bincount(level.astype(np.intp), minlength=2).tolist()
    if _tiled_bits(counts) < _kept_bits(counts):
        number, second = generated(), level > 1
        stored = StoredPrototype(FLOAT32, np.where(second, words, np.uint32(0)), Mask.from_bool(second))
        network.prototypes.append(stored)
        filled: TileFill | KeptFill = TileFill(number, zero="second", second=len(network.prototypes) - 1)
        mask = Mask.from_bool(level == 1)
    else:
        filled, mask = KeptFill(FLOAT32, words[entry.mask.to_bool()]), entry.mask
    network.masks.append(mask)
    return Layer(entry.name, entry.shape, len(network.masks) - 1, filled, entry.task)


def _kept_bits(counts: list[int]) -> float:
    """A mask, then the sign and the level of what is kept; `counts` are of the levels from 0 on."""
    return _entropy(counts[0], sum(counts[1:])) + sum(counts[1:]) + _entropy(*counts[1:])


def _tiled_bits(counts: list[int]) -> float:
    """A mask of level 1, one of the levels above it, and the sign and the level of these."""
    above = sum(counts[2:])
    masks = _entropy(counts[1], counts[0] + above) + _entropy(above, counts[0] + counts[1])
    return masks + above + _entropy(*counts[2:]) + 8 * _ROWS


def _entropy(*counts: int) -> float:
    """Bits of a sequence with so many elements of each kind."""
    total = sum(counts)
    return sum(count * math.log2(total / count) for count in counts if count)
