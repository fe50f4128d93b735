"""The tables of the manifest as bytes, each reader beside its writer (spec sections 4.1 to 4.6)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from ..dtypes import BY_ID
from ..errors import ManifestError
from .cursor import Cursor, decode_utf8, text, varint, varints
from .manifest import (
    BLOCK_CODERS,
    DISTRIBUTIONS,
    ENTRY_ALIAS,
    ENTRY_KEPT,
    ENTRY_TENSOR,
    ENTRY_TILED,
    GENERATOR_PHILOX,
    MASK_CODERS,
    MAX_ALL_NAMES,
    MAX_DIMS,
    MAX_ELEMENTS,
    MAX_NAME,
    MAX_ROWS,
    MAX_TASKS,
    PROTOTYPE_GENERATOR,
    PROTOTYPE_VALUES,
    ZERO_SECOND,
    AliasRow,
    BlockRow,
    EntryRow,
    GeneratorRow,
    KeptRow,
    Manifest,
    MaskRow,
    PrototypeRow,
    TensorRow,
    TiledRow,
    ValuesRow,
)


class MaskReferences:
    """Mask references of spec section 4.5: 0 is the next mask that was not referred to before."""

    def __init__(self) -> None:
        self.seen = 0

    def read(self, cursor: Cursor, what: str) -> int:
        """The mask index that the next reference stands for."""
        reference = cursor.varint(f"mask of {what}")
        if reference == 0:
            self.seen += 1
            return self.seen - 1
        if reference > self.seen:
            raise ManifestError(f"mask of {what}: mask {reference - 1} has not been referred to before")
        return reference - 1

    def write(self, index: int) -> bytes:
        """The reference to mask `index`; masks must be numbered in the order of first use."""
        if index == self.seen:
            self.seen += 1
            return varint(0)
        assert index < self.seen, "masks are numbered in the order of first use"
        return varint(index + 1)


# --- 4.1 metadata, 4.2 tasks ----------------------------------------------------------------------------


def read_metadata(cursor: Cursor) -> dict[str, str]:
    metadata: dict[str, str] = {}
    last = b""
    for _ in range(cursor.varint("number of metadata", cursor.remaining)):
        key = cursor.text("metadata key")
        if key.encode() <= last:
            raise ManifestError(f"metadata key {key!r} is empty or not in ascending order")
        last = key.encode()
        metadata[key] = cursor.text(f"metadata {key!r}")
    return metadata


def write_metadata(metadata: dict[str, str]) -> bytes:
    pairs = sorted(metadata.items(), key=lambda pair: pair[0].encode())
    return varint(len(pairs)) + b"".join(text(key) + text(value) for key, value in pairs)


def read_tasks(cursor: Cursor) -> tuple[str, ...]:
    count = cursor.varint("number of tasks", MAX_TASKS)
    return tuple(cursor.text("task name", MAX_NAME) for _ in range(count))


def write_tasks(tasks: Sequence[str]) -> bytes:
    return varint(len(tasks)) + b"".join(map(text, tasks))


# --- 4.3 masks, 4.4 blocks --------------------------------------------------------------------------------


def read_masks(cursor: Cursor) -> tuple[MaskRow, ...]:
    count = cursor.varint("number of masks", MAX_ROWS)
    coders = cursor.take(count, "coders of masks")
    lengths = cursor.varints(count, "length of a mask", MAX_ELEMENTS)
    ones = cursor.varints(count, "ones of a mask", MAX_ELEMENTS)
    sizes = cursor.varints(count, "size of a mask")
    for index, coder in enumerate(coders):
        if coder not in MASK_CODERS:
            raise ManifestError(f"mask {index} has the unknown coder {coder}")
        if ones[index] > lengths[index]:
            raise ManifestError(f"mask {index} has {ones[index]} ones in {lengths[index]} bits")
    return tuple(map(MaskRow, coders, lengths, ones, sizes))


def write_masks(masks: Sequence[MaskRow]) -> bytes:
    return (
        varint(len(masks))
        + bytes(row.coder for row in masks)
        + varints([row.length for row in masks])
        + varints([row.ones for row in masks])
        + varints([row.size for row in masks])
    )


def read_blocks(cursor: Cursor) -> tuple[BlockRow, ...]:
    count = cursor.varint("number of blocks", MAX_ROWS)
    dtypes = cursor.take(count, "dtypes of blocks")
    coders = cursor.take(count, "coders of blocks")
    sizes = cursor.varints(count, "size of a block")
    for index in range(count):
        if dtypes[index] not in BY_ID:
            raise ManifestError(f"block {index} has the unknown dtype {dtypes[index]}")
        if coders[index] not in BLOCK_CODERS:
            raise ManifestError(f"block {index} has the unknown coder {coders[index]}")
    return tuple(map(BlockRow, (BY_ID[number] for number in dtypes), coders, sizes))


def write_blocks(blocks: Sequence[BlockRow]) -> bytes:
    return (
        varint(len(blocks))
        + bytes(row.dtype.id for row in blocks)
        + bytes(row.coder for row in blocks)
        + varints([row.size for row in blocks])
    )


# --- 4.5 prototypes ---------------------------------------------------------------------------------------


def read_prototypes(cursor: Cursor, references: MaskReferences) -> tuple[PrototypeRow, ...]:
    count = cursor.varint("number of prototypes", MAX_ROWS)
    return tuple(_read_prototype(cursor, references, f"prototype {index}") for index in range(count))


def _read_prototype(cursor: Cursor, references: MaskReferences, what: str) -> PrototypeRow:
    kind = cursor.fixed(1, f"kind of {what}")
    length = cursor.varint(f"length of {what}", MAX_ELEMENTS)
    if length == 0:
        raise ManifestError(f"{what} has length 0")
    if kind == PROTOTYPE_VALUES:
        block = cursor.varint(f"block of {what}")
        partial = cursor.fixed(1, f"partial of {what}")
        if partial > 1:
            raise ManifestError(f"partial of {what} is {partial}, and must be 0 or 1")
        return ValuesRow(length, block, references.read(cursor, what) if partial else None)
    if kind != PROTOTYPE_GENERATOR:
        raise ManifestError(f"{what} has the unknown kind {kind}")
    generator = cursor.fixed(1, f"generator of {what}")
    if generator != GENERATOR_PHILOX:
        raise ManifestError(f"{what} has the unknown generator {generator}")
    distribution = cursor.fixed(1, f"distribution of {what}")
    if distribution not in DISTRIBUTIONS:
        raise ManifestError(f"{what} has the unknown distribution {distribution}")
    seed = cursor.fixed(8, f"seed of {what}")
    stream = cursor.fixed(8, f"stream of {what}")
    scale_bits = _read_scale(cursor, what)
    gaps = cursor.varints(cursor.varint(f"patches of {what}"), f"patched index of {what}")
    indices: list[int] = []
    for gap in gaps:
        indices.append(gap if not indices else indices[-1] + 1 + gap)
        if indices[-1] >= length:
            raise ManifestError(f"{what} patches element {indices[-1]} of {length}")
    bits = [cursor.fixed(4, f"patch of {what}") for _ in indices]
    digest = cursor.fixed(4, f"digest of {what}")
    patches = tuple(zip(indices, bits, strict=True))
    return GeneratorRow(length, distribution, seed, stream, scale_bits, patches, digest)


def _read_scale(cursor: Cursor, what: str) -> int:
    bits = cursor.fixed(4, f"scale of {what}")
    if not 0 < bits < 0x7F800000:
        raise ManifestError(f"scale of {what} has the bits {bits:#010x}: not a finite number above 0")
    return bits


def write_prototypes(rows: Sequence[PrototypeRow], references: MaskReferences) -> bytes:
    return varint(len(rows)) + b"".join(_write_prototype(row, references) for row in rows)


def _write_prototype(row: PrototypeRow, references: MaskReferences) -> bytes:
    if isinstance(row, ValuesRow):
        front = bytes([PROTOTYPE_VALUES]) + varint(row.length) + varint(row.block)
        return front + (b"\0" if row.presence is None else b"\1" + references.write(row.presence))
    indices = [index for index, _ in row.patches]
    gaps = [index - (indices[i - 1] + 1 if i else 0) for i, index in enumerate(indices)]
    return (
        bytes([PROTOTYPE_GENERATOR])
        + varint(row.length)
        + struct.pack("<BBQQI", GENERATOR_PHILOX, row.distribution, row.seed, row.stream, row.scale_bits)
        + varint(len(gaps))
        + varints(gaps)
        + b"".join(struct.pack("<I", bits) for _, bits in row.patches)
        + struct.pack("<I", row.digest)
    )


# --- 4.6 entries --------------------------------------------------------------------------------------------


def _read_names(cursor: Cursor, count: int) -> list[str]:
    shared = cursor.varints(count, "shared part of a name", MAX_NAME)
    lengths = cursor.varints(count, "length of a name", MAX_NAME)
    names: list[str] = []
    last = b""
    total = 0
    for index in range(count):
        if shared[index] > len(last):
            raise ManifestError(f"name {index} shares {shared[index]} bytes with a name of {len(last)}")
        last = last[: shared[index]] + cursor.take(lengths[index], f"name {index}")
        total += len(last)
        if not 1 <= len(last) <= MAX_NAME or b"\0" in last:
            raise ManifestError(f"name {index} is empty, longer than {MAX_NAME} bytes or contains byte 0")
        if total > MAX_ALL_NAMES:
            raise ManifestError(f"all names together are longer than {MAX_ALL_NAMES} bytes")
        names.append(decode_utf8(last, f"name {index}", ManifestError))
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


def read_entries(cursor: Cursor, references: MaskReferences, has_tasks: bool) -> tuple[EntryRow, ...]:
    count = cursor.varint("number of entries", MAX_ROWS)
    names = _read_names(cursor, count)
    kinds = cursor.take(count, "kinds of entries")
    for name, kind in zip(names, kinds, strict=True):
        if kind > ENTRY_ALIAS:
            raise ManifestError(f"entry {name!r} has the unknown kind {kind}")
    tasks = cursor.varints(count, "task of an entry") if has_tasks else [0] * count
    shaped = [index for index in range(count) if kinds[index] != ENTRY_ALIAS]
    ndims = dict(zip(shaped, cursor.take(len(shaped), "ndim of an entry"), strict=True))
    for index, ndim in ndims.items():
        if ndim > MAX_DIMS:
            raise ManifestError(f"entry {names[index]!r} has {ndim} dimensions, and at most {MAX_DIMS} are allowed")
    shapes = {index: tuple(cursor.varints(ndim, "a dimension", MAX_ELEMENTS)) for index, ndim in ndims.items()}

    def of_kind(kind: int) -> list[int]:
        return [index for index in range(count) if kinds[index] == kind]

    rows: dict[int, EntryRow] = {}
    tensors, kept, tiled, aliases = map(of_kind, (ENTRY_TENSOR, ENTRY_KEPT, ENTRY_TILED, ENTRY_ALIAS))
    for index, block in zip(tensors, cursor.varints(len(tensors), "block of a tensor"), strict=True):
        rows[index] = TensorRow(names[index], tasks[index], shapes[index], block)
    kept_masks = [references.read(cursor, repr(names[index])) for index in kept]
    kept_blocks = cursor.varints(len(kept), "block of a kept layer")
    for index, mask, block in zip(kept, kept_masks, kept_blocks, strict=True):
        rows[index] = KeptRow(names[index], tasks[index], shapes[index], mask, block)
    rows.update(_read_tiled(cursor, references, tiled, names, tasks, shapes))
    for index, target in zip(aliases, cursor.varints(len(aliases), "target of an alias"), strict=True):
        rows[index] = AliasRow(names[index], tasks[index], target)
    return tuple(rows[index] for index in range(count))


def _read_tiled(
    cursor: Cursor,
    references: MaskReferences,
    tiled: list[int],
    names: list[str],
    tasks: list[int],
    shapes: dict[int, tuple[int, ...]],
) -> dict[int, EntryRow]:
    masks = [references.read(cursor, repr(names[index])) for index in tiled]
    prototypes = cursor.varints(len(tiled), "prototype of a layer")
    phases = cursor.varints(len(tiled), "phase of a layer")
    zeros = cursor.take(len(tiled), "zero of a layer")
    scaled = cursor.take(len(tiled), "scaled of a layer")
    for index, zero, flag in zip(tiled, zeros, scaled, strict=True):
        if zero > ZERO_SECOND or flag > 1:
            raise ManifestError(f"layer {names[index]!r}: zero {zero} or scaled {flag} is unknown")
    scales = [_read_scale(cursor, repr(names[index])) if flag else None for index, flag in zip(tiled, scaled, strict=True)]
    with_second = sum(zero == ZERO_SECOND for zero in zeros)
    seconds = iter(cursor.varints(with_second, "second prototype of a layer"))
    second_phases = iter(cursor.varints(with_second, "second phase of a layer"))
    rows: dict[int, EntryRow] = {}
    for i, index in enumerate(tiled):
        has_second = zeros[i] == ZERO_SECOND
        rows[index] = TiledRow(
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
    return rows


def write_entries(rows: Sequence[EntryRow], references: MaskReferences, has_tasks: bool) -> bytes:
    tensors = [row for row in rows if isinstance(row, TensorRow)]
    kept = [row for row in rows if isinstance(row, KeptRow)]
    tiled = [row for row in rows if isinstance(row, TiledRow)]
    aliases = [row for row in rows if isinstance(row, AliasRow)]
    kinds = {TensorRow: ENTRY_TENSOR, KeptRow: ENTRY_KEPT, TiledRow: ENTRY_TILED, AliasRow: ENTRY_ALIAS}
    shaped = [row for row in rows if not isinstance(row, AliasRow)]
    return b"".join(
        (
            varint(len(rows)),
            _write_names(row.name for row in rows),
            bytes(kinds[type(row)] for row in rows),
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
            varints([row.target for row in aliases]),
        )
    )


# --- the whole manifest ---------------------------------------------------------------------------------------


def read_manifest(data: bytes) -> Manifest:
    """All tables, in order, with nothing after them. Rules across tables are `validate`'s."""
    cursor = Cursor(data)
    references = MaskReferences()
    manifest = Manifest()
    manifest.metadata = read_metadata(cursor)
    manifest.tasks = read_tasks(cursor)
    manifest.masks = read_masks(cursor)
    manifest.blocks = read_blocks(cursor)
    manifest.prototypes = read_prototypes(cursor, references)
    manifest.entries = read_entries(cursor, references, bool(manifest.tasks))
    cursor.end("the manifest")
    if references.seen != len(manifest.masks):
        raise ManifestError(f"{references.seen} masks are referred to, and the file has {len(manifest.masks)}")
    return manifest


def write_manifest(manifest: Manifest) -> bytes:
    """The bytes of `read_manifest`. The masks must be numbered in the order of first use."""
    references = MaskReferences()
    return b"".join(
        (
            write_metadata(manifest.metadata),
            write_tasks(manifest.tasks),
            write_masks(manifest.masks),
            write_blocks(manifest.blocks),
            write_prototypes(manifest.prototypes, references),
            write_entries(manifest.entries, references, bool(manifest.tasks)),
        )
    )
