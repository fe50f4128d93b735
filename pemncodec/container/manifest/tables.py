"""The tables of the manifest as bytes, each reader beside its writer (spec sections 4.1 to 4.5)."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.allowance import Allowance
from ...common.dtypes import BY_ID
from ...errors import ManifestError
from ...errors.quoting import quoted
from ..cursor import Cursor, text, varint, varints
from ..header import MAJOR
from .coder_table import BLOCK_CODERS, MASK_CODERS, Coder
from .entries import read_entries, write_entries
from .fields import MaskReferences
from .generated import read_generated, write_generated
from .rows import (
    MAX_ELEMENTS,
    MAX_NAME,
    MAX_ROWS,
    MAX_TASKS,
    PROTOTYPE_GENERATOR,
    PROTOTYPE_VALUES,
    BlockRow,
    Manifest,
    MaskRow,
    PrototypeRow,
    ValuesRow,
)

# Bytes that a row takes in memory, about, with what is made of it later.
_PAIR, _TASK, _MASK, _BLOCK, _PROTOTYPE = 200, 100, 80, 120, 600
# Metadata are shown, escaped and encoded.
_SHOWN = 8

# --- 4.1 metadata, 4.2 tasks ----------------------------------------------------------------------------


def read_metadata(cursor: Cursor) -> dict[str, str]:
    metadata: dict[str, str] = {}
    last = b""
    for _ in range(cursor.varint("number of metadata", cursor.remaining)):
        start = cursor.position
        key = cursor.text("metadata key")
        if key.encode() <= last:
            raise ManifestError(f"metadata key {quoted(key)} is empty or not in ascending order")
        last = key.encode()
        metadata[key] = cursor.text(f"metadata {quoted(key)}")
        cursor.spend(_PAIR + _SHOWN * (cursor.position - start))
    return metadata


def write_metadata(metadata: dict[str, str]) -> bytes:
    pairs = sorted(metadata.items(), key=lambda pair: pair[0].encode())
    return varint(len(pairs)) + b"".join(text(key) + text(value) for key, value in pairs)


def read_tasks(cursor: Cursor) -> tuple[str, ...]:
    count = cursor.varint("number of tasks", MAX_TASKS)
    cursor.spend(_TASK * count)
    return tuple(cursor.text("task name", MAX_NAME) for _ in range(count))


def write_tasks(tasks: Sequence[str]) -> bytes:
    return varint(len(tasks)) + b"".join(map(text, tasks))


# --- 4.3 masks, 4.4 blocks --------------------------------------------------------------------------------


def _is_known(coder: Coder | None, minor: int) -> bool:
    return coder is not None and coder.since <= minor


def read_masks(cursor: Cursor, minor: int) -> tuple[MaskRow, ...]:
    count = cursor.varint("number of masks", MAX_ROWS)
    coders = cursor.take(count, "coders of masks")
    lengths = cursor.varints(count, "length of a mask", MAX_ELEMENTS)
    ones = cursor.varints(count, "ones of a mask", MAX_ELEMENTS)
    sizes = cursor.varints(count, "size of a mask")
    cursor.spend(_MASK * count)
    for index, coder in enumerate(coders):
        if not _is_known(MASK_CODERS.get(coder), minor):
            raise ManifestError(
                f"mask {index} has the coder {coder}, which is unknown in format version {MAJOR}.{minor}"
            )
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


def read_blocks(cursor: Cursor, minor: int) -> tuple[BlockRow, ...]:
    count = cursor.varint("number of blocks", MAX_ROWS)
    dtypes = cursor.take(count, "dtypes of blocks")
    coders = cursor.take(count, "coders of blocks")
    sizes = cursor.varints(count, "size of a block")
    cursor.spend(_BLOCK * count)
    for index in range(count):
        if dtypes[index] not in BY_ID:
            raise ManifestError(f"block {index} has the unknown dtype {dtypes[index]}")
        if not _is_known(BLOCK_CODERS.get(coders[index]), minor):
            raise ManifestError(
                f"block {index} has the coder {coders[index]}, which is unknown in format version {MAJOR}.{minor}"
            )
    return tuple(map(BlockRow, (BY_ID[number] for number in dtypes), coders, sizes))


def write_blocks(blocks: Sequence[BlockRow]) -> bytes:
    return (
        varint(len(blocks))
        + bytes(row.dtype.id for row in blocks)
        + bytes(row.coder for row in blocks)
        + varints([row.size for row in blocks])
    )


# --- 4.5 prototypes ---------------------------------------------------------------------------------------


def read_prototypes(cursor: Cursor, references: MaskReferences, minor: int) -> tuple[PrototypeRow, ...]:
    count = cursor.varint("number of prototypes", MAX_ROWS)
    return tuple(_read_prototype(cursor, references, minor, f"prototype {index}") for index in range(count))


def _read_prototype(cursor: Cursor, references: MaskReferences, minor: int, what: str) -> PrototypeRow:
    cursor.spend(_PROTOTYPE)
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
    return read_generated(cursor, length, minor, what)


def write_prototypes(rows: Sequence[PrototypeRow], references: MaskReferences) -> bytes:
    return varint(len(rows)) + b"".join(_write_prototype(row, references) for row in rows)


def _write_prototype(row: PrototypeRow, references: MaskReferences) -> bytes:
    if isinstance(row, ValuesRow):
        front = bytes([PROTOTYPE_VALUES]) + varint(row.length) + varint(row.block)
        return front + (b"\0" if row.presence is None else b"\1" + references.write(row.presence))
    return bytes([PROTOTYPE_GENERATOR]) + varint(row.length) + write_generated(row)


# --- the whole manifest ---------------------------------------------------------------------------------------


def read_manifest(data: bytes, minor: int, memory: Allowance | None = None) -> Manifest:
    """All tables, in order, with nothing after them. Rules across tables are `validate`'s.

    Args:
        minor: version of the file: ids that came later are unknown.
        memory: what the tables may take; without it as much as they need.

    Raises:
        ManifestError: the first rule that is broken.
        LimitError: the tables would take more than `memory`.
    """
    cursor = Cursor(data, memory=memory)
    references = MaskReferences()
    manifest = Manifest()
    manifest.metadata = read_metadata(cursor)
    manifest.tasks = read_tasks(cursor)
    manifest.masks = read_masks(cursor, minor)
    manifest.blocks = read_blocks(cursor, minor)
    manifest.prototypes = read_prototypes(cursor, references, minor)
    manifest.entries = read_entries(cursor, references, bool(manifest.tasks), minor)
    cursor.end("the manifest")
    if references.seen != len(manifest.masks):
        raise ManifestError(f"{references.seen} masks are referred to, but the file has {len(manifest.masks)}")
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
