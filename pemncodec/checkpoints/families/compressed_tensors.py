"""compressed-tensors, format `sparse-bitmask`: `X.shape`, `X.compressed`, `X.bitmask`, `X.row_offsets`.

`compressed` are the elements that are not zero, in order; `bitmask` their places, a bit an element, lowest first, the
last axis filled up to whole bytes; `row_offsets` where each row of the last axis begins in `compressed`. Releases after
0.12 do not read it any more.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ... import fill, torch_tensors
from ...draft import Draft, MaskedWeight
from ...errors import OutputError, UnknownLayoutError
from ...mask import Mask
from ...options import PackOptions
from ...quoting import quoted
from ...words import word_type
from ..family import Checkpoint, Contents, Family, Tensors, restored, torch_type
from ..state import State

LAYOUT = "compressed-tensors"
_PARTS = ("shape", "compressed", "bitmask", "row_offsets")


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
    draft = Draft(LAYOUT, "explicit", dropped=["*.bitmask", "*.row_offsets"])
    owners = {f"{base}.{part}": base for base in bases for part in _PARTS}
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
    draft.reasons.append(f"{len(bases)} tensors have a bitmask (first: {bases[0] + '.bitmask'!r})")
    kinds = {
        part: str(state.tensors[f"{bases[0]}.{part}"].dtype).removeprefix("torch.") for part in ("shape", "row_offsets")
    }
    if suffix:
        draft.original["suffix"] = suffix
    draft.original |= {part: kind for part, kind in kinds.items() if kind != "int64"}
    return draft


def _layer(state: State, base: str, name: str) -> MaskedWeight:
    for part in _PARTS:
        if f"{base}.{part}" not in state.tensors:
            raise UnknownLayoutError(f"{base!r} is compressed, and there is no {base + '.' + part!r}")
    if name in state.tensors:
        raise UnknownLayoutError(f"{name!r} stands beside its compressed form: which of them counts is not said")
    shape, compressed, bitmask, offsets = (state.tensors[f"{base}.{part}"] for part in _PARTS)
    dims = tuple(int(dim) for dim in shape.reshape(-1).tolist())
    columns = dims[-1] if dims else 1
    rows = math.prod(dims[:-1])
    if min(dims, default=0) < 0 or bitmask.dtype != torch.uint8 or bitmask.numel() != rows * -(-columns // 8):
        raise UnknownLayoutError(
            f"{base + '.bitmask'!r} has {bitmask.numel()} elements of {bitmask.dtype}, and the shape {list(dims)} "
            f"needs "
            f"{rows * -(-columns // 8)} bytes"
        )
    packed = bitmask.detach().cpu().reshape(rows, -(-columns // 8)).numpy()
    flags = np.unpackbits(packed, axis=1, count=columns, bitorder="little").view(np.bool_)
    if np.packbits(flags, axis=1, bitorder="little").tobytes() != packed.tobytes():
        raise UnknownLayoutError(f"{base + '.bitmask'!r} has bits beyond the {columns} columns of {base!r}")
    counts = np.count_nonzero(flags, axis=1)
    if compressed.numel() != counts.sum():
        raise UnknownLayoutError(
            f"{base + '.compressed'!r} has {compressed.numel()} elements, and the bitmask {counts.sum()} ones"
        )
    if offsets.reshape(-1).tolist() != (np.cumsum(counts) - counts).tolist():
        raise UnknownLayoutError(f"{base + '.row_offsets'!r} is not where the rows of the bitmask begin")
    dtype, kept = torch_tensors.to_words(compressed, f"{base}.compressed")
    mask = Mask.from_bool(flags)
    values = np.empty(mask.length, dtype=word_type(dtype))
    fill.scatter(values, mask.packed, kept)
    return MaskedWeight(name, dtype, dims, values, mask, known=mask)


def restore(contents: Contents) -> Tensors:
    """The four parts of every masked layer; other tensors as they are.

    Raises:
        OutputError: a layer has no name of the layout, or its shape does not fit the type that shapes have.
    """
    suffix: str = contents.details.get("suffix", "")

    def names(name: str) -> list[str]:
        if not name.endswith(suffix) or name == suffix:
            raise OutputError(f"{quoted(name)} does not end with {quoted(suffix)}: use another layout")
        return [f"{name[: len(name) - len(suffix)]}.{part}" for part in _PARTS]

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
    return (
        _integers(np.array(shape, dtype=np.int64), contents, "shape", name),
        torch_tensors.to_tensor(words[flags.reshape(-1)], dtype, (int(counts.sum()),)),
        torch.from_numpy(bitmask),
        _integers(np.cumsum(counts) - counts, contents, "row_offsets", name),
    )


def _integers(values: np.ndarray[Any, np.dtype[np.int64]], contents: Contents, part: str, name: str) -> torch.Tensor:
    dtype = torch_type(contents.details, part, torch.int64)
    if values.max(initial=0) > torch.iinfo(dtype).max:
        raise OutputError(f"the {part} of {quoted(name)} does not fit {dtype}: use another layout")
    return torch.from_numpy(values).to(dtype)


FAMILY = Family(LAYOUT, recognise, restore)
