"""`validate`: every rule that ties the tables of a manifest together, before any payload is read.

Spec sections 4.2 to 4.6. What one field alone must obey is checked where it is read (`tables.py`).
"""

from __future__ import annotations

import math
import re

from ...common.dtypes import FLOAT32
from ...errors import ManifestError
from ...errors.quoting import quoted
from .rows import (
    BASE_KEY,
    MAX_ELEMENTS,
    AliasRow,
    BoolRow,
    EntryRow,
    KeptRow,
    Manifest,
    TensorRow,
    TiledRow,
    ValuesRow,
    numel,
)
from .zero_table import ZERO_RULES


def validate(manifest: Manifest, payload_size: int) -> None:
    """Check the manifest as a whole.

    Args:
        payload_size: bytes of the payload, from the header.

    Raises:
        ManifestError: the first rule that is broken.
    """
    _validate_base(manifest)
    _validate_tasks(manifest)
    _validate_prototypes(manifest)
    for index, row in enumerate(manifest.entries):
        _validate_entry(manifest, index, row)
    _validate_names(manifest)
    _validate_uses(manifest)
    total = sum(row.size for row in manifest.masks) + sum(row.size for row in manifest.blocks)
    if total != payload_size:
        raise ManifestError(f"masks and blocks add up to {total} bytes, and the payload has {payload_size}")


def _validate_base(manifest: Manifest) -> None:
    if manifest.base is not None and not re.fullmatch("[0-9a-f]{64}", manifest.base):
        raise ManifestError(f"the file is a delta, and its {BASE_KEY} is {quoted(manifest.base)}: not a SHA-256")


def _validate_tasks(manifest: Manifest) -> None:
    if "" in manifest.tasks or len(set(manifest.tasks)) < len(manifest.tasks):
        raise ManifestError("a task name is empty or appears twice")


def _validate_prototypes(manifest: Manifest) -> None:
    for index, row in enumerate(manifest.prototypes):
        if not isinstance(row, ValuesRow):
            continue
        if row.block >= len(manifest.blocks):
            raise ManifestError(f"prototype {index} is in block {row.block} of {len(manifest.blocks)}")
        if not manifest.blocks[row.block].dtype.maskable:
            raise ManifestError(f"prototype {index} has dtype {manifest.blocks[row.block].dtype}: not maskable")
        if row.presence is not None:
            if row.presence >= len(manifest.masks):
                raise ManifestError(f"prototype {index} refers to mask {row.presence} of {len(manifest.masks)}")
            bits = manifest.masks[row.presence].length
            if bits != row.length:
                raise ManifestError(f"prototype {index} has {row.length} elements and a presence mask of {bits} bits")


def _validate_entry(manifest: Manifest, index: int, row: EntryRow) -> None:
    if row.task > len(manifest.tasks):
        raise ManifestError(f"{_where(row)} belongs to task {row.task} of {len(manifest.tasks)}")
    if isinstance(row, AliasRow):
        _validate_alias(manifest, index, row)
        return
    if math.prod(dim for dim in row.shape if dim) > MAX_ELEMENTS:
        raise ManifestError(f"{_where(row)} has the shape {row.shape}: too many elements")
    if isinstance(row, TiledRow):
        _validate_tiled(manifest, row)
        return
    if isinstance(row, KeptRow | BoolRow):
        bits = _mask_length(manifest, row)
        if bits != numel(row.shape):
            raise ManifestError(f"{_where(row)} has {numel(row.shape)} elements and a mask of {bits} bits")
    if isinstance(row, BoolRow):
        return
    if row.block >= len(manifest.blocks):
        raise ManifestError(f"{_where(row)} is in block {row.block} of {len(manifest.blocks)}")
    if isinstance(row, KeptRow) and not manifest.blocks[row.block].dtype.maskable:
        raise ManifestError(f"{_where(row)} has dtype {manifest.blocks[row.block].dtype}: not maskable")


def _validate_alias(manifest: Manifest, index: int, row: AliasRow) -> None:
    if row.target >= index:
        raise ManifestError(f"{_where(row)} stands for entry {row.target}, which does not come before it")
    target = manifest.entries[row.target]
    if isinstance(target, AliasRow):
        raise ManifestError(f"{_where(row)} stands for {quoted(target.name)}, which is itself an alias")
    if target.task not in (0, row.task):
        raise ManifestError(f"{_where(row)} stands for {quoted(target.name)} of another task")


def _mask_length(manifest: Manifest, row: KeptRow | TiledRow | BoolRow) -> int:
    if row.mask >= len(manifest.masks):
        raise ManifestError(f"{_where(row)} refers to mask {row.mask} of {len(manifest.masks)}")
    return manifest.masks[row.mask].length


def _validate_tiled(manifest: Manifest, row: TiledRow) -> None:
    bits = _mask_length(manifest, row)
    if bits > numel(row.shape):
        raise ManifestError(f"{_where(row)} has {numel(row.shape)} elements and a mask of {bits} bits")
    for prototype, phase in ((row.prototype, row.phase), (row.second, row.second_phase)):
        if prototype is None:
            continue
        if prototype >= len(manifest.prototypes):
            raise ManifestError(f"{_where(row)} refers to prototype {prototype} of {len(manifest.prototypes)}")
        if phase >= manifest.prototypes[prototype].length:
            raise ManifestError(
                f"{_where(row)} has phase {phase} in a prototype of {manifest.prototypes[prototype].length} elements"
            )
    dtype = manifest.prototype_dtype(row.prototype)
    if row.second is not None and manifest.prototype_dtype(row.second) != dtype:
        raise ManifestError(f"{_where(row)}: its two prototypes have different dtypes")
    if ZERO_RULES[row.zero].signed and not dtype.has_sign_bit:
        raise ManifestError(f"{_where(row)}: dtype {dtype} cannot be negated by its highest bit")
    if row.scale_bits is not None and dtype != FLOAT32:
        raise ManifestError(f"{_where(row)}: dtype {dtype} cannot be scaled")


def _where(row: EntryRow) -> str:
    return f"{'alias' if isinstance(row, AliasRow) else 'entry'} {quoted(row.name)}"


def _validate_names(manifest: Manifest) -> None:
    common: set[str] = set()
    own: set[str] = set()
    task = 0
    for row in sorted(manifest.entries, key=lambda row: row.task):  # task after task: one set is enough
        if row.task != task:
            task, own = row.task, set()
        names = own if task else common
        if row.name in names or row.name in common:
            raise ManifestError(f"the name {quoted(row.name)} appears twice")
        names.add(row.name)


def _validate_uses(manifest: Manifest) -> None:
    used_prototypes: set[int] = set()
    used_blocks = {row.block for row in manifest.prototypes if isinstance(row, ValuesRow)}
    for row in manifest.entries:
        if isinstance(row, TensorRow | KeptRow):
            used_blocks.add(row.block)
        elif isinstance(row, TiledRow):
            used_prototypes.update(index for index in (row.prototype, row.second) if index is not None)
    if len(used_blocks) < len(manifest.blocks):
        raise ManifestError("a block is not used")
    if len(used_prototypes) < len(manifest.prototypes):
        raise ManifestError("a prototype is not used by any layer")
    counts, _, _ = manifest.block_users()
    if counts and max(counts) > MAX_ELEMENTS:
        raise ManifestError("a block has too many elements")
