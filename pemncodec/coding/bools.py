"""Bool tensors as masks: layers over one element 1 of uint8, which the metadata says are bool (spec section 10).

The format has no masked layers of bool. The elements 0 and 1 of uint8 are the same bytes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..common import bits
from ..common.dtypes import BOOL, UINT8, DType
from ..common.words import Words
from ..network.mask import Mask
from ..network.model import Entry, Layer, MaskedNetwork, StoredPrototype, Tensor, TileFill

# Below so many elements the row of a mask costs more than its coder saves.
MIN_BITS = 256


def with_masks(network: MaskedNetwork) -> tuple[MaskedNetwork, int | None]:
    """Return a network in which bool tensors of at least `MIN_BITS` elements are layers.

    Args:
        network: consistent, as `check_network` says; it is left as it is.

    Returns:
        the network, and the index of the prototype of these layers; None if there are none.
    """
    if not any(_large(entry) for entry in network.entries):
        return network, None
    prototype = len(network.prototypes)
    masks = list(network.masks)
    entries: list[Entry] = []
    for entry in network.entries:
        if isinstance(entry, Tensor) and _large(entry):
            masks.append(Mask(_packed(entry.values), len(entry.values)))
            entry = Layer(entry.name, entry.shape, len(masks) - 1, TileFill(prototype), entry.task)
        entries.append(entry)
    one = StoredPrototype(UINT8, np.ones(1, dtype=np.uint8))
    return replace(network, entries=entries, masks=masks, prototypes=[*network.prototypes, one]), prototype


def is_stored_as_mask(dtype: DType, count: int) -> bool:
    """Return whether tensors of this dtype, of so many elements, are stored as masks."""
    return dtype == BOOL and count >= MIN_BITS


def _large(entry: Entry) -> bool:
    return isinstance(entry, Tensor) and is_stored_as_mask(entry.dtype, len(entry.values))


def _packed(values: Words) -> bits.Packed:
    return bits.pack_pieces(len(values), lambda where: values[where].view(np.bool_))
