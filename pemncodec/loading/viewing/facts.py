"""Layers and tensors of a file as rows of a table, and the facts in one line. From the manifest alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ...common.dtypes import float32_of
from ...container import accounting
from ...container.header import MAJOR
from ...container.manifest.coder_table import BLOCK_CODERS, MASK_CODERS
from ...container.manifest.generated import GeneratedRow
from ...container.manifest.rows import AliasRow, BoolRow, KeptRow, Manifest, MaskedRow, PlainRow, TiledRow, numel
from ...container.manifest.zero_table import ZERO_RULES
from ...container.reader import Container
from .markup import number, size

# What a zero bit stands for, by the name of its rule.
_ZERO = {"zero": "zero", "negated": "the negated value"}


@dataclass(frozen=True)
class LayerFacts:
    """A masked layer.

    Attributes:
        index: number of its entry.
        name: as it is in the file.
        task: number of its task; 0 for all.
        shape, dtype: of the dense tensor.
        weights: number of elements.
        kept: number of ones in its mask.
        bits: bits of the mask; fewer than `weights` if the prototype has zeros.
        coder: of the mask.
        mask_bytes: of the mask; 0 if an earlier layer has the same mask.
        value_bytes: of its kept values; of a block that is shared, its share.
        shared: whether `value_bytes` is such a share.
        zero: what a zero bit stands for.
        filled: where the values of ones come from.
    """

    index: int
    name: str
    task: int
    shape: tuple[int, ...]
    dtype: str
    weights: int
    kept: int
    bits: int
    coder: str
    mask_bytes: int
    value_bytes: int
    shared: bool
    zero: str
    filled: str

    @property
    def size(self) -> int:
        """Bytes of mask and kept values."""
        return self.mask_bytes + self.value_bytes

    @property
    def floor(self) -> float:
        """Bits that a mask with so many ones carries at most: log2 C(bits, kept)."""
        return log2_binomial(self.bits, self.kept)


@dataclass(frozen=True)
class TensorFacts:
    """A tensor without a mask, or another name of a tensor.

    Attributes as of `LayerFacts`; `coder` is that of its block, or of the mask that a bool tensor is stored as.
    """

    name: str
    task: int
    shape: tuple[int, ...]
    dtype: str
    coder: str
    size: int
    shared: bool
    tied: str | None


def log2_binomial(count: int, ones: int) -> float:
    """log2 of the number of ways to choose `ones` of `count`."""
    if not 0 < ones < count:
        return 0.0
    found = math.lgamma(count + 1) - math.lgamma(ones + 1) - math.lgamma(count - ones + 1)
    return max(found, 0.0) / math.log(2)


def layers_of(manifest: Manifest, task: int | None) -> Iterator[LayerFacts]:
    """The masked layers of a task (None: of all), in order. Those of other tasks never count for their bytes."""
    counts = manifest.block_users()[0]
    begins, _ = manifest.users_of_blocks()
    seen: set[int] = set()
    for index in manifest.entries_of(task):
        row = manifest.entries[index]
        if not isinstance(row, KeptRow | TiledRow):
            continue
        mask = manifest.masks[row.mask]
        value_bytes, shared = 0, False
        if isinstance(row, KeptRow):
            users = begins[row.block + 1] - begins[row.block]
            shared = users > 1
            value_bytes = _part(manifest.blocks[row.block].size, mask.ones, counts[row.block])
        zero, filled = _zero_and_filled(row)
        yield LayerFacts(
            index=index,
            name=row.name,
            task=row.task,
            shape=row.shape,
            dtype=manifest.entry_dtype(index).name,
            weights=numel(row.shape),
            kept=mask.ones,
            bits=mask.length,
            coder=MASK_CODERS[mask.coder].name + (" (an earlier layer's)" if row.mask in seen else ""),
            mask_bytes=0 if row.mask in seen else mask.size,
            value_bytes=value_bytes,
            shared=shared,
            zero=zero,
            filled=filled,
        )
        seen.add(row.mask)


def tensors_of(manifest: Manifest, task: int | None) -> Iterator[TensorFacts]:
    """The tensors without a mask, and the tied ones, in order."""
    seen = {row.mask for row in manifest.entries if isinstance(row, MaskedRow)}
    counts = manifest.block_users()[0]
    begins, _ = manifest.users_of_blocks()
    for index in manifest.entries_of(task):
        row = manifest.entries[index]
        if isinstance(row, KeptRow | TiledRow):
            continue
        dtype, shape = manifest.entry_dtype(index).name, manifest.resolve(index).shape
        if isinstance(row, AliasRow):
            yield TensorFacts(row.name, row.task, shape, dtype, "", 0, False, manifest.entries[row.target].name)
            continue
        if isinstance(row, BoolRow):
            mask = manifest.masks[row.mask]
            coder, own = MASK_CODERS[mask.coder].name, 0 if row.mask in seen else mask.size
            seen.add(row.mask)
            yield TensorFacts(row.name, row.task, shape, dtype, coder, own, False, None)
            continue
        block = manifest.blocks[row.block]
        shared = begins[row.block + 1] - begins[row.block] > 1
        own = _part(block.size, numel(shape), counts[row.block])
        yield TensorFacts(row.name, row.task, shape, dtype, BLOCK_CODERS[block.coder].name, own, shared, None)


def prototype_text(manifest: Manifest, index: int) -> str:
    """A prototype in a line."""
    row = manifest.prototypes[index]
    if isinstance(row, GeneratedRow):
        return row.summary()
    stored = manifest.stored_values(row)
    some = "" if stored == row.length else f", {stored:,} of them stored"
    return f"{number(row.length, 'value')} of {manifest.prototype_dtype(index).name}{some}"


def in_one_line(container: Container) -> list[str]:
    """Layers, weights, bytes, bits a weight, prototypes, tasks and format version, each as a phrase."""
    manifest = container.manifest
    sizes = accounting.sizes(manifest, container.header.file_size)
    masked = sum(1 for row in manifest.entries if isinstance(row, KeptRow | TiledRow))
    plain = sum(1 for row in manifest.entries if isinstance(row, PlainRow))
    facts = [number(masked, "masked layer")]
    if masked:
        facts.append(number(sizes.masked_weights, "masked weight"))
    if plain:
        facts.append(number(plain, "other tensor"))
    facts.append(size(sizes.total))
    if sizes.masked_weights:
        facts.append(f"{sizes.bits_per_masked_weight:.3f} bits per masked weight")
    facts += _prototypes(manifest)
    if manifest.tasks:
        facts.append(number(len(manifest.tasks), "task"))
    if manifest.base is not None:
        facts.append("a delta: reading it needs its base")
    return [*facts, f"format {MAJOR}.{container.header.minor}"]


def _prototypes(manifest: Manifest) -> list[str]:
    count = len(manifest.prototypes)
    if count == 1:
        return [f"prototype: {prototype_text(manifest, 0)}"]
    seeded = sum(isinstance(row, GeneratedRow) for row in manifest.prototypes)
    from_seed = "" if not seeded else ", all from seeds" if seeded == count else f", {seeded:,} of them from seeds"
    return [f"{number(count, 'prototype')}{from_seed}"] if count else []


def _part(block: int, own: int, whole: int) -> int:
    return block if own == whole else round(block * own / max(whole, 1))


def _zero_and_filled(row: KeptRow | TiledRow) -> tuple[str, str]:
    if isinstance(row, KeptRow):
        return "zero", "kept values"
    rule = ZERO_RULES[row.zero].name
    zero = f"prototype {row.second}" if row.second is not None else _ZERO.get(rule, rule)
    filled = f"prototype {row.prototype}" + (f" from {row.phase:,} on" if row.phase else "")
    if row.scale_bits is not None:
        filled += f", scale {float32_of(row.scale_bits):.6g}"
    return zero, filled
