"""The table of entries as bytes: what a state_dict holds, in its order (spec section 4.6)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

from ...errors import ManifestError
from ...errors.quoting import quoted
from ..cursor import POINTER, STRING, Cursor, decode_utf8, varint, varints
from .fields import MaskReferences, read_scale
from .rows import (
    BOOL_SINCE,
    ENTRY_ALIAS,
    ENTRY_BOOL,
    ENTRY_KEPT,
    ENTRY_TENSOR,
    ENTRY_TILED,
    MAX_ALL_NAMES,
    MAX_DIMS,
    MAX_ELEMENTS,
    MAX_NAME,
    MAX_ROWS,
    AliasRow,
    BoolRow,
    EntryRow,
    KeptRow,
    TensorRow,
    TiledRow,
)
from .zero_table import ZERO_RULES

# Bytes that a row and a shape take in memory, about, with what is made of them later: places in lists, and the name in
# two tables.
_ROW, _SHAPE = 200, 170
_SPENT_AT_A_TIME = 1 << 16
_KINDS: dict[type[EntryRow], int] = {
    TensorRow: ENTRY_TENSOR,
    KeptRow: ENTRY_KEPT,
    TiledRow: ENTRY_TILED,
    BoolRow: ENTRY_BOOL,
    AliasRow: ENTRY_ALIAS,
}


def _read_names(cursor: Cursor, count: int) -> list[str]:
    shared = cursor.varints(count, "shared part of a name", MAX_NAME)
    lengths = cursor.varints(count, "length of a name", MAX_NAME)
    cursor.spend(POINTER * count)
    if sum(shared) + sum(lengths) > MAX_ALL_NAMES:
        raise ManifestError(f"all names together are longer than {MAX_ALL_NAMES} bytes")
    names: list[str] = []
    last = b""
    spent = 0
    for index in range(count):
        if shared[index] > len(last):
            raise ManifestError(f"name {index} shares {shared[index]} bytes with a name of {len(last)}")
        before, last = last, last[: shared[index]] + cursor.take(lengths[index], f"name {index}")
        if not 1 <= len(last) <= MAX_NAME or b"\0" in last:
            raise ManifestError(f"name {index} is empty, longer than {MAX_NAME} bytes or contains byte 0")
        # The tasks of a file name the same tensor one after the other.
        if last == before:
            names.append(names[-1])
            continue
        names.append(decode_utf8(last, f"name {index}", ManifestError))
        spent += STRING + len(last) * (1 if last.isascii() else 4)
        if spent > _SPENT_AT_A_TIME:
            cursor.spend(spent)
            spent = 0
    cursor.spend(spent)
    return names


def _write_names(names: Iterable[str]) -> bytes:
    shared: list[int] = []
    suffixes: list[bytes] = []
    last = b""
    for name in names:
        data = name.encode()
        common = 0
        while common < min(len(data), len(last)) and data[common] == last[common]:
            common += 1
        shared.append(common)
        suffixes.append(data[common:])
        last = data
    return varints(shared) + varints([len(suffix) for suffix in suffixes]) + b"".join(suffixes)


def read_entries(cursor: Cursor, references: MaskReferences, has_tasks: bool, minor: int) -> tuple[EntryRow, ...]:
    """The table, column by column."""
    count = cursor.varint("number of entries", MAX_ROWS)
    names = _read_names(cursor, count)
    kinds = cursor.take(count, "kinds of entries")
    for name, kind in zip(names, kinds, strict=True):
        if kind > ENTRY_BOOL or (kind == ENTRY_BOOL and minor < BOOL_SINCE):
            raise ManifestError(f"entry {quoted(name)} has the unknown kind {kind}")
    tasks = cursor.varints(count, "task of an entry") if has_tasks else [0] * count
    cursor.spend(_ROW * count)
    shapes = _read_shapes(cursor, names, kinds)

    def of_kind(kind: int) -> list[int]:
        return [index for index in range(count) if kinds[index] == kind]

    rows: list[EntryRow | None] = [None] * count
    tensors, kept, tiled = map(of_kind, (ENTRY_TENSOR, ENTRY_KEPT, ENTRY_TILED))
    bools, aliases = map(of_kind, (ENTRY_BOOL, ENTRY_ALIAS))
    for index, block in zip(tensors, cursor.varints(len(tensors), "block of a tensor"), strict=True):
        rows[index] = TensorRow(names[index], tasks[index], shapes[index], block)
    kept_masks = [references.read(cursor, repr(names[index])) for index in kept]
    kept_blocks = cursor.varints(len(kept), "block of a kept layer")
    for index, mask, block in zip(kept, kept_masks, kept_blocks, strict=True):
        rows[index] = KeptRow(names[index], tasks[index], shapes[index], mask, block)
    for index, row in zip(tiled, _read_tiled(cursor, references, tiled, names, tasks, shapes, minor), strict=True):
        rows[index] = row
    for index in bools:
        mask = references.read(cursor, repr(names[index]))
        rows[index] = BoolRow(names[index], tasks[index], shapes[index], mask)
    for index, target in zip(aliases, cursor.varints(len(aliases), "target of an alias"), strict=True):
        rows[index] = AliasRow(names[index], tasks[index], target)
    return tuple(row for row in rows if row is not None)  # there is one of each kind


def _read_shapes(cursor: Cursor, names: list[str], kinds: bytes) -> list[tuple[int, ...]]:
    """The shape of every entry; `()` for aliases. Equal shapes are one tuple."""
    shaped = [index for index, kind in enumerate(kinds) if kind != ENTRY_ALIAS]
    ndims = cursor.take(len(shaped), "ndim of an entry")
    if ndims and max(ndims) > MAX_DIMS:
        name, ndim = next((names[i], ndim) for i, ndim in zip(shaped, ndims, strict=True) if ndim > MAX_DIMS)
        raise ManifestError(f"entry {name!r} has {ndim} dimensions, but at most {MAX_DIMS} are allowed")
    dims = cursor.varints(sum(ndims), "a dimension", MAX_ELEMENTS)
    shapes: list[tuple[int, ...]] = [()] * len(kinds)
    known: dict[tuple[int, ...], tuple[int, ...]] = {}
    start = 0
    for index, ndim in zip(shaped, ndims, strict=True):
        shape = tuple(dims[start : start + ndim])
        start += ndim
        if shape not in known:
            known[shape] = shape
            cursor.spend(_SHAPE + POINTER * ndim)
        shapes[index] = known[shape]
    return shapes


def _read_tiled(
    cursor: Cursor,
    references: MaskReferences,
    tiled: list[int],
    names: list[str],
    tasks: list[int],
    shapes: list[tuple[int, ...]],
    minor: int,
) -> Iterator[TiledRow]:
    masks = [references.read(cursor, repr(names[index])) for index in tiled]
    prototypes = cursor.varints(len(tiled), "prototype of a layer")
    phases = cursor.varints(len(tiled), "phase of a layer")
    zeros = cursor.take(len(tiled), "zero of a layer")
    scaled = cursor.take(len(tiled), "scaled of a layer")
    for index, zero, flag in zip(tiled, zeros, scaled, strict=True):
        rule = ZERO_RULES.get(zero)
        if rule is None or rule.since > minor or flag > 1:
            raise ManifestError(f"layer {quoted(names[index])}: zero {zero} or scaled {flag} is unknown")
    scales = [
        read_scale(cursor, quoted(names[index])) if flag else None for index, flag in zip(tiled, scaled, strict=True)
    ]
    with_second = sum(ZERO_RULES[zero].second for zero in zeros)
    seconds = iter(cursor.varints(with_second, "second prototype of a layer"))
    second_phases = iter(cursor.varints(with_second, "second phase of a layer"))
    for i, index in enumerate(tiled):
        has_second = ZERO_RULES[zeros[i]].second
        yield TiledRow(
            name=names[index],
            task=tasks[index],
            shape=shapes[index],
            mask=masks[i],
            prototype=prototypes[i],
            phase=phases[i],
            zero=zeros[i],
            scale_bits=scales[i],
            second=next(seconds) if has_second else None,
            second_phase=next(second_phases) if has_second else 0,
        )


def write_entries(rows: Sequence[EntryRow], references: MaskReferences, has_tasks: bool) -> bytes:
    """The bytes of `read_entries`."""
    tensors = [row for row in rows if isinstance(row, TensorRow)]
    kept = [row for row in rows if isinstance(row, KeptRow)]
    tiled = [row for row in rows if isinstance(row, TiledRow)]
    bools = [row for row in rows if isinstance(row, BoolRow)]
    aliases = [row for row in rows if isinstance(row, AliasRow)]
    shaped = [row for row in rows if not isinstance(row, AliasRow)]
    return b"".join(
        (
            varint(len(rows)),
            _write_names(row.name for row in rows),
            bytes(_KINDS[type(row)] for row in rows),
            varints([row.task for row in rows]) if has_tasks else b"",
            bytes(len(row.shape) for row in shaped),
            varints([dim for row in shaped for dim in row.shape]),
            varints([row.block for row in tensors]),
            b"".join(references.write(row.mask) for row in kept),
            varints([row.block for row in kept]),
            b"".join(references.write(row.mask) for row in tiled),
            varints([row.prototype for row in tiled]),
            varints([row.phase for row in tiled]),
            bytes(row.zero for row in tiled),
            bytes(row.scale_bits is not None for row in tiled),
            b"".join(struct.pack("<I", row.scale_bits) for row in tiled if row.scale_bits is not None),
            varints([row.second for row in tiled if row.second is not None]),
            varints([row.second_phase for row in tiled if row.second is not None]),
            b"".join(references.write(row.mask) for row in bools),
            varints([row.target for row in aliases]),
        )
    )
