"""Anything else: a state_dict as it is, in which weights with many zeros are pruned layers.

A float tensor of two or more dimensions of which at least one element in 32 is zero costs less as a mask and its
kept values. −0.0 counts as zero there (pruning a negative weight by a product leaves it) and decodes to +0.0;
every other tensor is kept bit for bit.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...coding.bools import is_stored_as_mask
from ...common import bits
from ...common.dtypes import BOOL, UINT8, DType
from ...common.words import Words
from ...errors import MaskRuleError
from ...errors.quoting import quoted
from ...network.mask import Mask
from ..draft import Draft, DraftEntry, MaskedWeight, PlainTensor
from ..family import Checkpoint, Contents, Family, Tensors, restored
from ..options import PackOptions

NAME = "dense"
# One bit of mask an element against 32 bits of value: where a mask begins to pay for float32.
MIN_ZEROS = 1 / 32


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """Always a draft.

    Raises:
        MaskRuleError: `keep` is given, and there is nothing to apply it to.
    """
    state = checkpoint.state
    draft = Draft(
        NAME, "nonzero", reasons=["no other family fits: weights with many zeros are masked where they are zero"]
    )
    known: dict[Hashable, DraftEntry] = {}  # by memory: what is tied is looked at once
    for name in state.tensors:
        plain = state.plain(name)
        entry: DraftEntry | None = known.get(plain.memory)
        if entry is not None:
            draft.entries.append(replace(entry, name=name, source=name))
            continue
        masked = _mask_of_uint8(plain) if options.uint8_masks else None
        masked = masked or _masked(plain)
        if masked is not None:
            draft.negative_zeros += int(np.count_nonzero(plain.values)) - masked.mask.count
        entry = masked or plain
        if plain.memory is not None:
            known[plain.memory] = entry
        draft.entries.append(entry)
    if not any(isinstance(entry, MaskedWeight) for entry in draft.entries):
        draft.mask_rule = "none"
        draft.notes.append("no tensor has a mask or many zeros: all tensors are stored unchanged")
    if draft.negative_zeros:
        draft.notes.append(
            f"{draft.negative_zeros} zeros of pruned weights lose their minus sign (-0.0 and 0.0 are the same number)"
        )
    scores = [name for name in state.tensors if "score" in name.rsplit(".", 1)[-1]]
    if options.keep is not None:
        named = f"; tensors like {quoted(scores[0])} belong to no known family" if scores else ""
        raise MaskRuleError(f"keep was given, but no weight has scores (X.scores beside X.weight){named}")
    if scores:
        draft.notes.append(
            f"{quoted(scores[0])} looks like scores, but no known family has them: it is stored as a tensor"
        )
    return draft


def _masked(tensor: PlainTensor) -> MaskedWeight | None:
    if tensor.dtype.kind != "float" or not tensor.dtype.maskable or len(tensor.shape) < 2 or not len(tensor.values):
        return None
    values: Words = tensor.values
    one = values.dtype.type(1)

    def nonzero(where: slice) -> NDArray[np.bool_]:
        piece = values[where]
        flags: NDArray[np.bool_] = (piece << one if _has_negative_zero(tensor.dtype) else piece) != 0
        return flags

    starts = range(0, len(values), bits.PIECE)
    kept = sum(int(np.count_nonzero(nonzero(slice(start, start + bits.PIECE)))) for start in starts)
    if 1 - kept / len(values) < MIN_ZEROS:
        return None
    mask = Mask(bits.pack_pieces(len(values), nonzero), len(values))
    return MaskedWeight(
        tensor.name, tensor.dtype, tensor.shape, values, mask, known=mask, memory=tensor.memory, source=tensor.source
    )


def _mask_of_uint8(tensor: PlainTensor) -> MaskedWeight | None:
    if tensor.dtype != UINT8 or not is_stored_as_mask(BOOL, len(tensor.values)) or int(tensor.values.max()) > 1:
        return None
    mask = Mask(bits.pack_pieces(len(tensor.values), lambda where: tensor.values[where] != 0), len(tensor.values))
    return MaskedWeight(
        tensor.name,
        tensor.dtype,
        tensor.shape,
        tensor.values,
        mask,
        known=mask,
        memory=tensor.memory,
        source=tensor.source,
    )


def _has_negative_zero(dtype: DType) -> bool:
    return not dtype.name.endswith("fnuz")  # there the pattern of -0.0 is NaN


def restore(contents: Contents) -> Tensors:
    """The effective weights."""
    return restored(contents, lambda name: (name,), lambda contents, name: (contents.dense(name),))


FAMILY = Family(NAME, recognise, restore)
