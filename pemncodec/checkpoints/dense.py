"""Anything else: a state_dict as it is, in which weights with many zeros are pruned layers.

A float tensor of two or more dimensions of which at least one element in 32 is zero costs less as a mask and its
kept values. −0.0 counts as zero there (pruning a negative weight by a product leaves it) and decodes to +0.0;
every other tensor is kept bit for bit.
"""

from __future__ import annotations

import numpy as np

from ..draft import Draft, DraftEntry, MaskedWeight, PlainTensor
from ..dtypes import DType
from ..mask import Mask
from ..options import PackOptions
from ..words import Words
from .state import State

LAYOUT = "dense"
# One bit of mask an element against 32 bits of value: where a mask begins to pay for float32.
MIN_ZEROS = 1 / 32


def recognise(state: State, options: PackOptions) -> Draft | None:
    """Always a draft."""
    draft = Draft(LAYOUT, "nonzero")
    negative = 0
    for name in state.tensors:
        entry: DraftEntry = state.plain(name)
        if isinstance(entry, PlainTensor):
            masked = _masked(entry)
            if masked is not None:
                negative += int(np.count_nonzero(entry.values)) - masked.mask.count()
                entry = masked
        draft.entries.append(entry)
    if not any(isinstance(entry, MaskedWeight) for entry in draft.entries):
        draft.mask_rule = "none"
        draft.notes.append("no tensor has a mask or many zeros: everything is stored as it is")
    if negative:
        draft.notes.append(f"{negative} pruned weights were -0.0 and become +0.0")
    return draft


def _masked(tensor: PlainTensor) -> MaskedWeight | None:
    if tensor.dtype.kind != "float" or not tensor.dtype.maskable or len(tensor.shape) < 2 or not len(tensor.values):
        return None
    nonzero = (tensor.values << 1) != 0 if _has_negative_zero(tensor.dtype) else tensor.values != 0
    if 1 - np.count_nonzero(nonzero) / len(nonzero) < MIN_ZEROS:
        return None
    values: Words = tensor.values
    return MaskedWeight(tensor.name, tensor.dtype, tensor.shape, values, Mask.from_bool(nonzero))


def _has_negative_zero(dtype: DType) -> bool:
    return not dtype.name.endswith("fnuz")  # there the pattern of -0.0 is NaN
