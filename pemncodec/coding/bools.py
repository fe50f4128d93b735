"""Bool tensors as masks: which are stored so, and their bits (spec section 4.6, kind 4)."""

from __future__ import annotations

from ..common import bits
from ..common.dtypes import BOOL, DType
from ..network.model import Entry, MaskedNetwork, Tensor

# Below so many elements the row of a mask costs more than its coder saves.
MIN_BITS = 256


def is_stored_as_mask(dtype: DType, count: int) -> bool:
    """Return whether tensors of this dtype, of so many elements, are stored as masks."""
    return dtype == BOOL and count >= MIN_BITS


def is_mask(entry: Entry) -> bool:
    """Return whether an entry is a bool tensor that is stored as a mask."""
    return isinstance(entry, Tensor) and is_stored_as_mask(entry.dtype, len(entry.values))


def stored_as_masks(network: MaskedNetwork) -> dict[int, Tensor]:
    """The bool tensors that are stored as masks, by the index of their entry."""
    entries = enumerate(network.entries)
    return {index: entry for index, entry in entries if isinstance(entry, Tensor) and is_mask(entry)}


def only_bools(network: MaskedNetwork) -> bool:
    """Return whether all masks of the file of a network will be bool tensors, as `Manifest.only_bools`."""
    return bool(stored_as_masks(network)) and not network.layers


def packed_bits(tensor: Tensor) -> bits.Packed:
    """The elements of a bool tensor as bits in bytes, in row-major order."""
    return bits.pack_pieces(len(tensor.values), lambda where: tensor.values[where] != 0)
