"""compressed-tensors, formats `sparse-bitmask` and `sparse-24-bitmask`.

`X.shape`, `X.compressed`, `X.bitmask`, and in the first `X.row_offsets`. `compressed` are the elements that are not
zero, in order; `bitmask` their places, a bit an element, lowest first, the last axis filled up to whole bytes;
`row_offsets` where each row of the last axis begins in `compressed`. Releases after 0.12 do not read it any more. Where
two of any four elements are kept there are no `row_offsets`, and `compressed` has the shape of half as many columns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ...common import torch_tensors
from ...common.words import word_type
from ...errors import OutputError, UnknownLayoutError
from ...errors.quoting import quoted
from ...network import fill
from ...network.mask import Mask
from ..draft import Draft, MaskedWeight
from ..family import Checkpoint, Contents, Family, Tensors, restored, torch_type
from ..options import PackOptions
from ..state import State

NAME = "compressed-tensors"
_PARTS = ("shape", "compressed", "bitmask")
_OFFSETS = "row_offsets"
_MAX_DIMS = 32


def recognise(checkpoint: Checkpoint, options: PackOptions) -> Draft | None:
    """A draft if any key ends with `.compressed`, beside `.bitmask`.

    Raises:
        UnknownLayoutError: a part is missing, or they contradict each other.
    """
    state = checkpoint.state
    ends = (".bitmask", ".compressed")
    bases = list(dict.fromkeys(name.rpartition(".")[0] for name in state.tensors if name.endswith(ends)))
    if not any(f"{base}.bitmask" in state.tensors for base in bases):
        return None
    bases = [base for base in bases if f"{base}.bitmask" in state.tensors or f"{base}.shape" in state.tensors]
    halves = [base for base in bases if _is_half(state, base)]
    draft = Draft(NAME, "explicit", dropped=["*.bitmask", *(["*.row_offsets"] if len(halves) < len(bases) else [])])
    owners = {f"{base}.{part}": base for base in bases for part in (*_PARTS, _OFFSETS)}
    # about release 0.9 the parts stood beside the weight instead of below it
    suffix = "" if any(base.rpartition(".")[2] == "weight" for base in bases) else ".weight"
    done: set[str] = set()
    for name in state.tensors:
        base = owners.get(name)
        if base is None:
            draft.entries.append(state.plain(name))
        elif base not in done:
            done.add(base)
            draft.entries.append(_layer(state, base, base + suffix))
    draft.reasons.append(f"{len(bases)} tensors have a bitmask (first: {quoted(bases[0] + '.bitmask')})")
    draft.accounted.extend(f"{base}.{part}" for base in bases for part in ("shape", _OFFSETS))
    kinds = {part: _kind(state, bases, part) for part in ("shape", _OFFSETS)}
    if suffix:
        draft.original["suffix"] = suffix
    if halves:
        draft.original["halves"] = [base + suffix for base in halves]
    if any(state.tensors[f"{base}.shape"].dim() == 2 for base in bases):
        draft.original["shape_columns"] = True
    draft.original |= {part: kind for part, kind in kinds.items() if kind != "int64"}
    return draft


def _is_half(state: State, base: str) -> bool:
    """Return whether two of any four elements of a row are kept, and each row of `compressed` has as many."""
    compressed = state.tensors.get(f"{base}.compressed")
    return f"{base}.{_OFFSETS}" not in state.tensors and compressed is not None and compressed.dim() == 2


def _kind(state: State, bases: list[str], part: str) -> str:
    found = (state.tensors.get(f"{base}.{part}") for base in bases)
    return next((str(one.dtype).removeprefix("torch.") for one in found if one is not None), "int64")


def _layer(state: State, base: str, name: str) -> MaskedWeight:
    for part in _PARTS if _is_half(state, base) else (*_PARTS, _OFFSETS):
        if f"{base}.{part}" not in state.tensors:
            raise UnknownLayoutError(f"{quoted(base)} is compressed, but there is no {quoted(base + '.' + part)}")
    if name in state.tensors:
        raise UnknownLayoutError(
            f"{quoted(name)} appears both compressed and uncompressed: it is ambiguous which one applies"
        )
    shape, compressed, bitmask = (state.tensors[f"{base}.{part}"] for part in _PARTS)
    offsets = state.tensors.get(f"{base}.{_OFFSETS}")
    if shape.is_floating_point() or shape.is_complex() or shape.numel() > _MAX_DIMS:
        raise UnknownLayoutError(
            f"{quoted(base + '.shape')} has {shape.numel()} elements of {shape.dtype}: not a shape"
        )
    dims = tuple(int(dim) for dim in shape.reshape(-1).tolist())
    columns = dims[-1] if dims else 1
    rows = math.prod(dims[:-1])
    if min(dims, default=0) < 0 or bitmask.dtype != torch.uint8 or bitmask.numel() != rows * -(-columns // 8):
        raise UnknownLayoutError(
            f"{quoted(base + '.bitmask')} has {bitmask.numel()} elements of {bitmask.dtype}, but the shape "
            f"{list(dims)} needs {rows * -(-columns // 8)} bytes"
        )
    packed = bitmask.detach().cpu().reshape(rows, -(-columns // 8)).numpy()
    flags = np.unpackbits(packed, axis=1, count=columns, bitorder="little").view(np.bool_)
    if np.packbits(flags, axis=1, bitorder="little").tobytes() != packed.tobytes():
        raise UnknownLayoutError(f"{quoted(base + '.bitmask')} has bits beyond the {columns} columns of {quoted(base)}")
    counts = np.count_nonzero(flags, axis=1)
    if compressed.numel() != counts.sum():
        raise UnknownLayoutError(
            f"{quoted(base + '.compressed')} has {compressed.numel()} elements, but its bitmask has {counts.sum()} ones"
        )
    if offsets is None:
        if tuple(compressed.shape) != (rows, columns // 2) or (counts != columns // 2).any():
            raise UnknownLayoutError(
                f"{quoted(base + '.bitmask')} does not keep {columns // 2} elements in every row of {quoted(base)}"
            )
    elif offsets.reshape(-1).tolist() != (np.cumsum(counts) - counts).tolist():
        raise UnknownLayoutError(f"{quoted(base + '.row_offsets')} does not hold the row offsets of the bitmask")
    dtype, kept = torch_tensors.to_words(compressed, f"{base}.compressed")
    mask = Mask.from_bool(flags)
    values = np.empty(mask.length, dtype=word_type(dtype))
    fill.scatter(values, mask.packed, kept)
    parts = (f"{base}.bitmask",)
    return MaskedWeight(name, dtype, dims, values, mask, known=mask, source=f"{base}.compressed", scores=parts)


def restore(contents: Contents) -> Tensors:
    """The four parts of every masked layer; other tensors as they are.

    Raises:
        OutputError: a layer has no name of the layout, or its shape does not fit the type that shapes have.
    """
    suffix: str = contents.details.get("suffix", "")
    halves = contents.details.get("halves", ())

    def names(name: str) -> list[str]:
        if not name.endswith(suffix) or name == suffix:
            raise OutputError(f"{quoted(name)} does not end with {quoted(suffix)}: use another layout")
        base = name[: len(name) - len(suffix)]
        return [f"{base}.{part}" for part in (_PARTS if name in halves else (*_PARTS, _OFFSETS))]

    return restored(contents, names, _parts)


def _parts(contents: Contents, name: str) -> tuple[torch.Tensor, ...]:
    mask, dense = contents.mask(name), contents.dense(name)
    shape = tuple(dense.shape)
    columns = shape[-1] if shape else 1
    flags = mask.numpy().reshape(math.prod(shape[:-1]), columns)
    counts = np.count_nonzero(flags, axis=1)
    bitmask = np.packbits(flags, axis=1, bitorder="little").reshape(*shape[:-1], -(-columns // 8))
    dtype, words = torch_tensors.to_words(dense, name)
    contents.room(bitmask.nbytes + 16 * len(counts), "bitmasks", keep=True)
    half = name in contents.details.get("halves", ())
    if half and (not shape or (counts != columns // 2).any()):
        raise OutputError(f"{quoted(name)} does not keep half of every row, as this family does: use another layout")
    dims = _integers(np.array(shape, dtype=np.int64), contents, "shape", name)
    kept = (len(counts), columns // 2) if half else (int(counts.sum()),)
    parts = (
        dims.reshape(-1, 1) if contents.details.get("shape_columns") else dims,
        torch_tensors.to_tensor(words[flags.reshape(-1)], dtype, kept),
        torch.from_numpy(bitmask),
    )
    return parts if half else (*parts, _integers(np.cumsum(counts) - counts, contents, _OFFSETS, name))


def _integers(values: np.ndarray[Any, np.dtype[np.int64]], contents: Contents, part: str, name: str) -> torch.Tensor:
    dtype = torch_type(contents.details, part, torch.int64)
    if values.max(initial=0) > torch.iinfo(dtype).max:
        raise OutputError(f"the {part} of {quoted(name)} does not fit {dtype}: use another layout")
    return torch.from_numpy(values).to(dtype)


FAMILY = Family(NAME, recognise, restore)
